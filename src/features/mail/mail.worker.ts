// Drives the delivery of mails of this instance in the background, and clears what has ended.
import { repeat } from '../../core/repeat.js';
import { sql } from '../../infra/postgres/sql.js';
import { deliver, holdDue, type MailDeliveryOptions } from './mail.delivery.js';

const everyMs = 1000;
/** Mails that an instance sends at the same time: a mail server that hangs holds up no more than these. */
const maxAtOnce = 4;
/** Time that attempts under way have to end when the server stops. */
const graceMs = 2000;
/** Days that mails are kept which were sent or given up. */
const keepDays = 30;
const clearEveryMs = 60_000;
const clearBatch = 1000;

/** Sends due mails from now on; returns a function that stops after a moment for the attempts that are under way. */
export function startMailing(options: MailDeliveryOptions): () => Promise<void> {
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  let clearedAt = 0;
  const warn = (error: unknown) => options.log.warn({ event: 'mails_failed', err: error });

  const look = async (): Promise<void> => {
    for (let room = maxAtOnce - running.size; room > 0; room = maxAtOnce - running.size) {
      const held = await holdDue(options, room);
      for (const mail of held) {
        const turn = deliver(options, mail, stopping.signal)
          .catch(warn)
          .finally(() => running.delete(turn));
        running.add(turn);
      }
      if (held.length < room || stopping.signal.aborted) break;
      await Promise.race(running);
    }
    if (performance.now() - clearedAt < clearEveryMs) return;
    clearedAt = performance.now();
    await clearEnded(options);
  };
  const stopLooking = repeat(everyMs, look, warn);
  return async () => {
    const timer = setTimeout(() => stopping.abort(), graceMs);
    await stopLooking();
    await Promise.all(running);
    clearTimeout(timer);
  };
}

async function clearEnded({ db, now }: MailDeliveryOptions): Promise<void> {
  const before = new Date(now() - keepDays * 86_400_000);
  await db.query(sql`
    DELETE FROM mails WHERE id IN (
      SELECT id FROM mails WHERE created_at < ${before} AND state <> 'PENDING' ORDER BY created_at LIMIT ${clearBatch})`);
  await db.query(sql`
    DELETE FROM password_links WHERE id IN (
      SELECT id FROM password_links WHERE expires_at < ${new Date(now())} LIMIT ${clearBatch} FOR UPDATE SKIP LOCKED)`);
}
