// The audit trail in GraphQL.
import { type IdType, toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType, pageArgs } from '../../graphql/schema-kit/connection.js';
import { orNull, time } from '../../graphql/schema-kit/field-options.js';
import { query } from '../../graphql/schema-kit/root-fields.js';
import { enumType, filterArg } from '../../graphql/schema-kit/zod-inputs.js';
import { userOrNull } from '../user/user.schema.js';
import { auditEventFilter, auditOutcome } from './audit.input.js';

const AuditEventType = builder.prismaObject('AuditEvent', {
  description: 'An audited action: done, refused or failed.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Id of the event.', resolve: ({ id }) => toPublicId('AuditEvent', id) }),
    at: t.expose('at', time('Time of the event.')),
    action: t.exposeString('action', {
      description: 'Action: entity.verb, for example user.deactivate.',
    }),
    outcome: t.field({
      type: enumType(auditOutcome),
      description: 'Outcome.',
      resolve: ({ outcome }) => outcome,
    }),
    actor: t.field(userOrNull('actorId', 'The acting user; null for unknown actors and deleted users.')),
    actorLabel: t.exposeString('actorLabel', {
      description: 'Name of the actor at that time; survives the user.',
    }),
    targetType: t.exposeString('targetType', orNull('Type of the target.')),
    targetId: t.id({
      nullable: true,
      description: 'Id of the target.',
      resolve: ({ targetType, targetId }) =>
        targetType === null || targetId === null ? null : toPublicId(targetType as IdType, targetId),
    }),
    ip: t.exposeString('ip', orNull('Address of the request.')),
    userAgent: t.exposeString('userAgent', orNull('User agent of the request.')),
    correlationId: t.exposeString('correlationId', { description: 'Id of the request, as in the logs.' }),
    changes: t.field({
      type: 'JSON',
      nullable: true,
      description: 'Changed values; never a secret.',
      resolve: ({ changes }) => changes,
    }),
  }),
});

const AuditEventConnection = connectionType('AuditEvent', AuditEventType, 'audit events');

query('auditEvents', AuditEventConnection, 'audit:read', {
  description: 'The audit trail, newest first.',
  args: (arg) => ({ ...pageArgs(arg), filter: filterArg(arg, 'AuditEventFilter', auditEventFilter) }),
  run: ({ audit }, viewer, { filter, ...page }) => audit.list(viewer, filter ?? {}, page),
});
