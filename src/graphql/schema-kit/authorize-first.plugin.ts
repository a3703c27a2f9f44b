// A Pothos plugin that authorizes a field before its arguments are validated: an unauthorized caller learns nothing of them.
// Scopes of other kinds stay with scope-auth.
import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import { authorize, type Permission } from '../../core/permissions.js';
import type { GraphQLContext } from './context.js';

declare global {
  // Pothos types the names of plugins by merging into this one.
  namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      authorizeFirst: AuthorizeFirstPlugin<Types>;
    }
  }
}

/** Its name in the builder's list of plugins. */
export const authorizeFirstPlugin = 'authorizeFirst';

type Resolver = GraphQLFieldResolver<unknown, object>;

// Pothos knows plugins as classes only. Without this one it validates arguments first.
class AuthorizeFirstPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapArgMappers<Wrapped extends Resolver | undefined>(
    resolver: Wrapped,
    fieldConfig: PothosOutputFieldConfig<Types>,
  ): Wrapped {
    const { authScopes } = fieldConfig.pothosOptions as { authScopes?: { can?: Permission } };
    const permission = authScopes?.can;
    if (resolver === undefined || permission === undefined) return resolver;
    const guarded: Resolver = (parent, args, context, info) => {
      authorize((context as GraphQLContext).viewer, permission);
      return resolver(parent, args, context, info);
    };
    return guarded as Wrapped;
  }
}

SchemaBuilder.registerPlugin(authorizeFirstPlugin, AuthorizeFirstPlugin);
