// The second factor: enrolling an authenticator app (TOTP), confirming and removing it. Codes are in second-factor.codes.ts,
// passkeys in features/passkey.
import { randomBytes } from 'node:crypto';
import { AppError } from '../../core/errors.js';
import { assertFresh, can, type Viewer } from '../../core/permissions.js';
import { sealSecret } from '../../infra/credentials/sealed-secret.js';
import { ownsSecondFactor } from '../../infra/credentials/second-factor.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { LoginThrottle } from '../../infra/rate-limiting/login-throttle.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { AuditService } from '../audit/audit.service.js';
import {
  type CodeOptions,
  dropRecoveryCodes,
  replaceRecoveryCodes,
  takeCode,
} from './second-factor.codes.js';
import { totpOf } from './totp.js';

/** Dependencies of storing and checking second factors. */
export interface SecondFactorServiceOptions extends CodeOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  /** Attempts at codes by user, apart from signing in. */
  attempts: LoginThrottle;
}

/** The secret for an authenticator app; shown once. */
export interface Enrolment {
  secret: string;
  uri: string;
}

const secretBytes = 20;

/** Enrols, confirms, checks and removes second factors. */
export type SecondFactorService = ReturnType<typeof createSecondFactorService>;

/** Creates the service. */
export function createSecondFactorService(options: SecondFactorServiceOptions) {
  const { db } = options;
  return {
    /** See {@link takeCode}. */
    take: (tx: Pick<Transaction, 'query'>, userId: string, code: string) =>
      takeCode(tx, options, userId, code),

    /** See {@link replaceRecoveryCodes}. */
    replaceRecoveryCodes,

    /** See {@link dropRecoveryCodes}. */
    dropRecoveryCodes,

    /** Whether each user has a confirmed app or a passkey. */
    async ofEach(userIds: readonly string[]): Promise<boolean[]> {
      const rows = await db.query<{ userId: string }>(sql`
        SELECT u.id AS "userId" FROM unnest(${[...userIds]}::uuid[]) AS u(id) WHERE ${ownsSecondFactor(sql`u.id`)}`);
      const having = new Set(rows.map(({ userId }) => userId));
      return userIds.map((id) => having.has(id));
    },

    /**
     * Creates a secret for the viewer's app; it takes effect once a code has confirmed it.
     * @throws REAUTHENTICATION_REQUIRED
     * @throws CONFLICT when the viewer has a confirmed one
     */
    enrol: (viewer: Viewer) => enrol(options, viewer),

    /**
     * Confirms the second factor.
     * @returns recovery codes, shown once
     * @throws INVALID_CREDENTIALS for a wrong code
     * @throws CONFLICT when there is nothing to confirm
     */
    confirm: (viewer: Viewer, code: string) => confirm(options, viewer, code),

    /**
     * Removes the viewer's own app, with a code; or, with user:update, app and passkeys of a user who lost them.
     * @returns the user's id
     * @throws REAUTHENTICATION_REQUIRED
     * @throws INVALID_CREDENTIALS for a wrong code
     * @throws FORBIDDEN
     */
    remove: (viewer: Viewer, userId: string | undefined, code: string | undefined) =>
      remove(options, viewer, userId, code),
  };
}

async function enrol(
  { db, audit, now, key, issuer }: SecondFactorServiceOptions,
  viewer: Viewer,
): Promise<Enrolment> {
  assertFresh(viewer, now());
  const { userId } = viewer;
  const secret = randomBytes(secretBytes);
  await db.transaction(async (tx) => {
    const rows = await tx.query(sql`
      INSERT INTO second_factors (user_id, secret, created_at)
      VALUES (${userId}, ${sealSecret(userId, secret, key)}, ${new Date(now())})
      ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at, last_step = 0
      WHERE second_factors.confirmed_at IS NULL RETURNING user_id`);
    if (rows.length === 0)
      throw new AppError('CONFLICT', { message: 'You have a second factor: remove it first.' });
    audit.record(tx, { action: 'second_factor.enrol', actor: viewer, targetType: 'User', targetId: userId });
  });
  const totp = totpOf(secret, issuer, viewer.email);
  return { secret: totp.secret.base32, uri: totp.toString() };
}

async function confirm(options: SecondFactorServiceOptions, viewer: Viewer, code: string): Promise<string[]> {
  const { db, events, audit, now } = options;
  assertFresh(viewer, now());
  if (await isConfirmed(db, viewer.userId))
    throw new AppError('CONFLICT', { message: 'The second factor is confirmed already.' });
  await spendCode(options, viewer, code, 'second_factor.confirm');
  return db.transaction(async (tx) => {
    const confirmed = await tx.query(sql`
      UPDATE second_factors SET confirmed_at = ${new Date(now())}
      WHERE user_id = ${viewer.userId} AND confirmed_at IS NULL RETURNING user_id`);
    if (confirmed.length === 0) throw new AppError('CONFLICT');
    const codes = await replaceRecoveryCodes(tx, viewer.userId);
    audit.record(tx, {
      action: 'second_factor.confirm',
      actor: viewer,
      targetType: 'User',
      targetId: viewer.userId,
    });
    tx.afterCommit(() => events.publish('user.changed', { userId: viewer.userId }));
    return codes;
  });
}

async function remove(
  options: SecondFactorServiceOptions,
  viewer: Viewer,
  userId: string | undefined,
  code: string | undefined,
): Promise<string> {
  assertFresh(viewer, options.now());
  if (userId !== undefined && userId !== viewer.userId) {
    if (!can(viewer, 'user:update')) throw new AppError('FORBIDDEN');
    await removeOf(options, viewer, userId, true);
    return userId;
  }
  if (await isConfirmed(options.db, viewer.userId))
    await spendCode(options, viewer, code ?? '', 'second_factor.remove');
  await removeOf(options, viewer, viewer.userId, false);
  return viewer.userId;
}

async function removeOf(
  { db, events, audit }: SecondFactorServiceOptions,
  viewer: Viewer,
  userId: string,
  withPasskeys: boolean,
): Promise<void> {
  await db.transaction(async (tx) => {
    const apps = await tx.query(sql`DELETE FROM second_factors WHERE user_id = ${userId} RETURNING user_id`);
    const passkeys = await tx.query<{ name: string }>(
      sql`DELETE FROM passkeys WHERE user_id = ${userId} AND ${withPasskeys}::boolean RETURNING name`,
    );
    await dropRecoveryCodes(tx, userId);
    if (apps.length + passkeys.length === 0) return;
    audit.record(tx, {
      action: 'second_factor.remove',
      actor: viewer,
      targetType: 'User',
      targetId: userId,
      ...(passkeys.length > 0 && { changes: { passkeys: passkeys.map(({ name }) => name) } }),
    });
    tx.afterCommit(() => events.publish('user.changed', { userId }));
  });
}

async function isConfirmed(db: Database, userId: string): Promise<boolean> {
  const rows = await db.query(
    sql`SELECT user_id FROM second_factors WHERE user_id = ${userId} AND confirmed_at IS NOT NULL`,
  );
  return rows.length === 1;
}

/** Takes a code of the viewer's app or a recovery code, within the limits on guessing. @throws INVALID_CREDENTIALS */
function spendCode(
  options: SecondFactorServiceOptions,
  viewer: Viewer,
  code: string,
  action: string,
): Promise<void> {
  const { db, audit, attempts } = options;
  const about = { actor: viewer, targetType: 'User' as const, targetId: viewer.userId };
  return attempts.attempt(
    viewer.userId,
    async (isAllowed) => {
      if (isAllowed && (await takeCode(db, options, viewer.userId, code))) return;
      await audit.recordAlone({ action, outcome: 'FAILURE', ...about });
      throw new AppError('INVALID_CREDENTIALS', { message: 'The code is wrong or was used.' });
    },
    () =>
      audit.recordAlone({
        action: 'auth.lock',
        outcome: 'DENIED',
        ...about,
        changes: { guessed: 'second_factor' },
      }),
  );
}
