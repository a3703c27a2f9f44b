// node(id): reads any object by its id, under the same rules as the query for its type.

import { AppError } from '../core/errors.js';
import type { IdType } from '../core/ids.js';
import { can, type Permission, type Viewer } from '../core/permissions.js';
import { builder } from '../graphql/schema-kit/builder.js';
import { type ResolverServices, viewerOf } from '../graphql/schema-kit/context.js';
import { simpleArg } from '../graphql/schema-kit/zod-inputs.js';
import { anyIdOf } from '../validation/fields.js';

interface NodeReader {
  permission: Permission;
  get: (services: ResolverServices, viewer: Viewer, uuid: string) => Promise<object>;
}

const readers: Partial<Record<IdType, NodeReader>> = {
  User: { permission: 'identity:read', get: ({ users }, viewer, id) => users.get(viewer, id) },
  TestExecution: {
    permission: 'execution:read',
    get: ({ executions }, viewer, id) => executions.get(viewer, id),
  },
  TestResult: { permission: 'result:read', get: ({ results }, viewer, id) => results.get(viewer, id) },
  Finding: { permission: 'finding:read', get: ({ findings }, viewer, id) => findings.get(viewer, id) },
  Project: { permission: 'project:read', get: ({ projects }, viewer, id) => projects.get(viewer, id) },
  Import: { permission: 'execution:read', get: ({ imports }, viewer, id) => imports.get(viewer, id) },
  Webhook: { permission: 'webhook:manage', get: ({ webhooks }, _viewer, id) => webhooks.get(id) },
  WebhookDelivery: {
    permission: 'webhook:manage',
    get: ({ webhooks }, _viewer, id) => webhooks.getDelivery(id),
  },
  AuditEvent: { permission: 'audit:read', get: ({ audit }, viewer, id) => audit.get(viewer, id) },
};
const nodeId = anyIdOf(...(Object.keys(readers) as IdType[]));

builder.queryField('node', (t) =>
  t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    authScopes: { can: 'identity:read' },
    description: 'An object by its id. Error NOT_FOUND when it does not exist, or not for the caller.',
    args: { id: simpleArg(t.arg, nodeId, 'Id of the object.') },
    resolve: async (_root, { id: { type, uuid } }, context) => {
      const viewer = viewerOf(context);
      const reader = readers[type];
      if (reader === undefined || !can(viewer, reader.permission)) throw new AppError('NOT_FOUND');
      return { ...(await reader.get(context.services, viewer, uuid)), __typename: type };
    },
  }),
);
