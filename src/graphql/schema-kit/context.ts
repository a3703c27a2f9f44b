// The context of every resolver: the viewer, the services, and the loaders that batch the request's reads.
import type { ExecutionResult } from 'graphql';
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { Stream } from '../../core/pull-stream.js';
import type { PrismaClient } from '../../generated/prisma/client.js';

/** The services that resolvers call; server/services.ts declares them, so that no layer below has to import it. */
// biome-ignore lint/suspicious/noEmptyInterface: filled by declaration merging
export interface ResolverServices {}

/** The loaders of one request; api/loaders.ts declares them. */
// biome-ignore lint/suspicious/noEmptyInterface: filled by declaration merging
export interface Loaders {}

/** One per request. */
export interface GraphQLContext {
  services: ResolverServices;
  /** Null for an anonymous request. */
  viewer: Viewer | null;
  loaders: Loaders;
  /** Reads the relations of entities that Prisma reads (adr 2). */
  prisma: PrismaClient;
  /** The HTTP request; absent over WebSockets. */
  request?: { headers: { get: (name: string) => string | null } };
  /** Set by a sign-in within this request: that user's own profile may be shown in the answer. */
  signedInUserId?: string;
  /** A subscription's answers, once it runs. */
  answers?: Stream<ExecutionResult>;
}

/** The viewer, for fields whose scope has already asked for one. @throws UNAUTHENTICATED */
export function viewerOf(context: GraphQLContext): Viewer {
  if (context.viewer === null) throw new AppError('UNAUTHENTICATED');
  return context.viewer;
}
