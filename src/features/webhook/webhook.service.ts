// Webhooks for admins: creating, listing, switching and deleting them, their delivery log, redelivery.
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { AppError, validationFailed } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Page, PageArgs } from '../../core/pagination.js';
import type { Viewer } from '../../core/permissions.js';
import { sealSecret } from '../../infra/credentials/sealed-secret.js';
import { faultOfUrl } from '../../infra/network-addresses.js';
import { lockKeys } from '../../infra/postgres/advisory-lock.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { fetchPage } from '../../infra/postgres/keyset-page.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import { createSender } from './sender.js';
import { type CreateWebhookInput, maxWebhooks, rankOf } from './webhook.input.js';
import {
  columns,
  deliveryColumns,
  newestFirst,
  type WebhookDeliveryRow,
  type WebhookRow,
} from './webhook.rows.js';
import { startDelivering } from './webhook.worker.js';

/** Dependencies of webhooks. */
export interface WebhookServiceOptions {
  db: Database;
  audit: AuditService;
  log: Logger;
  /** Key of the secrets in the database: 32 bytes; without it they are stored as they are. */
  key: Buffer | undefined;
  /** Whether http and private addresses are allowed. */
  isPrivateAllowed: boolean;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** A webhook, with its secret right after the creation. */
export interface WebhookChange {
  webhook: WebhookRow;
  secret: string | null;
}

/** Manages webhooks. */
export type WebhookService = ReturnType<typeof createWebhookService>;

const secretBytes = 32;

/** Creates the service. */
export function createWebhookService(options: WebhookServiceOptions) {
  const { db } = options;
  const attempts = { delivered: 0, failed: 0 };
  return {
    /** Attempts of this instance since its start. */
    attempts: () => attempts,

    /** All webhooks, oldest first. */
    list: (): Promise<WebhookRow[]> =>
      db.query(sql`SELECT ${columns} FROM webhooks ORDER BY id LIMIT ${maxWebhooks}`),

    /** @throws NOT_FOUND */
    async get(id: string): Promise<WebhookRow> {
      const [row] = await db.query<WebhookRow>(sql`SELECT ${columns} FROM webhooks WHERE id = ${id}::uuid`);
      if (row === undefined) throw new AppError('NOT_FOUND');
      return row;
    },

    /** @throws NOT_FOUND */
    async getDelivery(id: string): Promise<WebhookDeliveryRow> {
      const [row] = await db.query<WebhookDeliveryRow>(
        sql`SELECT ${deliveryColumns} FROM webhook_deliveries WHERE id = ${id}::uuid`,
      );
      if (row === undefined) throw new AppError('NOT_FOUND');
      return row;
    },

    /** One keyset page of the delivery log, newest first. @throws VALIDATION_FAILED for page arguments */
    deliveries: (webhookId: string, args: PageArgs) => listDeliveries(db, webhookId, args),

    /** See {@link createWebhook}. */
    create: (viewer: Viewer, input: CreateWebhookInput) => createWebhook(options, viewer, input),

    /** See {@link setActive}. */
    setActive: (viewer: Viewer, id: string, isActive: boolean) => setActive(options, viewer, id, isActive),

    /** Deletes a webhook with its delivery log. @throws NOT_FOUND */
    remove: (viewer: Viewer, id: string) => removeWebhook(options, viewer, id),

    /** See {@link redeliver}. */
    redeliver: (viewer: Viewer, deliveryId: string) => redeliver(options, viewer, deliveryId),

    /** See {@link startDelivering}. */
    startDelivering: () =>
      startDelivering({ ...options, attempts, sender: createSender(options.isPrivateAllowed) }),
  };
}

function listDeliveries(db: Database, webhookId: string, args: PageArgs): Promise<Page<WebhookDeliveryRow>> {
  const ofWebhook = sql`webhook_id = ${webhookId}::uuid`;
  const select = sql`SELECT ${deliveryColumns} FROM webhook_deliveries`;
  return fetchPage<WebhookDeliveryRow>(
    db.query,
    { select, conditions: [ofWebhook], order: newestFirst },
    args,
    async () => {
      const [row] = await db.query<{ count: number }>(
        sql`SELECT count(*)::int AS count FROM webhook_deliveries WHERE ${ofWebhook}`,
      );
      return row?.count ?? 0;
    },
  );
}

/**
 * Creates a webhook with a new secret, which only this result shows.
 * @throws VALIDATION_FAILED for a URL that is not allowed, and an unknown project
 * @throws CONFLICT when there are as many webhooks as allowed
 */
async function createWebhook(
  { db, audit, now, key, isPrivateAllowed }: WebhookServiceOptions,
  viewer: Viewer,
  { url, events, project, leastSeverity }: CreateWebhookInput,
): Promise<WebhookChange> {
  const fault = faultOfUrl(url, isPrivateAllowed);
  if (fault !== undefined) throw validationFailed([{ path: 'input.url', message: fault }]);
  const id = newId();
  const secret = randomBytes(secretBytes);
  const rank = leastSeverity == null ? null : rankOf(leastSeverity);
  return db.transaction(async (tx) => {
    // Serializes creations, so that the limit holds.
    await tx.query(sql`SELECT pg_advisory_xact_lock(${lockKeys.webhookCreation})`);
    const projectId = project == null ? null : await projectIdOf(tx, project);
    const [webhook] = await tx.query<WebhookRow>(sql`
      INSERT INTO webhooks (id, url, events, project_id, least_severity, secret, created_at)
      SELECT ${id}::uuid, ${url}, ${events}::text[], ${projectId}::uuid, ${rank}::smallint, ${sealSecret(id, secret, key)}::bytea,
        ${new Date(now())}::timestamptz
      WHERE (SELECT count(*) FROM webhooks) < ${maxWebhooks} RETURNING ${columns}`);
    if (webhook === undefined)
      throw new AppError('CONFLICT', {
        message: `There are ${maxWebhooks} webhooks, the most that are allowed.`,
      });
    audit.record(tx, {
      action: 'webhook.create',
      actor: viewer,
      targetType: 'Webhook',
      targetId: id,
      changes: {
        host: new URL(url).host,
        events,
        project: project ?? null,
        leastSeverity: leastSeverity ?? null,
      },
    });
    return { webhook, secret: `whsec_${secret.toString('base64')}` };
  });
}

async function projectIdOf(tx: Transaction, key: string): Promise<string> {
  const [row] = await tx.query<{ id: string }>(sql`SELECT id FROM projects WHERE key = ${key}`);
  if (row === undefined)
    throw validationFailed([{ path: 'input.project', message: 'is the key of no project' }]);
  return row.id;
}

/**
 * Switches a webhook on or off. While it is off it gets no new events; waiting ones are sent once it is on again.
 * @throws NOT_FOUND
 */
async function setActive(
  { db, audit }: WebhookServiceOptions,
  viewer: Viewer,
  id: string,
  isActive: boolean,
): Promise<WebhookChange> {
  return db.transaction(async (tx) => {
    const [webhook] = await tx.query<WebhookRow>(sql`
      UPDATE webhooks SET is_active = ${isActive}, failing_since = NULL WHERE id = ${id}::uuid RETURNING ${columns}`);
    if (webhook === undefined) throw new AppError('NOT_FOUND');
    audit.record(tx, {
      action: 'webhook.set_active',
      actor: viewer,
      targetType: 'Webhook',
      targetId: id,
      changes: { isActive },
    });
    return { webhook, secret: null };
  });
}

async function removeWebhook(
  { db, audit }: WebhookServiceOptions,
  viewer: Viewer,
  id: string,
): Promise<void> {
  await db.transaction(async (tx) => {
    const [webhook] = await tx.query<WebhookRow>(
      sql`DELETE FROM webhooks WHERE id = ${id}::uuid RETURNING ${columns}`,
    );
    if (webhook === undefined) throw new AppError('NOT_FOUND');
    audit.record(tx, {
      action: 'webhook.delete',
      actor: viewer,
      targetType: 'Webhook',
      targetId: id,
      changes: { host: new URL(webhook.url).host, events: webhook.events },
    });
  });
}

/**
 * Sends an event again, under the id that it had: at once, ahead of later ones of its target, with all attempts before it.
 * @throws NOT_FOUND
 * @throws CONFLICT while the webhook is off
 */
async function redeliver(
  { db, audit, now }: WebhookServiceOptions,
  viewer: Viewer,
  deliveryId: string,
): Promise<WebhookChange> {
  return db.transaction(async (tx) => {
    const [webhook] = await tx.query<WebhookRow>(sql`
      SELECT ${columns} FROM webhooks
      WHERE id = (SELECT webhook_id FROM webhook_deliveries WHERE id = ${deliveryId}::uuid) FOR SHARE`);
    if (webhook === undefined) throw new AppError('NOT_FOUND');
    if (!webhook.isActive)
      throw new AppError('CONFLICT', { message: 'The webhook is off: switch it on first.' });
    await tx.query(sql`
      UPDATE webhook_deliveries SET state = 'PENDING', attempts = 0, delivered_at = NULL, next_attempt_at = ${new Date(now())}
      WHERE id = ${deliveryId}::uuid`);
    audit.record(tx, {
      action: 'webhook.redeliver',
      actor: viewer,
      targetType: 'Webhook',
      targetId: webhook.id,
      changes: { deliveryId: `whd_${deliveryId}` },
    });
    return { webhook, secret: null };
  });
}
