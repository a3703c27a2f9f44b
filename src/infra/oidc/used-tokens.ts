// Remembers tokens that may be used once, until they have expired: a copy of one is refused on every instance.

import { createHash } from 'node:crypto';
import type { Transaction } from '../postgres/database.js';
import { sql } from '../postgres/sql.js';

/**
 * Marks a token as used, and forgets some that have expired.
 * @param name the issuer and the token's jti
 * @param ttlSeconds how long the token could be used again
 * @returns whether this is its first use
 */
export async function useOnce(
  tx: Transaction,
  nowMs: number,
  name: string,
  ttlSeconds: number,
): Promise<boolean> {
  const [used] = await tx.query(sql`
    WITH expired AS (
      DELETE FROM used_tokens WHERE hash IN (
        SELECT hash FROM used_tokens WHERE expires_at <= ${new Date(nowMs)} ORDER BY expires_at LIMIT 20
        FOR UPDATE SKIP LOCKED)
    )
    INSERT INTO used_tokens (hash, expires_at)
    VALUES (${createHash('sha256').update(name).digest('base64url')}, ${new Date(nowMs + ttlSeconds * 1000)}) ON CONFLICT DO NOTHING RETURNING hash`);
  return used !== undefined;
}
