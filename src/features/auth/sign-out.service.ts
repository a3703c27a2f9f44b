// Ending sessions on request: one's own, another's, everybody's. How a session ends is the session service's matter.

import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database } from '../../infra/postgres/database.js';
import type { AuditService } from '../audit/audit.service.js';
import type { SessionService } from '../session/session.service.js';
import type { UserService } from '../user/user.service.js';

interface SignOutServiceOptions {
  db: Database;
  audit: AuditService;
  sessions: SessionService;
  users: UserService;
}

export type SignOutService = ReturnType<typeof createSignOutService>;

export function createSignOutService({ db, audit, sessions, users }: SignOutServiceOptions) {
  return {
    /** Ends the viewer's session, or all of the user's; tells how many ended. */
    async logout(viewer: Viewer, everywhere: boolean): Promise<number> {
      return db.transaction(async (tx) => {
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
          audit.record(tx, {
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
        audit.record(tx, {
          action: 'session.revoke_all',
          actor: viewer,
          ...(userId !== undefined && { targetType: 'User', targetId: userId }),
          changes: { revokedSessions: ended.length },
        });
        return ended.length;
      });
    },
  };
}
