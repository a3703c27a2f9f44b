// Enrols passkeys: begins with options for the browser, and stores the credential that an authenticator has made.
import { AppError } from '../../core/errors.js';
import { newId, toPublicId } from '../../core/ids.js';
import { assertFresh, type Viewer } from '../../core/permissions.js';
import type { Passkey } from '../../generated/prisma/client.js';
import { createSecret } from '../../infra/credentials/one-time-secret.js';
import { ownsSecondFactor } from '../../infra/credentials/second-factor.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { sql } from '../../infra/postgres/sql.js';
import { beginCeremony, takeCeremony } from './ceremonies.js';
import type { ConfirmPasskeyInput } from './passkey.input.js';
import { maxPasskeys, type PasskeyServiceOptions } from './passkey.options.js';
import { reasonOf } from './prove.js';
import { type CredentialName, creationOptions, type NewCredential, verifyEnrolment } from './webauthn.js';

/** See {@link PasskeyService}. @throws REAUTHENTICATION_REQUIRED, CONFLICT */
export async function enrolPasskey({ db, party, now }: PasskeyServiceOptions, viewer: Viewer) {
  assertFresh(viewer, now());
  const { email, name, sessionId = null } = viewer;
  const existing = await db.query<CredentialName & { userHandle: string }>(sql`
    SELECT credential_id AS "credentialId", transports, user_handle AS "userHandle" FROM passkeys
    WHERE user_id = ${viewer.userId}`);
  assertRoom(existing.length);
  const userHandle = existing[0]?.userHandle ?? createSecret();
  const { state, challenge } = await beginCeremony(db, now(), { sessionId, userHandle });
  return { state, options: creationOptions(party, challenge, { handle: userHandle, email, name }, existing) };
}

/** See {@link PasskeyService}. @throws REAUTHENTICATION_REQUIRED, INVALID_CREDENTIALS, CONFLICT */
export async function confirmPasskey(
  options: PasskeyServiceOptions,
  viewer: Viewer,
  input: ConfirmPasskeyInput,
): Promise<{ passkey: Passkey; recoveryCodes: string[] }> {
  const { db, now } = options;
  assertFresh(viewer, now());
  const made = await verified(options, viewer, input);
  const { transports = [] } = input.response.response;
  const stored = { ...made, name: input.name, transports };
  const { id, recoveryCodes } = await db
    .transaction((tx) => store(options, tx, viewer, stored))
    .catch((error: unknown) => {
      if (!violates(error, 'passkeys_credential_id_key')) throw error;
      throw new AppError('CONFLICT', { message: 'This passkey is enrolled already.' });
    });
  return { passkey: await db.prisma.passkey.findUniqueOrThrow({ where: { id } }), recoveryCodes };
}

type Verified = NewCredential & { userHandle: string };

/** @throws INVALID_CREDENTIALS */
async function verified(
  { db, now, party, audit, log }: PasskeyServiceOptions,
  viewer: Viewer,
  { state, response }: ConfirmPasskeyInput,
): Promise<Verified> {
  const ceremony = await takeCeremony(db, now(), state, viewer.sessionId ?? null);
  const userHandle = ceremony?.userHandle ?? undefined;
  const outcome =
    userHandle === undefined
      ? { refusal: 'no enrolment of this session' }
      : await verifyEnrolment(party, state, response);
  if (userHandle !== undefined && !('refusal' in outcome)) return { ...outcome, userHandle };
  log.warn({ event: 'passkey_refused', reason: reasonOf(outcome) }, 'an answer to an enrolment is not valid');
  const about = { actor: viewer, targetType: 'User' as const, targetId: viewer.userId };
  await audit.recordAlone({ action: 'passkey.create', outcome: 'FAILURE', ...about });
  throw new AppError('INVALID_CREDENTIALS', {
    message: 'The passkey was not accepted, or the answer came after five minutes: try again.',
  });
}

/** @throws CONFLICT beyond the limit */
async function store(
  { audit, events, now, secondFactors }: PasskeyServiceOptions,
  tx: Transaction,
  viewer: Viewer,
  made: Verified & { name: string; transports: string[] },
): Promise<{ id: string; recoveryCodes: string[] }> {
  const { userId } = viewer;
  // Against other enrolments at the same time.
  await tx.query(sql`SELECT id FROM users WHERE id = ${userId} FOR UPDATE`);
  const [before] = await tx.query<{ count: number; isProtected: boolean }>(sql`
    SELECT (SELECT count(*)::int FROM passkeys WHERE user_id = u.id) AS count, ${ownsSecondFactor(sql`u.id`)} AS "isProtected"
    FROM (SELECT ${userId}::uuid AS id) AS u`);
  assertRoom(before?.count ?? 0);
  const id = newId();
  await tx.query(sql`
    INSERT INTO passkeys (id, user_id, credential_id, public_key, counter, user_handle, name, transports, is_synced, created_at)
    VALUES (${id}, ${userId}, ${made.credentialId}, ${Buffer.from(made.publicKey)}, ${made.counter}, ${made.userHandle},
      ${made.name}, ${made.transports}, ${made.isSynced}, ${new Date(now())})`);
  const recoveryCodes = before?.isProtected ? [] : await secondFactors.replaceRecoveryCodes(tx, userId);
  audit.record(tx, {
    action: 'passkey.create',
    actor: viewer,
    targetType: 'User',
    targetId: userId,
    changes: { passkey: toPublicId('Passkey', id), name: made.name },
  });
  tx.afterCommit(() => events.publish('user.changed', { userId }));
  return { id, recoveryCodes };
}

/** @throws CONFLICT */
function assertRoom(count: number): void {
  if (count >= maxPasskeys)
    throw new AppError('CONFLICT', { message: `You have ${maxPasskeys} passkeys, which is the maximum.` });
}
