// Reports API keys that end within a week, once each: an audit event and a webhook event, so that a job does not fail unawares.
import { sql } from '../../infra/postgres/sql.js';
import type { ApiKeyServiceOptions } from './api-key.storage.js';

const everyMs = 10 * 60_000;
const firstMs = 5000;
const noticeMs = 7 * 86_400_000;
const batch = 100;

/** Looks for such keys soon and then every ten minutes; returns a function that stops it. */
export function startExpiryNotices(options: ApiKeyServiceOptions): () => Promise<void> {
  let turn: Promise<unknown> = Promise.resolve();
  const notice = (): void => {
    turn = turn
      .then(() => noticeExpiring(options))
      .catch((error: unknown) => options.log.warn({ event: 'api_key_notices_failed', err: error }));
  };
  const first = setTimeout(notice, firstMs);
  const timer = setInterval(notice, everyMs);
  return async () => {
    clearTimeout(first);
    clearInterval(timer);
    await turn;
  };
}

/**
 * Reports keys that end within a week, made for longer and not replaced.
 * @returns their number
 */
export async function noticeExpiring({
  db,
  audit,
  now,
  reportExpiringKeys,
}: ApiKeyServiceOptions): Promise<number> {
  const at = new Date(now());
  const until = new Date(now() + noticeMs);
  let total = 0;
  for (let found = batch; found === batch; total += found)
    found = await db.transaction(async (tx) => {
      const keys = await tx.query<{ id: string }>(sql`
        WITH ending AS (
          SELECT id FROM api_keys
          WHERE revoked_at IS NULL AND replaced_by_id IS NULL AND expiry_reported_at IS NULL
            AND expires_at > ${at} AND expires_at <= ${until} AND created_at < expires_at - ${noticeMs / 1000} * interval '1 second'
          ORDER BY expires_at LIMIT ${batch} FOR UPDATE SKIP LOCKED
        )
        UPDATE api_keys AS key SET expiry_reported_at = ${at} FROM ending WHERE key.id = ending.id RETURNING key.id`);
      const ids = keys.map(({ id }) => id);
      if (ids.length === 0) return 0;
      await reportExpiringKeys(tx, ids, at);
      for (const id of ids)
        audit.record(tx, {
          action: 'api_key.expiring',
          actor: null,
          actorLabel: 'system',
          targetType: 'ApiKey',
          targetId: id,
        });
      return ids.length;
    });
  return total;
}
