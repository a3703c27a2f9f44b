// Sessions: rotating, checking and ending them. Opening is in opening.service.ts, credentials and tokens are the auth
// service's matter.

import { AppError } from '../../core/errors.js';
import type { Role, Viewer } from '../../core/permissions.js';
import type { Timing } from '../../core/timeouts.js';
import { Prisma, type Session } from '../../generated/prisma/client.js';
import { createCache } from '../../infra/cache.js';
import type { Database, SqlRow, Transaction } from '../../infra/postgres/database.js';
import { columnsOf, fetchOfEach, sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { Metrics } from '../../infra/telemetry/metrics.js';

export type SessionRow = SqlRow<Session>;

interface SessionServiceOptions {
  db: Database;
  events: Events;
  now: () => number;
  /** A session that is not refreshed for so long ends. */
  idleTtlSeconds: number;
  /** Live sessions of a user; beyond them the oldest ends. */
  maxPerUser: number;
  /** Roles that must set up a second factor before they do anything else. */
  rolesWithSecondFactor: readonly string[];
  metrics: Metrics | undefined;
  timing: Timing;
}

/** Why a session ended. */
export type RevocationReason =
  | 'logout'
  | 'revoked'
  | 'password_changed'
  | 'refresh_token_reused'
  | 'user_deactivated'
  | 'signed_in_again'
  | 'too_many_sessions';

/** How long the refresh token just replaced still gives the present one (a lost answer, two tabs). */
const graceMs = 10_000;
const columns = columnsOf(Prisma.SessionScalarFieldEnum, 'sessions');

interface LiveSession {
  viewer: Omit<Viewer, 'expiresAtMs'>;
  endsAtMs: number;
  /** The viewer as it was last recalled. */
  recalled?: Viewer;
}

export type SessionService = ReturnType<typeof createSessionService>;

export function createSessionService({
  db,
  events,
  now,
  idleTtlSeconds,
  maxPerUser,
  rolesWithSecondFactor,
  metrics,
  timing,
}: SessionServiceOptions) {
  const live = createCache<LiveSession>({
    name: 'session',
    max: 10_000,
    ttlMs: timing.believeMs,
    metrics,
    tagsOf: ({ viewer }) => [viewer.userId],
  });
  const date = (ms: number) => new Date(ms);
  events.subscribe('session.ended', ({ sessionId }) => live.forget(sessionId));
  events.subscribe('user.changed', ({ userId }) => live.forgetTag(userId));

  async function load(sessionId: string): Promise<LiveSession> {
    const at = date(now());
    const [row] = await db.read<{
      userId: string;
      email: string;
      name: string;
      role: Role;
      mustChange: boolean;
      hasSecondFactor: boolean;
      signedInAt: string;
      endsAt: string;
    }>(sql`
      SELECT u.id AS "userId", u.email, u.name, u.role, u.must_change_password AS "mustChange",
        EXISTS (SELECT FROM second_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL) AS "hasSecondFactor",
        s.created_at AS "signedInAt", LEAST(s.idle_expires_at, s.expires_at) AS "endsAt"
      FROM sessions s JOIN users u ON u.id = s.user_id
      WHERE s.id = ${sessionId} AND s.revoked_at IS NULL AND u.status = 'ACTIVE'
        AND s.idle_expires_at > ${at} AND s.expires_at > ${at}`);
    if (row === undefined) throw new AppError('TOKEN_REVOKED');
    const { endsAt, signedInAt, mustChange, hasSecondFactor, ...user } = row;
    const mustEnrol = !hasSecondFactor && rolesWithSecondFactor.includes(user.role);
    const viewer = {
      ...user,
      sessionId,
      signedInAtMs: Date.parse(signedInAt),
      ...(mustEnrol && { mustFirst: 'SECOND_FACTOR_ENROLMENT_REQUIRED' as const }),
      ...(mustChange && { mustFirst: 'PASSWORD_CHANGE_REQUIRED' as const }),
    };
    return { viewer, endsAtMs: Date.parse(endsAt) };
  }

  async function revokeWhere(
    tx: Transaction,
    condition: ReturnType<typeof sql>,
    reason: RevocationReason,
  ): Promise<SessionRow[]> {
    const rows = await tx.query<SessionRow>(sql`
      UPDATE sessions SET revoked_at = ${date(now())}, revoked_reason = ${reason}
      WHERE revoked_at IS NULL AND ${condition} RETURNING ${columns}`);
    tx.afterCommit(() => {
      for (const row of rows) events.publish('session.ended', { sessionId: row.id });
    });
    return rows;
  }

  return {
    /**
     * Exchanges a counter for the next one: one compare-and-swap. The immediate predecessor within 10 s gets the
     * present state again; anything older is a stolen or replayed token.
     * @returns null when the token was reused: the caller revokes the session
     * @throws TOKEN_REVOKED when the session has ended
     */
    async rotate(sessionId: string, counter: number): Promise<SessionRow | null> {
      const at = now();
      const alive = sql`revoked_at IS NULL AND idle_expires_at > ${date(at)} AND expires_at > ${date(at)}
        AND EXISTS (SELECT FROM users WHERE users.id = user_id AND status = 'ACTIVE')`;
      const [rotated] = await db.query<SessionRow>(sql`
        UPDATE sessions SET counter = counter + 1, rotated_at = ${date(at)}, last_used_at = ${date(at)},
          idle_expires_at = LEAST(${date(at + idleTtlSeconds * 1000)}::timestamptz, expires_at)
        WHERE id = ${sessionId} AND counter = ${counter} AND ${alive} RETURNING ${columns}`);
      if (rotated !== undefined) return rotated;
      const [present] = await db.query<SessionRow>(
        sql`SELECT ${columns} FROM sessions WHERE id = ${sessionId} AND ${alive}`,
      );
      if (present === undefined) throw new AppError('TOKEN_REVOKED');
      const isRepeated = counter === present.counter - 1 && Date.parse(present.rotatedAt) + graceMs >= at;
      return isRepeated ? present : null;
    },

    /**
     * Who a session belongs to, with the role of this moment; believed for a second.
     * @throws TOKEN_REVOKED
     */
    async check(sessionId: string, tokenExpiresAtMs: number): Promise<Viewer> {
      const session = await live(sessionId, () => load(sessionId));
      if (session.endsAtMs <= now()) throw new AppError('TOKEN_REVOKED');
      return { ...session.viewer, expiresAtMs: Math.min(tokenExpiresAtMs, session.endsAtMs) };
    },

    /** As {@link check}, for a session that was looked up within the last second; undefined for any other. */
    recall(sessionId: string, tokenExpiresAtMs: number): Viewer | undefined {
      const session = live.peek(sessionId);
      if (session === undefined || session.endsAtMs <= now()) return undefined;
      const expiresAtMs = Math.min(tokenExpiresAtMs, session.endsAtMs);
      if (session.recalled?.expiresAtMs !== expiresAtMs)
        session.recalled = { ...session.viewer, expiresAtMs };
      return session.recalled;
    },

    /** Ends one session; nothing happens when it has ended already. */
    revoke: (tx: Transaction, sessionId: string, reason: RevocationReason): Promise<SessionRow[]> =>
      revokeWhere(tx, sql`id = ${sessionId}`, reason),

    /** Ends the oldest sessions of a user beyond what one may have. */
    revokeExcess: (tx: Transaction, userId: string): Promise<SessionRow[]> => {
      const at = date(now());
      return revokeWhere(
        tx,
        sql`id IN (SELECT id FROM sessions
          WHERE user_id = ${userId} AND revoked_at IS NULL AND idle_expires_at > ${at} AND expires_at > ${at}
          ORDER BY id DESC OFFSET ${maxPerUser})`,
        'too_many_sessions',
      );
    },

    /** Ends the sessions of all users but one. */
    revokeOthers: (tx: Transaction, exceptUserId: string): Promise<SessionRow[]> =>
      revokeWhere(tx, sql`user_id <> ${exceptUserId}`, 'revoked'),

    /** Ends all sessions of a user, but for one when it is named. */
    revokeAll: (
      tx: Transaction,
      userId: string,
      reason: RevocationReason,
      except?: string,
    ): Promise<SessionRow[]> =>
      revokeWhere(
        tx,
        except === undefined ? sql`user_id = ${userId}` : sql`user_id = ${userId} AND id <> ${except}`,
        reason,
      ),

    /** Live sessions of each user, newest first; at most 100. */
    async liveOfEach(userIds: readonly string[]): Promise<SessionRow[][]> {
      const at = date(now());
      const select = sql`
        SELECT ${columns} FROM sessions
        WHERE user_id = parent.id AND revoked_at IS NULL AND idle_expires_at > ${at} AND expires_at > ${at}
        ORDER BY sessions.id DESC LIMIT 100`;
      const byUser = await fetchOfEach<SessionRow>(db.query, userIds, select, (row) => row.userId);
      return userIds.map((id) => byUser.get(id) ?? []);
    },

    /** @throws NOT_FOUND */
    async get(sessionId: string): Promise<Session> {
      const row = await db.prisma.session.findUnique({ where: { id: sessionId } });
      if (row === null) throw new AppError('NOT_FOUND');
      return row;
    },
  };
}
