// Ends sessions on request: the caller's own, another user's, everybody's.
import { AppError } from '../../core/errors.js';
import { can, type Viewer } from '../../core/permissions.js';
import type { Database } from '../../infra/postgres/database.js';
import type { AuditService } from '../audit/audit.service.js';
import type { SessionService } from '../session/session.service.js';
import type { UserService } from '../user/user.service.js';

/** Dependencies of ending sessions. */
export interface SignOutServiceOptions {
  db: Database;
  audit: AuditService;
  sessions: SessionService;
  users: UserService;
  /** Where the user of an ended session logs out at the identity provider; null for one without. */
  logoutUrlOf: (sessionId: string) => Promise<string | null>;
}

/** Ends sessions. */
export type SignOutService = ReturnType<typeof createSignOutService>;

/** Outcome of a logout. */
export interface Logout {
  revokedSessions: number;
  /** Where the browser logs out at the identity provider too; null after a sign-in with a password. */
  providerLogoutUrl: string | null;
}

/** Creates the service. */
export function createSignOutService(options: SignOutServiceOptions) {
  return {
    /** Ends the viewer's session, or all sessions of the user. */
    logout: (viewer: Viewer, everywhere: boolean) => logout(options, viewer, everywhere),

    /**
     * Ends one session, and returns how many ended: the caller's own, or any with user:update.
     * @throws NOT_FOUND also for sessions that the viewer may not see
     */
    revokeSession: (viewer: Viewer, sessionId: string) => revokeSession(options, viewer, sessionId),

    /**
     * Ends all sessions of a user, and returns how many ended; or of all users but the viewer.
     * @throws NOT_FOUND
     */
    endSessions: (viewer: Viewer, userId: string | undefined) => endSessions(options, viewer, userId),
  };
}

async function logout(
  { db, audit, sessions, logoutUrlOf }: SignOutServiceOptions,
  viewer: Viewer,
  everywhere: boolean,
): Promise<Logout> {
  const revokedSessions = await db.transaction(async (tx) => {
    const ended =
      everywhere || viewer.sessionId === undefined
        ? await sessions.revokeAll(tx, viewer.userId, 'logout')
        : await sessions.revoke(tx, viewer.sessionId, 'logout');
    audit.record(tx, {
      action: 'auth.logout',
      actor: viewer,
      ...(viewer.sessionId !== undefined && { targetType: 'Session', targetId: viewer.sessionId }),
      changes: { everywhere, revokedSessions: ended.length },
    });
    return ended.length;
  });
  const providerLogoutUrl = viewer.sessionId === undefined ? null : await logoutUrlOf(viewer.sessionId);
  return { revokedSessions, providerLogoutUrl };
}

async function revokeSession(
  { db, audit, sessions }: SignOutServiceOptions,
  viewer: Viewer,
  sessionId: string,
): Promise<number> {
  const session = await sessions.get(sessionId);
  if (session.userId !== viewer.userId && !can(viewer, 'user:update')) throw new AppError('NOT_FOUND');
  return db.transaction(async (tx) => {
    const ended = await sessions.revoke(tx, sessionId, 'revoked');
    if (ended.length > 0)
      audit.record(tx, {
        action: 'session.revoke',
        actor: viewer,
        targetType: 'Session',
        targetId: sessionId,
      });
    return ended.length;
  });
}

async function endSessions(
  { db, audit, sessions, users }: SignOutServiceOptions,
  viewer: Viewer,
  userId: string | undefined,
): Promise<number> {
  const [user] = userId === undefined ? [undefined] : await users.byIds([userId]);
  if (user === null) throw new AppError('NOT_FOUND');
  return db.transaction(async (tx) => {
    const ended =
      userId === undefined
        ? await sessions.revokeOthers(tx, viewer.userId)
        : await sessions.revokeAll(tx, userId, 'revoked');
    audit.record(tx, {
      action: 'session.revoke_all',
      actor: viewer,
      ...(userId !== undefined && { targetType: 'User', targetId: userId }),
      changes: { revokedSessions: ended.length },
    });
    return ended.length;
  });
}
