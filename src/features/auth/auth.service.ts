// Signing in and out: credentials, tokens and who a request comes from. GraphQL and REST both stand on this.
import type { Role, Viewer } from '../../core/access.js';
import { AppError, invalid } from '../../core/errors.js';
import { checkNewPassword } from '../../core/password-policy.js';
import type { User } from '../../generated/prisma/client.js';
import type { AttemptLock } from '../../infra/attempt-lock.js';
import type { Database } from '../../infra/database.js';
import type { Events } from '../../infra/events.js';
import { estimateGuesses } from '../../infra/password-strength.js';
import type { PasswordHasher } from '../../infra/passwords.js';
import type { AddressBudget } from '../../infra/rate-limit.js';
import { currentRequest } from '../../infra/request-context.js';
import { sql } from '../../infra/sql.js';
import type { Tokens } from '../../infra/tokens.js';
import type { ApiKeyService } from '../api-key/api-key.service.js';
import type { AuditService } from '../audit/audit.service.js';
import type { SessionRow, SessionService } from '../session/session.service.js';
import type { PasswordLinkService } from '../user/password-link.service.js';
import type { SetPasswordInput } from '../user/user.input.js';
import type { UserService } from '../user/user.service.js';
import type { ChangePasswordInput, LoginInput } from './auth.input.js';
import type { SecondFactorService } from './second-factor.service.js';

interface AuthServiceOptions {
  db: Database;
  passwords: PasswordHasher;
  tokens: Tokens;
  events: Events;
  audit: AuditService;
  sessions: SessionService;
  users: UserService;
  links: PasswordLinkService;
  secondFactors: SecondFactorService;
  apiKeys: ApiKeyService;
  limits: SignInLimits;
  now: () => number;
  accessTokenTtlSeconds: number;
  passwordMinLength: number;
}

/** How often one may guess. */
export interface SignInLimits {
  /** Sign-ins by account; while it is locked the answer is that to a wrong password. */
  accounts: AttemptLock;
  /** Password changes by account. */
  passwordChanges: AttemptLock;
  /** Sign-ins by address. */
  addresses: AddressBudget;
  /** Refreshes by address. */
  refreshes: AddressBudget;
}

/** What a sign-in or refresh answers; lifetimes in seconds. */
export interface AuthTokens {
  accessToken: string;
  refreshToken: string;
  tokenType: 'Bearer';
  expiresIn: number;
  refreshExpiresIn: number;
  user: User;
}

interface Credentials {
  id: string;
  email: string;
  name: string;
  role: Role;
  status: string;
  passwordHash: string | null;
  hasSecondFactor: boolean;
}

const seconds = (time: string | number) =>
  Math.floor((typeof time === 'number' ? time : Date.parse(time)) / 1000);

export type AuthService = ReturnType<typeof createAuthService>;

export function createAuthService(options: AuthServiceOptions) {
  const {
    db,
    events,
    passwords,
    tokens,
    audit,
    sessions,
    users,
    links,
    secondFactors,
    apiKeys,
    limits,
    now,
    accessTokenTtlSeconds,
  } = options;

  async function credentialsOf(condition: ReturnType<typeof sql>): Promise<Credentials | undefined> {
    const [row] = await db.query<Credentials>(
      sql`SELECT id, email, name, role, status, password_hash AS "passwordHash", EXISTS (
          SELECT FROM second_factors WHERE user_id = users.id AND confirmed_at IS NOT NULL) AS "hasSecondFactor"
        FROM users WHERE ${condition}`,
    );
    return row;
  }

  async function issue(session: SessionRow): Promise<AuthTokens> {
    const { userId, id: sessionId, counter } = session;
    const issuedAt = seconds(now());
    const expiresAt = Math.min(issuedAt + accessTokenTtlSeconds, seconds(session.expiresAt));
    const refreshExpiresAt = seconds(session.idleExpiresAt);
    const [accessToken, refreshToken, [user]] = await Promise.all([
      tokens.signAccess({ userId, sessionId, issuedAt, expiresAt }),
      tokens.signRefresh({
        userId,
        sessionId,
        counter,
        issuedAt: seconds(session.rotatedAt),
        expiresAt: refreshExpiresAt,
      }),
      users.byIds([userId]),
    ]);
    if (user == null) throw new AppError('TOKEN_REVOKED');
    return {
      accessToken,
      refreshToken,
      tokenType: 'Bearer',
      expiresIn: expiresAt - issuedAt,
      refreshExpiresIn: refreshExpiresAt - issuedAt,
      user,
    };
  }

  /** @param actor who is signed in already; nobody is when it is the signing in that fails */
  async function refuse(
    action: string,
    account: { id: string; email: string } | undefined,
    actor: Viewer | null = null,
  ): Promise<never> {
    await db.transaction((tx) =>
      audit.record(tx, {
        action,
        outcome: 'FAILURE',
        actor,
        actorLabel: account?.email ?? 'unknown account',
        ...(account !== undefined && { targetType: 'User', targetId: account.id }),
      }),
    );
    throw new AppError('INVALID_CREDENTIALS');
  }

  /**
   * A new session for the right credentials. A locked account takes as long as a wrong password and no guess at it
   * reaches its hash.
   * @throws INVALID_CREDENTIALS
   * @throws SECOND_FACTOR_REQUIRED only after the right password
   */
  async function openSession(
    input: LoginInput,
    viewer: Viewer | null,
    isAllowed: boolean,
  ): Promise<SessionRow> {
    const found = await credentialsOf(sql`lower(email) = lower(${input.email})`);
    const fits = await passwords.verify(
      isAllowed ? (found?.passwordHash ?? undefined) : undefined,
      input.password,
    );
    if (found?.passwordHash == null || !fits || found.status !== 'ACTIVE') return refuse('auth.login', found);
    if (found.hasSecondFactor) {
      if (input.code == null) throw new AppError('SECOND_FACTOR_REQUIRED');
      if (!(await secondFactors.take(db, found.id, input.code))) return refuse('auth.login', found);
    }
    const rehashed = passwords.needsRehash(found.passwordHash)
      ? await passwords.hash(input.password)
      : found.passwordHash;
    const session = await db.transaction(async (tx) => {
      const at = new Date(now());
      const [still] = await tx.query(sql`
        UPDATE users SET last_login_at = ${at}, password_hash = ${rehashed}
        WHERE id = ${found.id} AND status = 'ACTIVE' AND password_hash = ${found.passwordHash} RETURNING id`);
      if (still === undefined) return undefined;
      const opened = await sessions.open(tx, found.id);
      await audit.record(tx, {
        action: 'auth.login',
        actor: { userId: found.id, email: found.email },
        targetType: 'Session',
        targetId: opened.id,
      });
      if (viewer?.sessionId !== undefined) await sessions.revoke(tx, viewer.sessionId, 'signed_in_again');
      for (const { id } of await sessions.revokeExcess(tx, found.id)) {
        await audit.record(tx, {
          action: 'session.limit_exceeded',
          actor: { userId: found.id, email: found.email },
          targetType: 'Session',
          targetId: id,
        });
      }
      tx.afterCommit(() => events.publish('user.changed', { userId: found.id }));
      return opened;
    });
    return session ?? refuse('auth.login', found);
  }

  /** @throws INVALID_CREDENTIALS when it is not the viewer's password, or too many were tried */
  async function provePassword(viewer: Viewer, password: string, isAllowed: boolean): Promise<Credentials> {
    const found = await credentialsOf(sql`id = ${viewer.userId}`);
    const fits = await passwords.verify(isAllowed ? (found?.passwordHash ?? undefined) : undefined, password);
    if (found !== undefined && fits) return found;
    return refuse('auth.change_password', { id: viewer.userId, email: viewer.email }, viewer);
  }

  /** Ends the session of a refresh token that was used before: it is stolen, or its thief is its user. */
  async function endReused(userId: string, sessionId: string): Promise<void> {
    await db.transaction(async (tx) => {
      const [user] = await users.byIds([userId]);
      await sessions.revoke(tx, sessionId, 'refresh_token_reused');
      await audit.record(tx, {
        action: 'auth.refresh_reuse',
        outcome: 'DENIED',
        actor: user == null ? null : { userId, email: user.email },
        targetType: 'Session',
        targetId: sessionId,
      });
    });
  }

  return {
    /** Public keys that verify access tokens. */
    jwks: tokens.jwks,

    /**
     * Opens a session. Unknown, wrong, locked and deactivated look and last the same.
     * @param viewer who is signed in already: that session ends
     * @throws INVALID_CREDENTIALS
     * @throws RATE_LIMITED
     * @throws UNAVAILABLE when too many sign-ins wait
     */
    async login(input: LoginInput, viewer: Viewer | null): Promise<AuthTokens> {
      const refund = await limits.addresses.spend(currentRequest()?.ip);
      const session = await limits.accounts.attempt(input.email.toLowerCase(), (isAllowed) =>
        openSession(input, viewer, isAllowed),
      );
      const [fresh] = await Promise.all([issue(session), refund()]);
      return fresh;
    },

    /**
     * Exchanges a refresh token for new tokens. One that was used before ends its session.
     * @throws TOKEN_REVOKED
     * @throws TOKEN_EXPIRED
     * @throws UNAUTHENTICATED when it is not a refresh token of ours
     * @throws RATE_LIMITED
     */
    async refresh(token: string): Promise<AuthTokens> {
      const refund = await limits.refreshes.spend(currentRequest()?.ip);
      const { userId, sessionId, counter } = await tokens.verifyRefresh(token);
      const session = await sessions.rotate(sessionId, counter);
      if (session === null) {
        await endReused(userId, sessionId);
        throw new AppError('TOKEN_REVOKED');
      }
      const [fresh] = await Promise.all([issue(session), refund()]);
      return fresh;
    },

    /** Ends the viewer's session, or all of the user's; tells how many ended. */
    async logout(viewer: Viewer, everywhere: boolean): Promise<number> {
      return db.transaction(async (tx) => {
        const ended =
          everywhere || viewer.sessionId === undefined
            ? await sessions.revokeAll(tx, viewer.userId, 'logout')
            : await sessions.revoke(tx, viewer.sessionId, 'logout');
        await audit.record(tx, {
          action: 'auth.logout',
          actor: viewer,
          ...(viewer.sessionId !== undefined && { targetType: 'Session', targetId: viewer.sessionId }),
          changes: { everywhere, revokedSessions: ended.length },
        });
        return ended.length;
      });
    },

    /**
     * Ends one session: one's own, or anyone's for those who may change users.
     * @throws NOT_FOUND also for sessions that the viewer may not see
     */
    async revokeSession(viewer: Viewer, sessionId: string): Promise<number> {
      const session = await sessions.get(sessionId);
      if (session.userId !== viewer.userId && viewer.role !== 'ADMIN') throw new AppError('NOT_FOUND');
      return db.transaction(async (tx) => {
        const ended = await sessions.revoke(tx, sessionId, 'revoked');
        if (ended.length > 0) {
          await audit.record(tx, {
            action: 'session.revoke',
            actor: viewer,
            targetType: 'Session',
            targetId: sessionId,
          });
        }
        return ended.length;
      });
    },

    /**
     * Ends all sessions of a user, or of all users but the viewer; tells how many ended.
     * @throws NOT_FOUND
     */
    async endSessions(viewer: Viewer, userId: string | undefined): Promise<number> {
      const [user] = userId === undefined ? [undefined] : await users.byIds([userId]);
      if (user === null) throw new AppError('NOT_FOUND');
      return db.transaction(async (tx) => {
        const ended =
          userId === undefined
            ? await sessions.revokeOthers(tx, viewer.userId)
            : await sessions.revokeAll(tx, userId, 'revoked');
        await audit.record(tx, {
          action: 'session.revoke_all',
          actor: viewer,
          ...(userId !== undefined && { targetType: 'User', targetId: userId }),
          changes: { revokedSessions: ended.length },
        });
        return ended.length;
      });
    },

    /**
     * Chooses a password with an invitation or a reset, once, and ends the user's sessions.
     * @param path where the input's fields are, for errors
     * @throws UNAUTHENTICATED for an invitation that cannot be used
     * @throws VALIDATION_FAILED for a weak password; the invitation stays good
     * @throws RATE_LIMITED
     */
    async setPassword({ token, newPassword }: SetPasswordInput, path = 'input.'): Promise<User> {
      const refund = await limits.addresses.spend(currentRequest()?.ip);
      const [owner] = await users.byIds([await links.ownerOf(db, token)]);
      if (owner == null) throw new AppError('UNAUTHENTICATED');
      const minLength = options.passwordMinLength;
      await checkNewPassword(newPassword, {
        path: `${path}newPassword`,
        minLength,
        user: owner,
        estimate: estimateGuesses,
      });
      const hash = await passwords.hash(newPassword);
      await db.transaction(async (tx) => {
        const userId = await links.use(tx, token);
        await tx.query(sql`
          UPDATE users SET password_hash = ${hash}, must_change_password = false, updated_at = ${new Date(now())}
          WHERE id = ${userId}`);
        await sessions.revokeAll(tx, userId, 'password_changed');
        await audit.record(tx, {
          action: 'auth.set_password',
          actor: { userId, email: owner.email },
          targetType: 'User',
          targetId: userId,
        });
        tx.afterCommit(() => events.publish('user.changed', { userId }));
      });
      const [[user]] = await Promise.all([users.byIds([owner.id]), refund()]);
      return user ?? owner;
    },

    /**
     * Sets a new password and ends the user's other sessions.
     * @throws VALIDATION_FAILED when the new one is not acceptable
     * @throws INVALID_CREDENTIALS when the current one is wrong
     */
    async changePassword(viewer: Viewer, input: ChangePasswordInput): Promise<User> {
      await checkNewPassword(input.newPassword, {
        path: 'input.newPassword',
        minLength: options.passwordMinLength,
        user: viewer,
        estimate: estimateGuesses,
      });
      const refund = await limits.addresses.spend(currentRequest()?.ip);
      const found = await limits.passwordChanges.attempt(viewer.userId, (isAllowed) =>
        provePassword(viewer, input.currentPassword, isAllowed),
      );
      await refund();
      if (input.newPassword === input.currentPassword)
        throw invalid('input.newPassword', 'must differ from the current one');
      const hash = await passwords.hash(input.newPassword);
      await db.transaction(async (tx) => {
        const [changed] = await tx.query(sql`
          UPDATE users SET password_hash = ${hash}, must_change_password = false, updated_at = ${new Date(now())}
          WHERE id = ${viewer.userId} AND password_hash = ${found.passwordHash} RETURNING id`);
        if (changed === undefined)
          throw new AppError('CONFLICT', { message: 'The password was changed at the same time.' });
        tx.afterCommit(() => events.publish('user.changed', { userId: viewer.userId }));
        await sessions.revokeAll(tx, viewer.userId, 'password_changed', viewer.sessionId);
        await audit.record(tx, {
          action: 'auth.change_password',
          actor: viewer,
          targetType: 'User',
          targetId: viewer.userId,
        });
      });
      return users.get(viewer, viewer.userId);
    },

    /**
     * Who sent a request, by its Authorization header; null without one.
     * @throws UNAUTHENTICATED
     * @throws TOKEN_EXPIRED
     * @throws TOKEN_REVOKED
     */
    async authenticate(authorization: string | undefined): Promise<Viewer | null> {
      if (authorization === undefined) return null;
      const token = /^Bearer +([^\s,]+)$/i.exec(authorization)?.[1];
      if (token === undefined) {
        throw new AppError('UNAUTHENTICATED', {
          message: 'Send Authorization: Bearer with an access token or an API key.',
        });
      }
      if (apiKeys.looksLikeKey(token)) return apiKeys.check(token);
      const { sessionId, expiresAtMs } = await tokens.verifyAccess(token);
      return sessions.check(sessionId, expiresAtMs);
    },

    /** As {@link authenticate}, for a token and session that were checked a moment ago; undefined for any other. */
    recall(authorization: string): Viewer | undefined {
      if (!authorization.startsWith('Bearer ')) return undefined;
      const claims = tokens.recallAccess(authorization.slice('Bearer '.length));
      return claims && sessions.recall(claims.sessionId, claims.expiresAtMs);
    },
  };
}
