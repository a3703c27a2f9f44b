// Creates the context of one GraphQL request.
import type { Viewer } from '../core/permissions.js';
import type { PrismaClient } from '../generated/prisma/client.js';
import type { GraphQLContext, ResolverServices } from '../graphql/schema-kit/context.js';
import { createLoaders } from './loaders.js';

/** The context that every resolver of one request gets. */
export function createGraphQLContext(
  services: ResolverServices,
  prisma: PrismaClient,
  viewer: Viewer | null,
): GraphQLContext {
  return { services, viewer, prisma, loaders: createLoaders(services, viewer) };
}
