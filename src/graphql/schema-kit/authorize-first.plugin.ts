// A Pothos plugin: the permission of a field is asked for before its arguments are looked at. Scopes stay with scope-auth.
import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import { AppError } from '../../core/errors.js';
import { can, type Permission } from '../../core/permissions.js';
import type { GraphQLContext } from './context.js';

const name = 'door';
/** Its name in the builder's list of plugins, which has no types for it as it takes no options. */
export const doorPlugin = name as never;

type Resolver = GraphQLFieldResolver<unknown, object>;

// Pothos knows plugins as classes only. Without this one it checks (and tells the faults of) arguments first.
class DoorPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapArgMappers<Wrapped extends Resolver | undefined>(
    resolver: Wrapped,
    fieldConfig: PothosOutputFieldConfig<Types>,
  ): Wrapped {
    const { authScopes } = fieldConfig.pothosOptions as { authScopes?: { can?: Permission } };
    const permission = authScopes?.can;
    if (resolver === undefined || permission === undefined) return resolver;
    const guarded: Resolver = (parent, args, context, info) => {
      const { viewer } = context as GraphQLContext;
      if (!can(viewer, permission)) throw notAllowed(viewer);
      return resolver(parent, args, context, info);
    };
    return guarded as Wrapped;
  }
}

/** What those are told who do not hold a permission. */
export function notAllowed(viewer: GraphQLContext['viewer']): AppError {
  return new AppError(viewer === null ? 'UNAUTHENTICATED' : (viewer.mustFirst ?? 'FORBIDDEN'));
}

SchemaBuilder.registerPlugin(name as never, DoorPlugin as never);
