// The second factor: an authenticator app (TOTP, RFC 6238) and one-time recovery codes. Guessing is bounded by the
// callers, with the limits of passwords.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';
import { AppError } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import { assertFresh, can, type Viewer } from '../../core/permissions.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AttemptLock } from '../../infra/rate-limiting/login-throttle.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { AuditService } from '../audit/audit.service.js';

interface SecondFactorServiceOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  /** Codes tried by user, apart from sign-in. */
  attempts: AttemptLock;
  now: () => number;
  /** 32 bytes that encrypt the secrets in the database; without them they are kept as they are. */
  key: Buffer | undefined;
  /** How the app calls the account's owner. */
  issuer: string;
}

/** What the app needs to know; shown once. */
export interface Enrolment {
  secret: string;
  uri: string;
}

const periodSeconds = 30;
/** Codes of the step before and after are good too: clocks differ. */
const window = 1;
const secretBytes = 20;
const recoveryCodes = 10;

const hashOf = (code: string) =>
  createHash('sha256')
    .update(code.toLowerCase().replace(/[^a-z2-7]/g, ''))
    .digest();

export type SecondFactorService = ReturnType<typeof createSecondFactorService>;

export function createSecondFactorService(options: SecondFactorServiceOptions) {
  const { db, events, audit, attempts, now, key, issuer } = options;

  /** First byte: 0 as it is, 1 AES-256-GCM (nonce, tag, text), bound to the user. */
  function seal(userId: string, secret: Buffer): Buffer {
    if (key === undefined) return Buffer.concat([Buffer.of(0), secret]);
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(userId));
    const text = Buffer.concat([cipher.update(secret), cipher.final()]);
    return Buffer.concat([Buffer.of(1), nonce, cipher.getAuthTag(), text]);
  }

  function unseal(userId: string, sealed: Buffer): Buffer {
    if (sealed[0] === 0) return sealed.subarray(1);
    if (key === undefined)
      throw new Error('SECOND_FACTOR_KEY is needed: second factors are encrypted with it');
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 13))
      .setAAD(Buffer.from(userId))
      .setAuthTag(sealed.subarray(13, 29));
    return Buffer.concat([decipher.update(sealed.subarray(29)), decipher.final()]);
  }

  const totpOf = (secret: Buffer, label = '') =>
    new TOTP({
      issuer,
      label,
      period: periodSeconds,
      digits: 6,
      algorithm: 'SHA1',
      secret: new Secret({ buffer: new Uint8Array(secret).buffer }),
    });

  /** Takes a code of the app, once; older ones are void from then on. */
  async function takeCode(tx: Pick<Transaction, 'query'>, userId: string, code: string): Promise<boolean> {
    const [row] = await tx.query<{ secret: Buffer }>(
      sql`SELECT secret FROM second_factors WHERE user_id = ${userId}`,
    );
    if (row === undefined) return false;
    const timestamp = now();
    const delta = totpOf(unseal(userId, row.secret)).validate({ token: code, timestamp, window });
    if (delta === null) return false;
    const step = Math.floor(timestamp / 1000 / periodSeconds) + delta;
    const taken = await tx.query(sql`
      UPDATE second_factors SET last_step = ${step} WHERE user_id = ${userId} AND last_step < ${step} RETURNING user_id`);
    return taken.length === 1;
  }

  /** Takes a code of the app or a recovery code, once. */
  async function take(tx: Pick<Transaction, 'query'>, userId: string, code: string): Promise<boolean> {
    if (/^\d{6}$/.test(code)) return takeCode(tx, userId, code);
    const used = await tx.query(sql`
      DELETE FROM recovery_codes WHERE user_id = ${userId} AND code_hash = ${hashOf(code)} RETURNING id`);
    return used.length === 1;
  }

  async function isConfirmed(userId: string): Promise<boolean> {
    const rows = await db.query(
      sql`SELECT user_id FROM second_factors WHERE user_id = ${userId} AND confirmed_at IS NOT NULL`,
    );
    return rows.length === 1;
  }

  async function refuse(viewer: Viewer, action: string): Promise<never> {
    await audit.recordAlone({
      action,
      outcome: 'FAILURE',
      actor: viewer,
      targetType: 'User',
      targetId: viewer.userId,
    });
    throw new AppError('INVALID_CREDENTIALS', { message: 'The code is wrong or was used.' });
  }

  /** Runs a step that a code of the viewer's app or a recovery code allows. */
  function withCode(viewer: Viewer, code: string, action: string): Promise<void> {
    const lock = {
      action: 'auth.lock',
      outcome: 'DENIED' as const,
      actor: viewer,
      targetType: 'User' as const,
      targetId: viewer.userId,
      changes: { guessed: 'second_factor' },
    };
    return attempts.attempt(
      viewer.userId,
      async (isAllowed) => {
        if (!isAllowed || !(await take(db, viewer.userId, code))) return refuse(viewer, action);
      },
      () => audit.recordAlone(lock),
    );
  }

  async function removeOf(viewer: Viewer, userId: string): Promise<void> {
    await db.transaction(async (tx) => {
      const removed = await tx.query(
        sql`DELETE FROM second_factors WHERE user_id = ${userId} RETURNING user_id`,
      );
      await tx.query(sql`DELETE FROM recovery_codes WHERE user_id = ${userId}`);
      if (removed.length === 0) return;
      audit.record(tx, {
        action: 'second_factor.remove',
        actor: viewer,
        targetType: 'User',
        targetId: userId,
      });
      tx.afterCommit(() => events.publish('user.changed', { userId }));
    });
  }

  return {
    take,

    /** Whether each user has a second factor in force. */
    async ofEach(userIds: readonly string[]): Promise<boolean[]> {
      const rows = await db.query<{ userId: string }>(sql`
        SELECT user_id AS "userId" FROM second_factors
        WHERE user_id = ANY(${[...userIds]}::uuid[]) AND confirmed_at IS NOT NULL`);
      const having = new Set(rows.map(({ userId }) => userId));
      return userIds.map((id) => having.has(id));
    },

    /**
     * Makes a secret for the viewer's app; in force once a code has confirmed it.
     * @throws REAUTHENTICATION_REQUIRED
     * @throws CONFLICT when there is one already
     */
    async enrol(viewer: Viewer): Promise<Enrolment> {
      assertFresh(viewer, now());
      const secret = randomBytes(secretBytes);
      const rows = await db.query(sql`
        INSERT INTO second_factors (user_id, secret, created_at)
        VALUES (${viewer.userId}, ${seal(viewer.userId, secret)}, ${new Date(now())})
        ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at, last_step = 0
        WHERE second_factors.confirmed_at IS NULL RETURNING user_id`);
      if (rows.length === 0)
        throw new AppError('CONFLICT', { message: 'There is a second factor already: remove it first.' });
      const totp = totpOf(secret, viewer.email);
      return { secret: totp.secret.base32, uri: totp.toString() };
    },

    /**
     * Puts the second factor in force.
     * @returns recovery codes, shown once
     * @throws INVALID_CREDENTIALS for a wrong code
     * @throws CONFLICT when there is nothing to confirm
     */
    async confirm(viewer: Viewer, code: string): Promise<string[]> {
      assertFresh(viewer, now());
      if (await isConfirmed(viewer.userId))
        throw new AppError('CONFLICT', { message: 'The second factor is confirmed already.' });
      await withCode(viewer, code, 'second_factor.confirm');
      const codes = Array.from({ length: recoveryCodes }, () => {
        const text = new Secret({ size: 10 }).base32.toLowerCase();
        return (text.match(/.{4}/g) as string[]).join('-');
      });
      await db.transaction(async (tx) => {
        const confirmed = await tx.query(sql`
          UPDATE second_factors SET confirmed_at = ${new Date(now())}
          WHERE user_id = ${viewer.userId} AND confirmed_at IS NULL RETURNING user_id`);
        if (confirmed.length === 0) throw new AppError('CONFLICT');
        for (const made of codes) {
          await tx.query(sql`
            INSERT INTO recovery_codes (id, user_id, code_hash) VALUES (${newId()}, ${viewer.userId}, ${hashOf(made)})`);
        }
        audit.record(tx, {
          action: 'second_factor.confirm',
          actor: viewer,
          targetType: 'User',
          targetId: viewer.userId,
        });
        tx.afterCommit(() => events.publish('user.changed', { userId: viewer.userId }));
      });
      return codes;
    },

    /**
     * Removes the viewer's own, with a code; or, for those who may change users, that of somebody who lost it.
     * @throws REAUTHENTICATION_REQUIRED
     * @throws INVALID_CREDENTIALS for a wrong code
     */
    async remove(viewer: Viewer, userId: string | undefined, code: string | undefined): Promise<string> {
      assertFresh(viewer, now());
      if (userId !== undefined && userId !== viewer.userId) {
        if (!can(viewer, 'user:update')) throw new AppError('FORBIDDEN');
        await removeOf(viewer, userId);
        return userId;
      }
      if (await isConfirmed(viewer.userId)) await withCode(viewer, code ?? '', 'second_factor.remove');
      await removeOf(viewer, viewer.userId);
      return viewer.userId;
    },
  };
}
