// The audit trail in GraphQL.
import { type IdType, toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType, pageArgs } from '../../graphql/schema-kit/connection.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { enumType, filterArg } from '../../graphql/schema-kit/zod-inputs.js';
import { UserType } from '../user/user.schema.js';
import { auditEventFilter, auditOutcome } from './audit.input.js';

const AuditEventType = builder.prismaObject('AuditEvent', {
  description: 'Something that was done, refused or tried.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Id of the event.', resolve: ({ id }) => toPublicId('AuditEvent', id) }),
    at: t.expose('at', { type: 'DateTime', description: 'When it happened.' }),
    action: t.exposeString('action', {
      description: 'What was done: entity.verb, for example user.deactivate.',
    }),
    outcome: t.field({
      type: enumType(auditOutcome),
      description: 'How it ended.',
      resolve: ({ outcome }) => outcome,
    }),
    actor: t.field({
      type: UserType,
      nullable: true,
      description: 'Who did it; null for nobody known and for users who are gone.',
      resolve: ({ actorId }, _args, { loaders }) => (actorId === null ? null : loaders.users.load(actorId)),
    }),
    actorLabel: t.exposeString('actorLabel', {
      description: 'Who it was, as it was then; survives the user.',
    }),
    targetType: t.exposeString('targetType', { nullable: true, description: 'Type of what it was done to.' }),
    targetId: t.id({
      nullable: true,
      description: 'Id of what it was done to.',
      resolve: ({ targetType, targetId }) =>
        targetType === null || targetId === null ? null : toPublicId(targetType as IdType, targetId),
    }),
    ip: t.exposeString('ip', { nullable: true, description: 'Address of the request.' }),
    userAgent: t.exposeString('userAgent', { nullable: true, description: 'Program that sent it.' }),
    correlationId: t.exposeString('correlationId', { description: 'Id of the request, as in the logs.' }),
    changes: t.field({
      type: 'JSON',
      nullable: true,
      description: 'What changed; never a secret.',
      resolve: ({ changes }) => changes,
    }),
  }),
});

const AuditEventConnection = connectionType('AuditEvent', AuditEventType, 'audit events');

builder.queryField('auditEvents', (t) =>
  t.field({
    type: AuditEventConnection,
    authScopes: { can: 'audit:read' },
    description: 'The audit trail, newest first.',
    args: { ...pageArgs(t.arg), filter: filterArg(t.arg, 'AuditEventFilter', auditEventFilter) },
    resolve: (_root, { filter, ...page }, context) =>
      context.services.audit.list(viewerOf(context), filter ?? {}, page),
  }),
);
