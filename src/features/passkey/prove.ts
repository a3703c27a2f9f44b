// Proves a user by the answer of a passkey: the challenge is taken, the signature verified, the counter raised, each once.
import { toPublicId } from '../../core/ids.js';
import { sql } from '../../infra/postgres/sql.js';
import { takeCeremony } from './ceremonies.js';
import type { PasskeyProof } from './passkey.input.js';
import type { PasskeyServiceOptions } from './passkey.options.js';
import { type VerifiedAssertion, verifyAssertion } from './webauthn.js';

/** A passkey that has proved its user. */
export interface ProvedPasskey {
  id: string;
  userId: string;
}

interface StoredPasskey extends ProvedPasskey {
  publicKey: Buffer;
  userHandle: string;
  email: string;
}

/** The reason of a refusal as it is logged: it may have text of the caller's in it. */
export const reasonOf = (outcome: object): string =>
  'refusal' in outcome ? String(outcome.refusal).slice(0, 200).replace(/\p{C}/gu, '') : 'unknown';

/** See {@link PasskeyService}. @returns undefined for an answer that is not valid */
export async function provePasskey(
  options: PasskeyServiceOptions,
  { state, response }: PasskeyProof,
): Promise<ProvedPasskey | undefined> {
  const { db, now, party, log } = options;
  const refuse = (refusal: string) => {
    log.warn(
      { event: 'passkey_refused', reason: reasonOf({ refusal }) },
      'an answer of a passkey is not valid',
    );
    return undefined;
  };
  // Also for a wrong answer: a challenge has one.
  if ((await takeCeremony(db, now(), state, null)) === undefined) return refuse('no sign-in with this state');
  const [passkey] = await db.query<StoredPasskey>(sql`
    SELECT k.id, k.user_id AS "userId", k.public_key AS "publicKey", k.user_handle AS "userHandle", u.email
    FROM passkeys k JOIN users u ON u.id = k.user_id WHERE k.credential_id = ${response.id}`);
  if (passkey === undefined) return refuse('an unknown passkey');
  if (response.response.userHandle !== passkey.userHandle) return refuse('the passkey of another user');
  const outcome = await verifyAssertion(party, state, response, passkey.publicKey);
  if ('refusal' in outcome) return refuse(outcome.refusal);
  if (!(await raiseCounter(options, passkey, outcome))) return refuse('the counter went back');
  return { id: passkey.id, userId: passkey.userId };
}

/**
 * Stores the counter where it grows, in one statement; authenticators that do not count stay at 0. One that went back was
 * copied, or this answer was held back.
 */
async function raiseCounter(
  { db, audit, now }: PasskeyServiceOptions,
  { id, userId, email }: StoredPasskey,
  { counter, isSynced }: VerifiedAssertion,
): Promise<boolean> {
  const raised = await db.query(sql`
    UPDATE passkeys SET counter = ${counter}, is_synced = ${isSynced}, last_used_at = ${new Date(now())}
    WHERE id = ${id} AND (counter < ${counter}::bigint OR (counter = 0 AND ${counter}::bigint = 0)) RETURNING id`);
  if (raised.length === 1) return true;
  await audit.recordAlone({
    action: 'passkey.reuse',
    outcome: 'DENIED',
    actor: null,
    actorLabel: email,
    targetType: 'User',
    targetId: userId,
    changes: { passkey: toPublicId('Passkey', id), counter },
  });
  return false;
}
