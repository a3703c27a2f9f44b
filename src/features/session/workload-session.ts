// Opens sessions for workloads: limited to scopes, never refreshed, and gone when they have expired.
import { newId } from '../../core/ids.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';

/** A session of a workload. */
export interface WorkloadSession {
  /** The service account. */
  userId: string;
  trustId: string;
  scopes: readonly string[];
  expiresAtMs: number;
}

/** Live sessions of one trust rule; beyond them the next workload has to wait. */
const maxPerTrust = 1000;

/**
 * Opens a session, and forgets some of the rule's that have expired. The caller holds the rule's lock.
 * @returns its id; undefined when the rule has as many as allowed
 */
export async function openWorkloadSession(
  tx: Transaction,
  nowMs: number,
  { userId, trustId, scopes, expiresAtMs }: WorkloadSession,
): Promise<string | undefined> {
  const [at, end, request] = [new Date(nowMs), new Date(expiresAtMs), currentRequest()];
  const [opened] = await tx.query<{ id: string }>(sql`
    WITH expired AS (
      DELETE FROM sessions WHERE id IN (
        SELECT id FROM sessions WHERE workload_trust_id = ${trustId} AND expires_at <= ${at}
        ORDER BY expires_at LIMIT 20 FOR UPDATE SKIP LOCKED)
    )
    INSERT INTO sessions (id, user_id, counter, rotated_at, created_at, last_used_at, idle_expires_at, expires_at, ip, user_agent,
      workload_trust_id, scopes)
    SELECT ${newId()}::uuid, ${userId}::uuid, 0, ${at}::timestamptz, ${at}::timestamptz, ${at}::timestamptz, ${end}::timestamptz,
      ${end}::timestamptz, ${request?.ip ?? null}::text, ${request?.userAgent ?? null}::text, ${trustId}::uuid, ${[...scopes]}::text[]
    WHERE (SELECT count(*) FROM sessions
      WHERE workload_trust_id = ${trustId} AND revoked_at IS NULL AND expires_at > ${at}) < ${maxPerTrust}
    RETURNING id`);
  return opened?.id;
}
