// Sessions: rotating, listing and ending them. Creating them is in create-session.service.ts, checking them in session.checks.ts.
import { AppError } from '../../core/errors.js';
import { Prisma, type Session } from '../../generated/prisma/client.js';
import type { SqlRow, Transaction } from '../../infra/postgres/database.js';
import { columnsOf, type Sql, sql } from '../../infra/postgres/sql.js';
import { createSessionChecks, type SessionCheckOptions } from './session.checks.js';

/** A session as it is read; timestamps are RFC 3339. */
export type SessionRow = SqlRow<Session>;

/** Dependencies of storing and checking sessions. */
export interface SessionServiceOptions extends SessionCheckOptions {
  /** A session ends when it is not refreshed for this long. */
  idleTtlSeconds: number;
  /** Live sessions of a user; beyond them the oldest ends. */
  maxPerUser: number;
}

/** Why a session ended. */
export type RevocationReason =
  | 'logout'
  | 'revoked'
  | 'password_changed'
  | 'refresh_token_reused'
  | 'user_deactivated'
  | 'signed_in_again'
  | 'too_many_sessions'
  | 'provider_logout'
  | 'trust_changed';

/** How long a replaced refresh token returns the current one: a response may be lost, two tabs may refresh. */
const graceMs = 10_000;
const maxListed = 50;
const columns = columnsOf(Prisma.SessionScalarFieldEnum, 'sessions');

/** Rotates, checks, lists and ends sessions. */
export type SessionService = ReturnType<typeof createSessionService>;

/** Creates the service. */
export function createSessionService(options: SessionServiceOptions) {
  const { db } = options;
  const { check, recall } = createSessionChecks(options);
  const revoke = (tx: Transaction, condition: Sql, reason: RevocationReason) =>
    revokeWhere(options, tx, condition, reason);
  return {
    check,
    recall,

    /**
     * Exchanges a counter for the next one: one compare-and-swap. The immediate predecessor within 10 seconds returns the
     * current state; an older one is a stolen or replayed token.
     * @returns null when the token was reused: the caller revokes the session
     * @throws TOKEN_REVOKED when the session has ended
     */
    rotate: (sessionId: string, counter: number) => rotate(options, sessionId, counter),

    /** Ends one session; without effect when it has ended. */
    revoke: (tx: Transaction, sessionId: string, reason: RevocationReason) =>
      revoke(tx, sql`id = ${sessionId}`, reason),

    /** Ends the oldest sessions of a user beyond the limit. */
    revokeExcess: (tx: Transaction, userId: string) =>
      revoke(tx, excessOf(options, userId), 'too_many_sessions'),

    /** Ends the sessions of one user at an identity provider, or of one session there, or of both. */
    revokeOfIdentity: (tx: Transaction, of: ProviderSession) =>
      revoke(tx, conditionOf(of), 'provider_logout'),

    /** Ends the sessions that an identity opened. */
    revokeByIdentity: (tx: Transaction, identityId: string) =>
      revoke(tx, sql`identity_id = ${identityId}`, 'revoked'),

    /** Ends the sessions of workloads that a trust rule let in. */
    revokeByTrust: (tx: Transaction, trustId: string) =>
      revoke(tx, sql`workload_trust_id = ${trustId}`, 'trust_changed'),

    /** Ends the sessions of all users but one. */
    revokeOthers: (tx: Transaction, exceptUserId: string) =>
      revoke(tx, sql`user_id <> ${exceptUserId}`, 'revoked'),

    /** Ends all sessions of a user, except one that is named. */
    revokeAll: (tx: Transaction, userId: string, reason: RevocationReason, except?: string) =>
      revoke(
        tx,
        except === undefined ? sql`user_id = ${userId}` : sql`user_id = ${userId} AND id <> ${except}`,
        reason,
      ),

    /** Prisma's query of the live sessions of a user: newest first, at most 50. */
    live: () => live(options.now()),

    /** @throws NOT_FOUND */
    async get(sessionId: string): Promise<Session> {
      const row = await db.prisma.session.findUnique({ where: { id: sessionId } });
      if (row === null) throw new AppError('NOT_FOUND');
      return row;
    },
  };
}

/** A user at an identity provider, or a session there; at least one of them. */
export interface ProviderSession {
  issuer: string;
  subject: string | undefined;
  providerSid: string | undefined;
}

function conditionOf({ issuer, subject, providerSid }: ProviderSession): Sql {
  const ofSubject = subject === undefined ? sql`` : sql`AND i.subject = ${subject}`;
  const identities = sql`identity_id IN (SELECT i.id FROM user_identities i WHERE i.issuer = ${issuer} ${ofSubject})`;
  return providerSid === undefined ? identities : sql`provider_sid = ${providerSid} AND ${identities}`;
}

async function rotate(
  { db, now, idleTtlSeconds }: SessionServiceOptions,
  sessionId: string,
  counter: number,
): Promise<SessionRow | null> {
  const atMs = now();
  const at = new Date(atMs);
  const isLive = sql`revoked_at IS NULL AND idle_expires_at > ${at} AND expires_at > ${at}
    AND EXISTS (SELECT FROM users WHERE users.id = user_id AND status = 'ACTIVE')`;
  const [rotated] = await db.query<SessionRow>(sql`
    UPDATE sessions SET counter = counter + 1, rotated_at = ${at}, last_used_at = ${at},
      idle_expires_at = LEAST(${new Date(atMs + idleTtlSeconds * 1000)}::timestamptz, expires_at)
    WHERE id = ${sessionId} AND counter = ${counter} AND ${isLive} RETURNING ${columns}`);
  if (rotated !== undefined) return rotated;
  const [current] = await db.query<SessionRow>(
    sql`SELECT ${columns} FROM sessions WHERE id = ${sessionId} AND ${isLive}`,
  );
  if (current === undefined) throw new AppError('TOKEN_REVOKED');
  const isRepeated = counter === current.counter - 1 && Date.parse(current.rotatedAt) + graceMs >= atMs;
  return isRepeated ? current : null;
}

function excessOf({ now, maxPerUser }: SessionServiceOptions, userId: string): Sql {
  const at = new Date(now());
  return sql`id IN (SELECT id FROM sessions
    WHERE user_id = ${userId} AND revoked_at IS NULL AND idle_expires_at > ${at} AND expires_at > ${at}
    ORDER BY id DESC OFFSET ${maxPerUser})`;
}

async function revokeWhere(
  { events, now }: SessionServiceOptions,
  tx: Transaction,
  condition: Sql,
  reason: RevocationReason,
): Promise<SessionRow[]> {
  const rows = await tx.query<SessionRow>(sql`
    UPDATE sessions SET revoked_at = ${new Date(now())}, revoked_reason = ${reason}
    WHERE revoked_at IS NULL AND ${condition} RETURNING ${columns}`);
  // A logout needs them for the provider's own, and forgets them then.
  if (reason !== 'logout' && rows.length > 0)
    await tx.query(
      sql`DELETE FROM session_id_tokens WHERE session_id = ANY(${rows.map(({ id }) => id)}::uuid[])`,
    );
  tx.afterCommit(() => {
    for (const row of rows) events.publish('session.ended', { sessionId: row.id });
  });
  return rows;
}

function live(atMs: number) {
  const after = { gt: new Date(atMs) };
  return {
    where: { revokedAt: null, idleExpiresAt: after, expiresAt: after },
    orderBy: { id: 'desc' },
    take: maxListed,
  } satisfies Prisma.SessionFindManyArgs;
}
