// Drives the deliveries of this instance in the background, and clears the delivery log of what is old.
import { repeat } from '../../core/repeat.js';
import { sql } from '../../infra/postgres/sql.js';
import { type DeliveryOptions, deliverTo, holdDue } from './webhook.delivery.js';

const everyMs = 500;
/** Webhooks that an instance delivers to at the same time. */
const maxAtOnce = 8;
/** Days that the log keeps deliveries that have ended. */
const keepDays = 30;
const clearEveryMs = 60_000;
const clearBatch = 1000;

/** Delivers due events twice a second from now on; returns a function that stops after the attempts that are under way. */
export function startDelivering(options: DeliveryOptions): () => Promise<void> {
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  let clearedAt = 0;

  const look = async (): Promise<void> => {
    const room = maxAtOnce - running.size;
    const held = room > 0 ? await holdDue(options, room) : [];
    for (const webhook of held) {
      const turn = deliverTo(options, webhook, stopping.signal)
        .catch(warn)
        .finally(() => running.delete(turn));
      running.add(turn);
    }
    if (performance.now() - clearedAt < clearEveryMs) return;
    clearedAt = performance.now();
    await clearLog(options);
  };
  const warn = (error: unknown) => options.log.warn({ event: 'webhooks_failed', err: error });
  const stopLooking = repeat(everyMs, look, warn);
  return async () => {
    stopping.abort();
    await stopLooking();
    await Promise.all(running);
    options.sender.close();
  };
}

async function clearLog({ db, now }: DeliveryOptions): Promise<void> {
  const before = new Date(now() - keepDays * 86_400_000);
  await db.query(sql`
    DELETE FROM webhook_deliveries WHERE id IN (
      SELECT id FROM webhook_deliveries WHERE created_at < ${before} AND state <> 'PENDING' ORDER BY created_at LIMIT ${clearBatch})`);
}
