// Advisory locks of PostgreSQL, by which one instance at a time does a background job.
import type { Statements } from './database.js';
import { sql } from './sql.js';

/** The keys of all advisory locks of the server, side by side, so that no two jobs share one by mistake. */
export const lockKeys = {
  executionReaper: 7_304_001,
  auditSeals: 7_304_002,
  webhookCreation: 7_304_004,
  retention: 7_304_005,
  settling: 7_304_006,
  findingKeeper: 7_304_007,
  removal: 7_304_008,
  unusedTexts: 7_304_009,
  /** With the hash of the address that a reset is asked for. */
  passwordReset: 7_304_010,
} as const;

/**
 * Takes a lock for the rest of the transaction, unless another one holds it. A transaction's lock also works behind a pooler,
 * which gives one session to several clients.
 * @param key of {@link lockKeys}
 * @returns whether the lock is taken
 */
export async function tryLock({ query }: Pick<Statements, 'query'>, key: number): Promise<boolean> {
  const [lock] = await query<{ isMine: boolean }>(sql`SELECT pg_try_advisory_xact_lock(${key}) AS "isMine"`);
  return lock?.isMine === true;
}
