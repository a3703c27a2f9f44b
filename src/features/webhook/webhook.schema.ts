// Webhooks in GraphQL: types and root fields.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType } from '../../graphql/schema-kit/connection.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { DeletePayload } from '../../graphql/schema-kit/payloads.js';
import { enumType, inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { enumOf, idOf } from '../../validation/fields.js';
import { ProjectType } from '../project/project.ref.js';
import { severities, severity } from '../result/result.input.js';
import { createWebhookInput, maxWebhooks } from './webhook.input.js';
import type { WebhookDeliveryRow, WebhookRow } from './webhook.rows.js';
import type { WebhookChange } from './webhook.service.js';

const deliveryState = enumOf('WebhookDeliveryState', 'State of a delivery.', {
  PENDING: 'It is to be sent, for the first time or again.',
  DELIVERED: 'The receiver answered with 2xx.',
  FAILED: 'The receiver did not accept it within 24 hours.',
});

const WebhookDelivery = builder.objectRef<WebhookDeliveryRow>('WebhookDelivery').implement({
  description: 'An event for a webhook. Its id is the header webhook-id, the same for every attempt.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Id of the delivery.', resolve: ({ id }) => toPublicId('WebhookDelivery', id) }),
    event: t.exposeString('event', { description: 'Type of the event.' }),
    state: t.expose('state', { type: enumType(deliveryState), description: 'State.' }),
    attempts: t.exposeInt('attempts', {
      description: 'Number of attempts since the event or its redelivery.',
    }),
    lastStatus: t.exposeInt('lastStatus', {
      nullable: true,
      description: 'HTTP status of the last answer; null where there was none.',
    }),
    lastError: t.exposeString('lastError', {
      nullable: true,
      description: 'Error of the last attempt; null after a success.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'Time of the event.' }),
    deliveredAt: t.expose('deliveredAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Time at which the receiver accepted it.',
    }),
    nextAttemptAt: t.expose('nextAttemptAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Earliest time of the next attempt.',
    }),
  }),
});

const WebhookDeliveryConnection = connectionType('WebhookDelivery', WebhookDelivery, 'deliveries');

const WebhookType = builder.objectRef<WebhookRow>('Webhook').implement({
  description: 'A receiver of events, signed as Standard Webhooks (standardwebhooks.com) defines.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Id of the webhook.', resolve: ({ id }) => toPublicId('Webhook', id) }),
    url: t.exposeString('url', { description: 'Address that the server POSTs to.' }),
    events: t.exposeStringList('events', { description: 'Events that it gets.' }),
    project: t.field({
      type: ProjectType,
      authScopes: { can: 'project:read' },
      nullable: true,
      description: 'The only project whose events it gets; null for all.',
      resolve: ({ projectId }, _args, { loaders }) =>
        projectId === null ? null : loaders.projects.load(projectId),
    }),
    leastSeverity: t.field({
      type: enumType(severity),
      nullable: true,
      description: 'Least severity of findings that its events are about; null for all.',
      resolve: ({ leastSeverity }) => (leastSeverity === null ? null : (severities[leastSeverity] ?? null)),
    }),
    isActive: t.exposeBoolean('isActive', {
      description: 'Whether it gets events. The server switches it off after three days of failures.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'Time of creation.' }),
    deliveries: t.field({
      type: WebhookDeliveryConnection,
      authScopes: { can: 'webhook:manage' },
      description: 'Delivery log, newest first; it keeps 30 days.',
      args: {
        first: t.arg.int({ description: 'How many entries: 1 to 100, default 20.' }),
        after: t.arg.string({ description: 'Cursor: only entries after it.' }),
      },
      resolve: ({ id }, page, { services }) => services.webhooks.deliveries(id, page),
    }),
  }),
});

const WebhookPayload = builder.objectRef<WebhookChange>('WebhookPayload').implement({
  description: 'A webhook after a change.',
  fields: (t) => ({
    webhook: t.field({ type: WebhookType, description: 'The webhook.', resolve: ({ webhook }) => webhook }),
    secret: t.exposeString('secret', {
      nullable: true,
      description: 'Secret that verifies signatures (`whsec_…`). Shown once, at creation.',
    }),
  }),
});

builder.queryField('webhooks', (t) =>
  t.field({
    type: [WebhookType],
    authScopes: { can: 'webhook:manage' },
    extensions: { weight: { entries: maxWebhooks } },
    description: `All webhooks, oldest first; at most ${maxWebhooks}.`,
    resolve: (_root, _args, { services }) => services.webhooks.list(),
  }),
);

const webhookId = idOf('Webhook');
const idText = 'Id of the webhook.';

builder.mutationFields((t) => ({
  createWebhook: t.field({
    type: WebhookPayload,
    authScopes: { can: 'webhook:manage' },
    description: 'Creates a webhook with a secret, which only this payload shows.',
    args: { input: inputArg(t.arg, 'CreateWebhookInput', createWebhookInput) },
    resolve: (_root, { input }, context) => context.services.webhooks.create(viewerOf(context), input),
  }),
  setWebhookActive: t.field({
    type: WebhookPayload,
    authScopes: { can: 'webhook:manage' },
    description: 'Switches a webhook on or off. Events that happen while it is off are not sent later.',
    args: {
      id: simpleArg(t.arg, webhookId, idText),
      isActive: t.arg.boolean({ required: true, description: 'Whether it gets events.' }),
    },
    resolve: (_root, { id, isActive }, context) =>
      context.services.webhooks.setActive(viewerOf(context), id, isActive),
  }),
  deleteWebhook: t.field({
    type: DeletePayload,
    authScopes: { can: 'webhook:manage' },
    description: 'Deletes a webhook with its delivery log.',
    args: { id: simpleArg(t.arg, webhookId, idText) },
    resolve: async (_root, { id }, context) => {
      await context.services.webhooks.remove(viewerOf(context), id);
      return { deletedId: toPublicId('Webhook', id) };
    },
  }),
  redeliverWebhook: t.field({
    type: WebhookPayload,
    authScopes: { can: 'webhook:manage' },
    description: 'Sends an event again under the same id, ahead of later events about the same target.',
    args: { deliveryId: simpleArg(t.arg, idOf('WebhookDelivery'), 'Id of the delivery.') },
    resolve: (_root, { deliveryId }, context) =>
      context.services.webhooks.redeliver(viewerOf(context), deliveryId),
  }),
}));
