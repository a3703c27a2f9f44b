// Tokens and who a request comes from, and the one door to signing in, signing out and passwords. GraphQL and REST both
// stand on this.

import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { User } from '../../generated/prisma/client.js';
import type { Tokens } from '../../infra/credentials/jwt.js';
import type { Database } from '../../infra/postgres/database.js';
import type { AddressBudget } from '../../infra/rate-limiting/address-limiter.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { ApiKeyService } from '../api-key/api-key.service.js';
import type { AuditService } from '../audit/audit.service.js';
import type { SessionState } from '../session/create-session.service.js';
import type { SessionService } from '../session/session.service.js';
import type { UserService } from '../user/user.service.js';
import type { LoginInput } from './auth.input.js';
import type { PasswordService } from './password.service.js';
import type { SignInService } from './sign-in.service.js';
import type { SignOutService } from './sign-out.service.js';

interface AuthServiceOptions {
  db: Database;
  tokens: Tokens;
  audit: AuditService;
  sessions: SessionService;
  users: UserService;
  apiKeys: ApiKeyService;
  signIns: SignInService;
  signOuts: SignOutService;
  passwordChanges: PasswordService;
  /** Refreshes by address. */
  refreshes: AddressBudget;
  now: () => number;
  accessTokenTtlSeconds: number;
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

const seconds = (time: string | number) =>
  Math.floor((typeof time === 'number' ? time : Date.parse(time)) / 1000);

export type AuthService = ReturnType<typeof createAuthService>;

export function createAuthService(options: AuthServiceOptions) {
  const { db, tokens, audit, sessions, users, apiKeys, signIns, now, accessTokenTtlSeconds } = options;

  function issue(session: SessionState, user: User): AuthTokens {
    const { userId, id: sessionId, counter } = session;
    const issuedAt = seconds(now());
    const expiresAt = Math.min(issuedAt + accessTokenTtlSeconds, seconds(session.expiresAt));
    const refreshExpiresAt = seconds(session.idleExpiresAt);
    const refreshed = { issuedAt: seconds(session.rotatedAt), expiresAt: refreshExpiresAt };
    return {
      accessToken: tokens.signAccess({ userId, sessionId, issuedAt, expiresAt }),
      refreshToken: tokens.signRefresh({ userId, sessionId, counter, ...refreshed }),
      tokenType: 'Bearer',
      expiresIn: expiresAt - issuedAt,
      refreshExpiresIn: refreshExpiresAt - issuedAt,
      user,
    };
  }

  /** Ends the session of a refresh token that was used before: it is stolen, or its thief is its user. */
  async function endReused(userId: string, sessionId: string): Promise<void> {
    await db.transaction(async (tx) => {
      const [user] = await users.byIds([userId]);
      await sessions.revoke(tx, sessionId, 'refresh_token_reused');
      audit.record(tx, {
        action: 'auth.refresh_reuse',
        outcome: 'DENIED',
        actor: user == null ? null : { userId, email: user.email },
        targetType: 'Session',
        targetId: sessionId,
      });
    });
  }

  return {
    ...options.signOuts,
    ...options.passwordChanges,

    /** Whether one more sign-in may wait. */
    hasCapacity: signIns.hasCapacity,

    /** Public keys that verify access tokens. */
    jwks: tokens.jwks,

    /**
     * Opens a session. Unknown, wrong, locked and deactivated look and last the same.
     * @param viewer who is signed in already: that session ends
     * @throws INVALID_CREDENTIALS
     * @throws SECOND_FACTOR_REQUIRED only after the right password
     * @throws RATE_LIMITED
     * @throws UNAVAILABLE when too many sign-ins wait
     */
    async login(input: LoginInput, viewer: Viewer | null): Promise<AuthTokens> {
      const { session, user, refund } = await signIns.signIn(input, viewer);
      await refund();
      return issue(session, user);
    },

    /**
     * Exchanges a refresh token for new tokens. One that was used before ends its session.
     * @throws TOKEN_REVOKED
     * @throws TOKEN_EXPIRED
     * @throws UNAUTHENTICATED when it is not a refresh token of ours
     * @throws RATE_LIMITED
     */
    async refresh(token: string): Promise<AuthTokens> {
      const refund = await options.refreshes.spend(currentRequest()?.ip);
      const { userId, sessionId, counter } = await tokens.verifyRefresh(token);
      const session = await sessions.rotate(sessionId, counter);
      if (session === null) {
        await endReused(userId, sessionId);
        throw new AppError('TOKEN_REVOKED');
      }
      const [user] = await users.byIds([session.userId]);
      if (user == null) throw new AppError('TOKEN_REVOKED');
      await refund();
      return issue(session, user);
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
