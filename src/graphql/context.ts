// What every resolver gets: who asks, the services, and the loaders that batch the request's reads.
import type { ExecutionResult } from 'graphql';
import type { Viewer } from '../core/access.js';
import { AppError } from '../core/errors.js';
import type { Stream } from '../core/stream.js';
import type { Services } from '../services.js';
import { createLoaders, type Loaders } from './loaders.js';

/** One per request. */
export interface GraphQLContext {
  services: Services;
  /** Null for an anonymous request. */
  viewer: Viewer | null;
  loaders: Loaders;
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

export function createGraphQLContext(services: Services, viewer: Viewer | null): GraphQLContext {
  return { services, viewer, loaders: createLoaders(services, viewer) };
}
