// Webhooks in GraphQL: types and root fields.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType } from '../../graphql/schema-kit/connection.js';
import { orNull, time, timeOrNull } from '../../graphql/schema-kit/field-options.js';
import { deletion, mutation, query } from '../../graphql/schema-kit/root-fields.js';
import { enumType, inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { enumOf, idOf } from '../../validation/fields.js';
import { projectOrNull } from '../project/project.ref.js';
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
    lastStatus: t.exposeInt(
      'lastStatus',
      orNull('HTTP status of the last answer; null where there was none.'),
    ),
    lastError: t.exposeString('lastError', orNull('Error of the last attempt; null after a success.')),
    createdAt: t.expose('createdAt', time('Time of the event.')),
    deliveredAt: t.expose('deliveredAt', timeOrNull('Time at which the receiver accepted it.')),
    nextAttemptAt: t.expose('nextAttemptAt', timeOrNull('Earliest time of the next attempt.')),
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
    project: t.field(projectOrNull('The only project whose events it gets; null for all.')),
    leastSeverity: t.field({
      type: enumType(severity),
      nullable: true,
      description: 'Least severity of findings that its events are about; null for all.',
      resolve: ({ leastSeverity }) => (leastSeverity === null ? null : (severities[leastSeverity] ?? null)),
    }),
    isActive: t.exposeBoolean('isActive', {
      description: 'Whether it gets events. The server switches it off after three days of failures.',
    }),
    createdAt: t.expose('createdAt', time('Time of creation.')),
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
    secret: t.exposeString(
      'secret',
      orNull('Secret that verifies signatures (`whsec_…`). Shown once, at creation.'),
    ),
  }),
});

query('webhooks', [WebhookType], 'webhook:manage', {
  entries: maxWebhooks,
  description: `All webhooks, oldest first; at most ${maxWebhooks}.`,
  run: ({ webhooks }) => webhooks.list(),
});

const webhookId = idOf('Webhook');
const idText = 'Id of the webhook.';

mutation('createWebhook', WebhookPayload, 'webhook:manage', {
  description: 'Creates a webhook with a secret, which only this payload shows.',
  args: (arg) => ({ input: inputArg(arg, 'CreateWebhookInput', createWebhookInput) }),
  run: ({ webhooks }, viewer, { input }) => webhooks.create(viewer, input),
});

mutation('setWebhookActive', WebhookPayload, 'webhook:manage', {
  description: 'Switches a webhook on or off. Events that happen while it is off are not sent later.',
  args: (arg) => ({
    id: simpleArg(arg, webhookId, idText),
    isActive: arg.boolean({ required: true, description: 'Whether it gets events.' }),
  }),
  run: ({ webhooks }, viewer, { id, isActive }) => webhooks.setActive(viewer, id, isActive),
});

deletion('deleteWebhook', 'Webhook', 'webhook:manage', {
  description: 'Deletes a webhook with its delivery log.',
  id: idText,
  run: ({ webhooks }, viewer, id) => webhooks.remove(viewer, id),
});

mutation('redeliverWebhook', WebhookPayload, 'webhook:manage', {
  description: 'Sends an event again under the same id, ahead of later events about the same target.',
  args: (arg) => ({ deliveryId: simpleArg(arg, idOf('WebhookDelivery'), 'Id of the delivery.') }),
  run: ({ webhooks }, viewer, { deliveryId }) => webhooks.redeliver(viewer, deliveryId),
});
