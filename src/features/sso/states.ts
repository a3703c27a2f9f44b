// Stores started sign-ins and one-time codes in PostgreSQL, where every instance sees them. Each can be taken once.
import { createHmac } from 'node:crypto';
import { createSecret, hashOf } from '../../infra/credentials/one-time-secret.js';
import { ownsSecondFactor } from '../../infra/credentials/second-factor.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import type { IdentityProof } from '../session/create-session.service.js';

/** Time that a user has at the identity provider. */
export const signInTtlSeconds = 10 * 60;
/** Time that a frontend has to exchange its code. */
export const codeTtlSeconds = 60;
/** The same, where the user has to look for a code of the second factor. */
export const codeWithFactorTtlSeconds = 5 * 60;
/** Sign-ins under way: beyond them the oldest go, so that a flood from many addresses keeps nobody from signing in. */
const maxSignIns = 100_000;

/**
 * A secret that belongs to one sign-in of one browser. The nonce and the PKCE verifier are derived like this instead of being
 * stored: the database alone is not enough to finish a sign-in.
 */
export function deriveSecret(browserSecret: string, state: string, purpose: 'nonce' | 'verifier'): string {
  return createHmac('sha256', browserSecret).update(`${purpose} ${state}`).digest('base64url');
}

/** A started sign-in. */
export interface StartedSignIn {
  provider: string;
  browserHash: string;
  returnTo: string;
  codeChallenge: string | null;
}

/**
 * Stores a sign-in, and removes some that have expired or, beyond the limit, the oldest.
 */
export async function storeSignIn(
  db: Database,
  nowMs: number,
  state: string,
  { provider, browserHash, returnTo, codeChallenge }: StartedSignIn,
): Promise<void> {
  const at = new Date(nowMs);
  await db.query(sql`
    WITH expired AS (
      DELETE FROM oidc_sign_ins WHERE state_hash IN (
        SELECT state_hash FROM oidc_sign_ins WHERE expires_at <= (
          SELECT CASE WHEN EXISTS (SELECT FROM oidc_sign_ins OFFSET ${maxSignIns}) THEN 'infinity' ELSE ${at}::timestamptz END)
        ORDER BY expires_at LIMIT 20 FOR UPDATE SKIP LOCKED)
    )
    INSERT INTO oidc_sign_ins (state_hash, provider, browser_hash, return_to, code_challenge, expires_at)
    VALUES (${hashOf(state)}, ${provider}, ${browserHash}, ${returnTo}, ${codeChallenge},
      ${new Date(nowMs + signInTtlSeconds * 1000)})`);
}

/** Takes a sign-in out, once; undefined when there is none or it has expired. */
export async function takeSignIn(
  db: Database,
  nowMs: number,
  state: string,
): Promise<StartedSignIn | undefined> {
  const [row] = await db.query<StartedSignIn & { isExpired: boolean }>(sql`
    DELETE FROM oidc_sign_ins WHERE state_hash = ${hashOf(state)}
    RETURNING provider, browser_hash AS "browserHash", return_to AS "returnTo", code_challenge AS "codeChallenge",
      expires_at <= ${new Date(nowMs)} AS "isExpired"`);
  return row === undefined || row.isExpired ? undefined : row;
}

/** The sign-in that a code stands for, and the values that it is bound to. */
export interface CodeState extends Omit<IdentityProof, 'email'> {
  browserHash: string;
  codeChallenge: string | null;
}

/** Stores a code, together with COMMIT, and removes some that have expired. @returns the code */
export function storeCode(tx: Transaction, nowMs: number, code: CodeState): string {
  const secret = createSecret();
  tx.finally(sql`
    WITH expired AS (
      DELETE FROM sign_in_codes WHERE code_hash IN (
        SELECT code_hash FROM sign_in_codes WHERE expires_at <= ${new Date(nowMs)} ORDER BY expires_at LIMIT 20
        FOR UPDATE SKIP LOCKED)
    )
    INSERT INTO sign_in_codes (code_hash, user_id, identity_id, provider_sid, is_multi_factor, id_token, browser_hash,
      code_challenge, expires_at)
    VALUES (${hashOf(secret)}, ${code.id}, ${code.identityId}, ${code.providerSid}, ${code.isMultiFactor}, ${code.idToken},
      ${code.browserHash}, ${code.codeChallenge}, CASE WHEN NOT ${code.isMultiFactor}::boolean AND ${ownsSecondFactor(sql`${code.id}::uuid`)}
        THEN ${new Date(nowMs + codeWithFactorTtlSeconds * 1000)}::timestamptz
        ELSE ${new Date(nowMs + codeTtlSeconds * 1000)}::timestamptz END)`);
  return secret;
}

/** A code that was stored, and whose it is. */
export interface StoredCode extends CodeState {
  email: string;
  /** Whether the user has a second factor that the provider's sign-in does not stand for. */
  needsSecondFactor: boolean;
}

/** Rows of codes `t` with their users. */
const select = (codes: Sql, nowMs: number) => sql`
  SELECT u.id, u.email, i.provider, t.identity_id AS "identityId", t.provider_sid AS "providerSid",
    t.is_multi_factor AS "isMultiFactor", t.id_token AS "idToken", t.browser_hash AS "browserHash",
    t.code_challenge AS "codeChallenge", NOT t.is_multi_factor AND ${ownsSecondFactor(sql`t.user_id`)} AS "needsSecondFactor"
  FROM ${codes} t JOIN users u ON u.id = t.user_id JOIN user_identities i ON i.id = t.identity_id
  WHERE t.expires_at > ${new Date(nowMs)}`;

/** A code that has not been taken; undefined when there is none or it has expired. */
export async function findCode(db: Database, nowMs: number, code: string): Promise<StoredCode | undefined> {
  const stored = sql`(SELECT * FROM sign_in_codes WHERE code_hash = ${hashOf(code)})`;
  const [row] = await db.query<StoredCode>(select(stored, nowMs));
  return row;
}

/**
 * The statement that takes a code out, once.
 * @param isProved whether a second factor was proved; without it, a code that waits for one stays
 */
export const takingOf = (code: string, isProved: boolean): Sql => sql`
  DELETE FROM sign_in_codes WHERE code_hash = ${hashOf(code)}
    AND (${isProved}::boolean OR is_multi_factor OR NOT ${ownsSecondFactor(sql`sign_in_codes.user_id`)}) RETURNING code_hash`;
