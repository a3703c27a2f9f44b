// The executable schema: every feature's part, and the refusal of root fields that do not say who may use them.
import type { GraphQLSchema } from 'graphql';
import { publicRootFields } from '../graphql/documents/public-operations.js';
import { builder } from '../graphql/schema-kit/builder.js';
import '../features/user/user.schema.js';
import '../features/user/user-mutations.schema.js';
import '../features/api-key/api-key.schema.js';
import '../features/auth/auth.schema.js';
import '../features/execution/execution.schema.js';
import '../features/execution/execution-mutations.schema.js';
import '../features/result/result.schema.js';
import '../features/audit/audit.schema.js';
import '../features/execution-event/execution-event.schema.js';
import './node.js';

/**
 * Builds the schema.
 * @throws Error for a root field without a permission that is not on the public list
 */
export function buildSchema(): GraphQLSchema {
  const schema = builder.toSchema({ sortSchema: true });
  for (const { name, permission } of rootFields(schema)) {
    const isPublic = publicRootFields.includes(name);
    if (isPublic !== (permission === 'public'))
      throw new Error(`${name} must name its permission or be on the public list`);
  }
  return schema;
}

/** Every root field with the permission it asks for; undefined when it asks for none. */
export function rootFields(schema: GraphQLSchema): { name: string; permission: string | undefined }[] {
  return [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap((type) =>
    Object.values(type?.getFields() ?? {}).map((field) => {
      const { authScopes } = (field.extensions.pothosOptions ?? {}) as {
        authScopes?: { can?: string; public?: boolean };
      };
      return {
        name: `${type?.name}.${field.name}`,
        permission: authScopes?.public ? 'public' : authScopes?.can,
      };
    }),
  );
}
