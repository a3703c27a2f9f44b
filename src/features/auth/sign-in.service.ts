// Signing in: from an e-mail and a password, and a code where there is a second factor, to a session. Tokens are made by
// the auth service.
import type { Viewer } from '../../core/access.js';
import { AppError } from '../../core/errors.js';
import type { AttemptLock } from '../../infra/attempt-lock.js';
import type { Database } from '../../infra/database.js';
import type { Events } from '../../infra/events.js';
import type { PasswordHasher } from '../../infra/passwords.js';
import type { AddressBudget } from '../../infra/rate-limit.js';
import { currentRequest } from '../../infra/request-context.js';
import { sql } from '../../infra/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import type { SessionRow, SessionService } from '../session/session.service.js';
import type { LoginInput } from './auth.input.js';
import type { Credentials, CredentialsService } from './credentials.service.js';
import type { SecondFactorService } from './second-factor.service.js';

interface SignInServiceOptions {
  db: Database;
  events: Events;
  passwords: PasswordHasher;
  audit: AuditService;
  credentials: CredentialsService;
  sessions: SessionService;
  secondFactors: SecondFactorService;
  /** By account; while it is locked the answer is that to a wrong password. */
  accounts: AttemptLock;
  /** By address. */
  addresses: AddressBudget;
  now: () => number;
}

export type SignInService = ReturnType<typeof createSignInService>;

export function createSignInService(options: SignInServiceOptions) {
  const { db, events, passwords, audit, credentials, sessions, secondFactors, now } = options;

  /** Opens the session, ends the one that the request came with and those beyond the limit. */
  async function open(
    found: Credentials,
    rehashed: string,
    viewer: Viewer | null,
  ): Promise<SessionRow | undefined> {
    const actor = { userId: found.id, email: found.email };
    return db.transaction(async (tx) => {
      const at = new Date(now());
      const [still] = await tx.query(sql`
        UPDATE users SET last_login_at = ${at}, password_hash = ${rehashed}
        WHERE id = ${found.id} AND status = 'ACTIVE' AND password_hash = ${found.passwordHash} RETURNING id`);
      if (still === undefined) return undefined;
      const opened = await sessions.open(tx, found.id);
      await audit.record(tx, { action: 'auth.login', actor, targetType: 'Session', targetId: opened.id });
      if (viewer?.sessionId !== undefined) await sessions.revoke(tx, viewer.sessionId, 'signed_in_again');
      for (const { id } of await sessions.revokeExcess(tx, found.id)) {
        const action = 'session.limit_exceeded';
        await audit.record(tx, { action, actor, targetType: 'Session', targetId: id });
      }
      tx.afterCommit(() => events.publish('user.changed', { userId: found.id }));
      return opened;
    });
  }

  /**
   * A new session for the right credentials. A locked account takes as long as a wrong password and no guess at it
   * reaches its hash.
   * @throws INVALID_CREDENTIALS
   * @throws SECOND_FACTOR_REQUIRED only after the right password
   */
  async function tryOnce(input: LoginInput, viewer: Viewer | null, isAllowed: boolean): Promise<SessionRow> {
    const found = await credentials.find(sql`lower(email) = lower(${input.email})`);
    const fits = await passwords.verify(
      isAllowed ? (found?.passwordHash ?? undefined) : undefined,
      input.password,
    );
    if (found?.passwordHash == null || !fits || found.status !== 'ACTIVE')
      return credentials.refuse('auth.login', found);
    if (found.hasSecondFactor) {
      if (input.code == null) throw new AppError('SECOND_FACTOR_REQUIRED');
      if (!(await secondFactors.take(db, found.id, input.code)))
        return credentials.refuse('auth.login', found);
    }
    const rehashed = passwords.needsRehash(found.passwordHash)
      ? await passwords.hash(input.password)
      : found.passwordHash;
    return (await open(found, rehashed, viewer)) ?? credentials.refuse('auth.login', found);
  }

  return {
    /**
     * A session for the right credentials, within the limits on guessing.
     * @param viewer who is signed in already: that session ends
     * @returns the session, and how to give the attempt back to its address
     * @throws INVALID_CREDENTIALS
     * @throws SECOND_FACTOR_REQUIRED
     * @throws RATE_LIMITED
     * @throws UNAVAILABLE when too many sign-ins wait
     */
    async signIn(
      input: LoginInput,
      viewer: Viewer | null,
    ): Promise<{ session: SessionRow; refund: () => Promise<void> }> {
      const refund = await options.addresses.spend(currentRequest()?.ip);
      const session = await options.accounts.attempt(
        input.email.toLowerCase(),
        (isAllowed) => tryOnce(input, viewer, isAllowed),
        async () =>
          credentials.recordLock(
            'sign_in',
            await credentials.find(sql`lower(email) = lower(${input.email})`),
          ),
      );
      return { session, refund };
    },
  };
}
