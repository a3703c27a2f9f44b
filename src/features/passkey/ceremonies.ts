// Stores enrolments and sign-ins that have begun, in PostgreSQL, where every instance sees them. Each can be taken once.
import { createHmac } from 'node:crypto';
import { createSecret, hashOf, isSecret } from '../../infra/credentials/one-time-secret.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';

/** Time that a user has to answer the browser's question. */
export const ceremonySeconds = 5 * 60;
/** Ceremonies under way: beyond them the oldest go, so that a flood from many addresses keeps nobody from signing in. */
const maxCeremonies = 100_000;

/** The values that a ceremony is bound to. */
export interface Ceremony {
  /** The session that enrols; null for a sign-in. */
  sessionId: string | null;
  /** The handle by which the authenticator knows the user; null for a sign-in. */
  userHandle: string | null;
}

/** The secret that binds a ceremony to the page that began it, and the challenge that the authenticator signs. */
export interface Begun {
  state: string;
  challenge: string;
}

/**
 * The challenge of a ceremony, derived instead of stored. It appears in what authenticators sign; the state, which the page
 * keeps to itself, does not: an answer alone finishes no ceremony, nor does the database alone.
 */
export const challengeOf = (state: string): string =>
  createHmac('sha256', state).update('passkey challenge').digest('base64url');

/**
 * Begins a ceremony, and removes some that have expired or, beyond the limit, the oldest.
 */
export async function beginCeremony(
  db: Database,
  nowMs: number,
  { sessionId, userHandle }: Ceremony,
): Promise<Begun> {
  const state = createSecret();
  await db.query(sql`
    WITH expired AS (
      DELETE FROM passkey_ceremonies WHERE state_hash IN (
        SELECT state_hash FROM passkey_ceremonies WHERE expires_at <= (
          SELECT CASE WHEN EXISTS (SELECT FROM passkey_ceremonies OFFSET ${maxCeremonies}) THEN 'infinity'
            ELSE ${new Date(nowMs)}::timestamptz END)
        ORDER BY expires_at LIMIT 20 FOR UPDATE SKIP LOCKED)
    )
    INSERT INTO passkey_ceremonies (state_hash, session_id, user_handle, expires_at)
    VALUES (${hashOf(state)}, ${sessionId}, ${userHandle}, ${new Date(nowMs + ceremonySeconds * 1000)})`);
  return { state, challenge: challengeOf(state) };
}

/**
 * Takes a ceremony out, once.
 * @param sessionId the session that enrols; null for a sign-in
 * @returns undefined when there is none of this session, or it has expired
 */
export async function takeCeremony(
  db: Database,
  nowMs: number,
  state: string,
  sessionId: string | null,
): Promise<Ceremony | undefined> {
  if (!isSecret(state)) return undefined;
  const [row] = await db.query<Ceremony & { isExpired: boolean }>(sql`
    DELETE FROM passkey_ceremonies WHERE state_hash = ${hashOf(state)}
      AND session_id IS NOT DISTINCT FROM ${sessionId}::uuid
    RETURNING session_id AS "sessionId", user_handle AS "userHandle", expires_at <= ${new Date(nowMs)} AS "isExpired"`);
  return row === undefined || row.isExpired ? undefined : row;
}
