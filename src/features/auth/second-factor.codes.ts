// Takes codes of authenticator apps and recovery codes, each once. Its callers limit the guesses.
import { createHash } from 'node:crypto';
import { Secret } from 'otpauth';
import { newId } from '../../core/ids.js';
import { unsealSecret } from '../../infra/credentials/sealed-secret.js';
import { ownsSecondFactor } from '../../infra/credentials/second-factor.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import { stepOf, totpOf } from './totp.js';

/** Dependencies of checking codes. */
export interface CodeOptions {
  /** Milliseconds since 1970. */
  now: () => number;
  /** 32 bytes that the secrets are sealed with; undefined where they are plain. */
  key: Buffer | undefined;
  issuer: string;
}

/** Number of recovery codes of a second factor. */
const recoveryCodes = 10;

/** SHA-256 of a recovery code, without regard to case and hyphens. */
function hashOfCode(code: string): Buffer {
  return createHash('sha256')
    .update(code.toLowerCase().replace(/[^a-z2-7]/g, ''))
    .digest();
}

/** New recovery codes, 80 random bits each. */
function createRecoveryCodes(): string[] {
  return Array.from({ length: recoveryCodes }, () => {
    const text = new Secret({ size: 10 }).base32.toLowerCase();
    return (text.match(/.{4}/g) as string[]).join('-');
  });
}

/** Replaces the recovery codes of a user. @returns the new ones, to be shown once */
export async function replaceRecoveryCodes(tx: Transaction, userId: string): Promise<string[]> {
  const codes = createRecoveryCodes();
  await tx.query(sql`DELETE FROM recovery_codes WHERE user_id = ${userId}`);
  for (const code of codes)
    await tx.query(sql`
      INSERT INTO recovery_codes (id, user_id, code_hash) VALUES (${newId()}, ${userId}, ${hashOfCode(code)})`);
  return codes;
}

/** Deletes the recovery codes of a user who has no second factor any more. */
export async function dropRecoveryCodes(tx: Transaction, userId: string): Promise<void> {
  await tx.query(sql`
    DELETE FROM recovery_codes WHERE user_id = ${userId} AND NOT ${ownsSecondFactor(sql`${userId}::uuid`)}`);
}

/** Takes a code of the app or a recovery code, once; returns whether it is valid. */
export async function takeCode(
  tx: Pick<Transaction, 'query'>,
  options: CodeOptions,
  userId: string,
  code: string,
): Promise<boolean> {
  if (/^\d{6}$/.test(code)) return takeAppCode(tx, options, userId, code);
  const used = await tx.query(sql`
    DELETE FROM recovery_codes WHERE user_id = ${userId} AND code_hash = ${hashOfCode(code)} RETURNING id`);
  return used.length === 1;
}

/** A taken code voids all earlier ones. */
async function takeAppCode(
  tx: Pick<Transaction, 'query'>,
  { now, key, issuer }: CodeOptions,
  userId: string,
  code: string,
): Promise<boolean> {
  const [row] = await tx.query<{ secret: Buffer }>(
    sql`SELECT secret FROM second_factors WHERE user_id = ${userId}`,
  );
  if (row === undefined) return false;
  const step = stepOf(
    totpOf(unsealSecret(userId, row.secret, key, 'SECOND_FACTOR_KEY'), issuer),
    code,
    now(),
  );
  if (step === undefined) return false;
  const taken = await tx.query(sql`
    UPDATE second_factors SET last_step = ${step} WHERE user_id = ${userId} AND last_step < ${step} RETURNING user_id`);
  return taken.length === 1;
}
