// Delivers events to webhooks: at least once, in order for each target and so for each finding, with growing pauses after
// failures. Instances share the work: each webhook is held by one of them at a time.
import { randomInt } from 'node:crypto';
import type { Logger } from 'pino';
import { toPublicId } from '../../core/ids.js';
import { unsealSecret } from '../../infra/credentials/sealed-secret.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import type { Attempt, Sender } from './sender.js';
import { chainsOf, type Waiting } from './webhook.chains.js';

/** Dependencies of making deliveries. */
export interface DeliveryOptions {
  db: Database;
  audit: AuditService;
  log: Logger;
  sender: Sender;
  /** Attempts since the start. */
  attempts: Attempts;
  /** Key of the secrets; see {@link unsealSecret}. */
  key: Buffer | undefined;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Attempts by outcome. */
export interface Attempts {
  delivered: number;
  failed: number;
}

interface HeldWebhook {
  id: string;
  url: string;
  secret: Buffer;
}

/** Seconds between the attempts of a delivery: eleven attempts within 24 hours. */
const pauses = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800];
/** Time of failures without a success after which a webhook is switched off. */
const switchOffMs = 3 * 86_400_000;
/** Longest time that an instance holds a webhook; longer than a turn and the last attempt in it take. */
const leaseMs = 60_000;
/** After this time a turn ends, so that the other webhooks get theirs. */
const turnMs = 20_000;
/** Deliveries that are looked at, and sent, before the server looks for newer ones. */
const windowSize = 1000;
const batchSize = 200;
/** Requests to a webhook at the same time, of different targets. */
const maxAtOnce = 8;
/** Shortest pause of a webhook whose attempts of a turn have all failed. */
const restMs = 5000;
/** Longest time before deliveries are noted, in milliseconds: as many are repeated after a crash. */
const noteEveryMs = 1000;

/**
 * Holds due webhooks for this instance.
 * @returns up to `limit` webhooks, each with a delivery that is due
 */
export function holdDue({ db, now }: DeliveryOptions, limit: number): Promise<HeldWebhook[]> {
  const at = new Date(now());
  return db.query<HeldWebhook>(sql`
    UPDATE webhooks SET leased_until = ${new Date(at.getTime() + leaseMs)}
    WHERE id IN (
      SELECT webhook.id FROM webhooks AS webhook CROSS JOIN LATERAL (
        SELECT next_attempt_at FROM webhook_deliveries
        WHERE webhook_id = webhook.id AND state = 'PENDING' AND next_attempt_at <= ${at} ORDER BY next_attempt_at LIMIT 1
      ) AS next
      WHERE webhook.is_active AND (webhook.leased_until IS NULL OR webhook.leased_until < ${at})
      ORDER BY next.next_attempt_at LIMIT ${limit} FOR UPDATE OF webhook SKIP LOCKED
    ) RETURNING id, url, secret`);
}

/**
 * Delivers what is due to a webhook that this instance holds, for up to 20 seconds or until nothing succeeds, and lets go of it.
 * A failure holds up only later events of the same target.
 */
export async function deliverTo(
  options: DeliveryOptions,
  webhook: HeldWebhook,
  stopped: AbortSignal,
): Promise<void> {
  const { db, log, now } = options;
  const until = performance.now() + turnMs;
  const isOver = () => performance.now() > until || stopped.aborted;
  let hasFailed = false;
  try {
    while (!isOver() && !hasFailed) {
      const chains = beginningsOf(chainsOf(await readWaiting(options, webhook.id)));
      if (chains.length === 0) break;
      const { delivered, failed } = await deliverChains(options, webhook, chains, isOver);
      hasFailed = failed > 0 && delivered === 0;
    }
  } catch (error) {
    log.warn({ event: 'webhook_turn_failed', webhookId: webhook.id, err: error });
  } finally {
    const rest = hasFailed ? new Date(now() + restMs) : null;
    await db.query(
      sql`UPDATE webhooks SET leased_until = ${rest}::timestamptz WHERE id = ${webhook.id}::uuid`,
    );
  }
}

function readWaiting({ db, now }: DeliveryOptions, webhookId: string): Promise<Waiting[]> {
  return db.query<Waiting>(sql`
    SELECT delivery.id, order_key AS "orderKey", attempts, next_attempt_at <= ${new Date(now())} AS "isDue"
    FROM webhook_deliveries AS delivery JOIN webhooks AS webhook ON webhook.id = webhook_id AND webhook.is_active
    WHERE webhook_id = ${webhookId}::uuid AND state = 'PENDING' ORDER BY number LIMIT ${windowSize}`);
}

/** The beginnings of chains, a batch in all. */
function beginningsOf(chains: Waiting[][]): Waiting[][] {
  const some = chains.slice(0, batchSize);
  const each = Math.ceil(batchSize / Math.max(some.length, 1));
  return some.map((chain) => chain.slice(0, each));
}

/** Sends chains beside each other, the deliveries of each in order; a failure ends its chain. */
async function deliverChains(
  options: DeliveryOptions,
  { id, url, secret }: HeldWebhook,
  chains: readonly Waiting[][],
  isOver: () => boolean,
): Promise<{ delivered: number; failed: number }> {
  const { sender, key, now } = options;
  const signing = unsealSecret(id, secret, key, 'WEBHOOK_KEY');
  const bodies = await readBodies(options, chains.flat());
  const notes = createNotes(options, id);
  let failed = 0;
  const send = async (delivery: Waiting): Promise<boolean> => {
    const { status, error } = await sender.send({
      url,
      secret: signing,
      id: toPublicId('WebhookDelivery', delivery.id),
      body: bodies.get(delivery.id) ?? '{}',
      timestamp: Math.floor(now() / 1000),
    });
    options.attempts[error === undefined ? 'delivered' : 'failed'] += 1;
    if (error === undefined) await notes.add({ id: delivery.id, status: status ?? 0 });
    else {
      failed += 1;
      await noteFailure(options, id, delivery, { error, ...(status !== undefined && { status }) });
    }
    return error === undefined;
  };
  const left = [...chains];
  const work = async () => {
    for (let chain = left.shift(); chain !== undefined && !isOver(); chain = left.shift())
      for (const delivery of chain) if (isOver() || !(await send(delivery))) break;
  };
  try {
    await Promise.all(Array.from({ length: maxAtOnce }, work));
  } finally {
    await notes.write();
  }
  return { delivered: notes.count(), failed };
}

async function readBodies(
  { db }: DeliveryOptions,
  waiting: readonly Waiting[],
): Promise<Map<string, string>> {
  const rows = await db.query<{ id: string; body: string }>(sql`
    SELECT id, payload::text AS body FROM webhook_deliveries WHERE id = ANY(${waiting.map(({ id }) => id)}::uuid[])`);
  return new Map(rows.map(({ id, body }) => [id, body]));
}

/** Collects what was delivered, and writes it together: after a second at the latest, so that a crash repeats no more. */
function createNotes(options: DeliveryOptions, webhookId: string) {
  let delivered: { id: string; status: number }[] = [];
  let count = 0;
  let writtenAt = performance.now();
  const write = async () => {
    const batch = delivered;
    delivered = [];
    writtenAt = performance.now();
    await noteDelivered(options, webhookId, batch);
  };
  return {
    async add(one: { id: string; status: number }): Promise<void> {
      delivered.push(one);
      count += 1;
      if (performance.now() - writtenAt > noteEveryMs) await write();
    },
    write,
    count: () => count,
  };
}

async function noteDelivered(
  { db, now }: DeliveryOptions,
  webhookId: string,
  delivered: readonly { id: string; status: number }[],
): Promise<void> {
  if (delivered.length === 0) return;
  const ids = delivered.map(({ id }) => id);
  const statuses = delivered.map(({ status }) => status);
  await db.query(sql`
    WITH noted AS (
      UPDATE webhook_deliveries AS delivery SET state = 'DELIVERED', attempts = attempts + 1, last_status = done.status,
        last_error = NULL, delivered_at = ${new Date(now())}, next_attempt_at = NULL
      FROM unnest(${ids}::uuid[], ${statuses}::int[]) AS done(id, status) WHERE delivery.id = done.id
    )
    UPDATE webhooks SET failing_since = NULL WHERE id = ${webhookId}::uuid AND failing_since IS NOT NULL`);
}

/** Notes a failure; after three days of them, or an answer 410, the webhook is switched off. */
async function noteFailure(
  { db, audit, log, now }: DeliveryOptions,
  webhookId: string,
  { id, attempts }: Waiting,
  { status, error }: Attempt,
): Promise<void> {
  const at = new Date(now());
  const pause = pauses[attempts];
  const next =
    pause === undefined ? null : new Date(at.getTime() + pause * 1000 * (1 + randomInt(1000) / 10_000));
  log.info({ event: 'webhook_failed', webhookId, deliveryId: id, status, reason: error });
  await db.transaction(async (tx) => {
    await tx.query(sql`
      UPDATE webhook_deliveries SET attempts = attempts + 1, last_status = ${status ?? null}::int, last_error = ${error},
        state = ${next === null ? 'FAILED' : 'PENDING'}::webhook_delivery_state, next_attempt_at = ${next}::timestamptz
      WHERE id = ${id}::uuid`);
    const [webhook] = await tx.query<{ isActive: boolean }>(sql`
      UPDATE webhooks SET failing_since = coalesce(failing_since, ${at}::timestamptz),
        is_active = is_active AND ${status !== 410} AND coalesce(failing_since > ${new Date(at.getTime() - switchOffMs)}, true)
      WHERE id = ${webhookId}::uuid AND is_active RETURNING is_active AS "isActive"`);
    if (webhook?.isActive === false)
      audit.record(tx, {
        action: 'webhook.switch_off',
        outcome: 'FAILURE',
        actor: null,
        actorLabel: 'system',
        targetType: 'Webhook',
        targetId: webhookId,
        changes: { reason: error },
      });
  });
}
