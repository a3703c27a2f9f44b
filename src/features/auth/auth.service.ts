// Tokens, the caller of a request, and the entry to signing in, signing out and passwords, for GraphQL and REST.
import { AppError } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import type { User } from '../../generated/prisma/client.js';
import type { Tokens } from '../../infra/credentials/jwt.js';
import type { Database } from '../../infra/postgres/database.js';
import type { AddressBudget } from '../../infra/rate-limiting/address-limiter.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { ApiKeyService } from '../api-key/api-key.service.js';
import type { AuditService } from '../audit/audit.service.js';
import type { PasskeyLoginInput } from '../passkey/passkey.input.js';
import type { Opened, SessionState } from '../session/create-session.service.js';
import type { SessionService } from '../session/session.service.js';
import type { UserService } from '../user/user.service.js';
import type { LoginInput } from './auth.input.js';
import type { PasswordService } from './password.service.js';
import type { SignedIn, SignInService } from './sign-in.service.js';
import type { SignOutService } from './sign-out.service.js';

/** Dependencies of the service. */
export interface AuthServiceOptions {
  db: Database;
  tokens: Tokens;
  audit: AuditService;
  sessions: SessionService;
  users: UserService;
  apiKeys: ApiKeyService;
  signIns: SignInService;
  signOuts: SignOutService;
  passwordChanges: PasswordService;
  /** Mails a link to choose a new password, where there is such an account. */
  requestReset: (email: string) => Promise<void>;
  /** Refreshes by address. */
  refreshes: AddressBudget;
  /** Milliseconds since 1970. */
  now: () => number;
  accessTokenTtlSeconds: number;
}

/** Tokens after a sign-in or a refresh; lifetimes in seconds. */
export interface AuthTokens {
  accessToken: string;
  refreshToken: string;
  tokenType: 'Bearer';
  expiresIn: number;
  refreshExpiresIn: number;
  /** After a sign-in: proof of a known device, for the next one. */
  deviceToken: string | null;
  user: User;
}

/** Time for which a device stays known after its last sign-in. */
export const deviceTtlSeconds = 90 * 24 * 60 * 60;

const seconds = (time: string | number) =>
  Math.floor((typeof time === 'number' ? time : Date.parse(time)) / 1000);

/** Signs in and out, refreshes, and authenticates requests. */
export type AuthService = ReturnType<typeof createAuthService>;

/** Creates the service. */
export function createAuthService(options: AuthServiceOptions) {
  const { tokens, signIns, signOuts, passwordChanges } = options;
  return {
    /** Whether another sign-in may wait. */
    hasCapacity: signIns.hasCapacity,

    /** Public keys that verify access tokens. */
    jwks: tokens.jwks,

    /**
     * Opens a session. Unknown, wrong, locked and deactivated look the same and take the same time.
     * @param viewer the signed-in caller, whose session ends
     * @throws INVALID_CREDENTIALS, SECOND_FACTOR_REQUIRED (only after the right password), RATE_LIMITED
     * @throws UNAVAILABLE when too many sign-ins wait
     */
    login: (input: LoginInput, viewer: Viewer | null) => withTokens(options, signIns.signIn(input, viewer)),

    /** As `login`, by a passkey alone. @throws INVALID_CREDENTIALS, RATE_LIMITED */
    loginWithPasskey: (input: PasskeyLoginInput, viewer: Viewer | null) =>
      withTokens(options, signIns.signInWithPasskey(input, viewer)),

    /**
     * Exchanges a refresh token for new tokens. Reusing one ends its session.
     * @throws TOKEN_REVOKED
     * @throws TOKEN_EXPIRED
     * @throws UNAUTHENTICATED for a text that is no refresh token of this server
     * @throws RATE_LIMITED
     */
    refresh: (token: string) => refresh(options, token),

    /**
     * The caller of a request, by its Authorization header; null without one.
     * @throws UNAUTHENTICATED
     * @throws TOKEN_EXPIRED
     * @throws TOKEN_REVOKED
     */
    authenticate: (authorization: string | undefined) => authenticate(options, authorization),

    /** As {@link authenticate}, for a token and session that were checked a moment ago; undefined for any other. */
    recall(authorization: string): Viewer | undefined {
      if (!authorization.startsWith('Bearer ')) return undefined;
      const claims = tokens.recallAccess(authorization.slice('Bearer '.length));
      return claims && options.sessions.recall(claims.sessionId, claims.expiresAtMs);
    },

    /** The tokens of a session that was just opened. */
    issue: (opened: Opened) => issueFirst(options, opened),

    /** See {@link SignInService}. */
    proveSecondFactor: signIns.proveSecondFactor,

    logout: signOuts.logout,
    revokeSession: signOuts.revokeSession,
    endSessions: signOuts.endSessions,
    setPassword: passwordChanges.setPassword,
    requestPasswordReset: options.requestReset,
    unlock: passwordChanges.unlock,
    changePassword: passwordChanges.changePassword,
  };
}

async function withTokens(options: AuthServiceOptions, signedIn: Promise<SignedIn>): Promise<AuthTokens> {
  const { refund, ...opened } = await signedIn;
  await refund();
  return issueFirst(options, opened);
}

/** As {@link issue}, with a device token. */
function issueFirst(options: AuthServiceOptions, { session, user }: Opened): AuthTokens {
  const issuedAt = seconds(options.now());
  const deviceToken = options.tokens.signDevice({
    userId: user.id,
    deviceId: newId(),
    issuedAt,
    expiresAt: issuedAt + deviceTtlSeconds,
  });
  return { ...issue(options, session, user), deviceToken };
}

function issue(
  { tokens, now, accessTokenTtlSeconds }: AuthServiceOptions,
  session: SessionState,
  user: User,
): AuthTokens {
  const { userId, id: sessionId, counter } = session;
  const issuedAt = seconds(now());
  const expiresAt = Math.min(issuedAt + accessTokenTtlSeconds, seconds(session.expiresAt));
  const refreshExpiresAt = seconds(session.idleExpiresAt);
  return {
    accessToken: tokens.signAccess({ userId, sessionId, issuedAt, expiresAt }),
    refreshToken: tokens.signRefresh({
      userId,
      sessionId,
      counter,
      issuedAt: seconds(session.rotatedAt),
      expiresAt: refreshExpiresAt,
    }),
    tokenType: 'Bearer',
    expiresIn: expiresAt - issuedAt,
    refreshExpiresIn: refreshExpiresAt - issuedAt,
    deviceToken: null,
    user,
  };
}

async function refresh(options: AuthServiceOptions, token: string): Promise<AuthTokens> {
  const { tokens, sessions, users } = options;
  const refund = await options.refreshes.spend(currentRequest()?.ip);
  const { userId, sessionId, counter } = await tokens.verifyRefresh(token);
  const session = await sessions.rotate(sessionId, counter);
  if (session === null) {
    await endReused(options, userId, sessionId);
    throw new AppError('TOKEN_REVOKED');
  }
  const [user] = await users.byIds([session.userId]);
  if (user == null) throw new AppError('TOKEN_REVOKED');
  await refund();
  return issue(options, session, user);
}

/** Ends the session of a refresh token that was used before: either it is stolen, or its thief was faster. */
async function endReused(
  { db, users, sessions, audit }: AuthServiceOptions,
  userId: string,
  sessionId: string,
): Promise<void> {
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

async function authenticate(
  { apiKeys, tokens, sessions }: AuthServiceOptions,
  authorization: string | undefined,
): Promise<Viewer | null> {
  if (authorization === undefined) return null;
  const token = /^Bearer +([^\s,]+)$/i.exec(authorization)?.[1];
  if (token === undefined)
    throw new AppError('UNAUTHENTICATED', {
      message: 'Send Authorization: Bearer with an access token or an API key.',
    });
  if (apiKeys.looksLikeKey(token)) return apiKeys.check(token);
  const { sessionId, expiresAtMs } = await tokens.verifyAccess(token);
  return sessions.check(sessionId, expiresAtMs);
}
