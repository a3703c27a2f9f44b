// Assembles the executable schema from all features, and refuses root fields that name no permission.
import { type GraphQLSchema, getNamedType, isObjectType } from 'graphql';
import { publicRootFields } from '../graphql/documents/public-operations.js';
import { builder, knownPlugins } from '../graphql/schema-kit/builder.js';
import '../features/user/user.schema.js';
import '../features/user/user-mutations.schema.js';
import '../features/user/service-account.schema.js';
import '../features/user/user-identity.schema.js';
import '../features/api-key/api-key.schema.js';
import '../features/auth/auth.schema.js';
import '../features/passkey/passkey.schema.js';
import '../features/execution/execution.schema.js';
import '../features/execution/execution-mutations.schema.js';
import '../features/result/result.schema.js';
import '../features/project/project.schema.js';
import '../features/project/project-mutations.schema.js';
import '../features/retention/retention.schema.js';
import '../features/finding/finding.schema.js';
import '../features/finding/triage/finding-life.schema.js';
import '../features/finding/list/compare.schema.js';
import '../features/finding/triage/triage.schema.js';
import '../features/gate/gate.schema.js';
import '../features/gate/gate-policy.schema.js';
import '../features/audit/audit.schema.js';
import '../features/execution-event/execution-event.schema.js';
import '../features/import/import.schema.js';
import '../features/mail/mail.schema.js';
import '../features/scim/token/token.schema.js';
import '../features/scim/user-directory.schema.js';
import '../features/sso/sso.schema.js';
import '../features/statistics/statistics.schema.js';
import '../features/webhook/webhook.schema.js';
import '../features/workload/workload.schema.js';
import './node.js';

/**
 * Builds the schema.
 * @throws Error for a root field without a permission that is not on the public list, for an edge to another entity that
 *   does not require that entity's permission, and for a Pothos plugin that the executor does not know
 */
export function buildSchema(): GraphQLSchema {
  assertKnownPlugins();
  const schema = builder.toSchema({ sortSchema: true });
  assertEdges(schema);
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

/** Entity types, their connections and the permission to read them. Users are open in part: personal fields ask for more. */
const entityPermissions: Readonly<Record<string, string>> = {
  TestExecution: 'execution:read',
  ExecutionConnection: 'execution:read',
  TestResult: 'result:read',
  ResultConnection: 'result:read',
  Finding: 'finding:read',
  FindingConnection: 'finding:read',
  Project: 'project:read',
  ProjectConnection: 'project:read',
  Import: 'execution:read',
  Webhook: 'webhook:manage',
  WebhookDelivery: 'webhook:manage',
  WebhookDeliveryConnection: 'webhook:manage',
  GroupMapping: 'sign_in:manage',
  Mail: 'user:read',
  MailConnection: 'user:read',
  WorkloadTrust: 'workload:manage',
  AuditEvent: 'audit:read',
  AuditEventConnection: 'audit:read',
};
/** Types that only return what their root field has authorized. */
const carriers = /^(?:Query|Mutation|Subscription)$|(?:Payload|Connection|Edge)$/;

/** @throws Error for an edge to an entity that does not require its permission: a key's scopes would leak through it */
function assertEdges(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__') || carriers.test(type.name)) continue;
    for (const field of Object.values(type.getFields())) {
      const permission = entityPermissions[getNamedType(field.type).name];
      const { authScopes } = (field.extensions.pothosOptions ?? {}) as { authScopes?: { can?: string } };
      if (permission !== undefined && authScopes?.can !== permission)
        throw new Error(`${type.name}.${field.name} must require ${permission}`);
    }
  }
}

/** @throws Error for a plugin whose wrappers the executor would pass by */
function assertKnownPlugins(): void {
  const plugins = builder.options.plugins as readonly string[];
  const unknown = plugins.filter((name) => !(knownPlugins as readonly string[]).includes(name));
  if (unknown.length > 0)
    throw new Error(`The executor does not know the Pothos plugins ${unknown.join(', ')}`);
}
