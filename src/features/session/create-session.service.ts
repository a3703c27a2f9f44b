// Opens a session for an authenticated user, in one statement. The sign-in authenticates; session.service.ts refreshes and
// ends sessions.

import { newId, toPublicId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import { Prisma, type User } from '../../generated/prisma/client.js';
import type { Database, SqlRow } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { columnsOf, type Sql, sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { AuditService } from '../audit/audit.service.js';
import type { MailService } from '../mail/mail.service.js';
import type { SessionRow, SessionService } from './session.service.js';
import { openWorkloadSession } from './workload-session.js';

interface OpeningServiceOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  sessions: SessionService;
  mails: MailService;
  now: () => number;
  /** A session that is not refreshed for so long ends. */
  idleTtlSeconds: number;
  /** A session ends after so long in any case. */
  ttlSeconds: number;
  /** Live sessions of a user; beyond them the oldest ends. */
  maxPerUser: number;
  /** Largest number of one user's sign-ins under way at a time. */
  maxAtOnce: number;
}

/** Input of new tokens. */
export type SessionState = Pick<
  SessionRow,
  'id' | 'userId' | 'counter' | 'rotatedAt' | 'idleExpiresAt' | 'expiresAt'
>;

/** A user's credentials as they were checked. */
interface Proof {
  id: string;
  email: string;
  passwordHash: string | null;
}

/** A user whom an identity provider has proved, and the session there. */
export interface IdentityProof {
  id: string;
  email: string;
  /** Id of the provider, for the audit trail. */
  provider: string;
  identityId: string;
  /** The session at the provider, which its logout names. */
  providerSid: string | null;
  isMultiFactor: boolean;
  /** For the logout at the provider; null where it has none or the token is too long to keep. */
  idToken: string | null;
}

/** A user whom a passkey has proved. */
interface PasskeyOwner {
  id: string;
  email: string;
  passkeyId: string;
}

/** A session that was opened, and whose it is. */
export interface Opened {
  session: SessionState;
  user: User;
}

const userColumns = columnsOf(Prisma.UserScalarFieldEnum, 'proved');

/** Opens sessions. */
export type OpeningService = ReturnType<typeof createOpeningService>;

/** Creates the service. */
export function createOpeningService(options: OpeningServiceOptions) {
  return {
    /**
     * Opens a session, ends the one that the request came with and those beyond the limit; all but the last, and the
     * event on the audit trail, in one statement.
     * @param rehashed what the password's hash becomes
     * @param isKnownDevice whether a device token has proved that the user signed in on this device before; if not, and the
     *   viewer is not the user, the owner gets a mail
     * @returns undefined when the user was deactivated or changed the password meanwhile
     */
    open: (
      proof: Proof,
      rehashed: string,
      viewer: Viewer | null,
      isKnownDevice: boolean,
    ): Promise<Opened | undefined> =>
      openWhere(options, proof, viewer, {
        change: sql`, password_hash = ${rehashed}`,
        condition: sql`AND password_hash = ${proof.passwordHash}`,
        isKnownDevice,
      }),

    /**
     * As `open`, for a user who has signed in at an identity provider.
     * @param taking the statement that takes the sign-in's code out: a logout at the provider finds the code or the session
     * @returns undefined when the code is gone, the user was deactivated or the identity unlinked meanwhile
     */
    openByIdentity: (proof: IdentityProof, viewer: Viewer | null, isKnownDevice: boolean, taking: Sql) =>
      openWhere(options, proof, viewer, {
        before: sql`taken AS (${taking}), `,
        change: sql``,
        condition: sql`AND EXISTS (SELECT FROM taken) AND EXISTS (SELECT FROM user_identities WHERE id = ${proof.identityId} AND user_id = users.id)`,
        identity: proof,
        changes: { provider: proof.provider },
        isKnownDevice,
      }).catch((error: unknown) => {
        if (violates(error, 'sessions_identity_id_fkey')) return undefined;
        throw error;
      }),

    /**
     * As `open`, for a user whom a passkey has proved.
     * @returns undefined when the user was deactivated or the passkey removed meanwhile
     */
    openByPasskey: (proof: PasskeyOwner, viewer: Viewer | null, isKnownDevice: boolean) =>
      openWhere(options, proof, viewer, {
        change: sql``,
        condition: sql`AND EXISTS (SELECT FROM passkeys WHERE id = ${proof.passkeyId} AND user_id = users.id)`,
        changes: { passkey: toPublicId('Passkey', proof.passkeyId) },
        isKnownDevice,
      }),

    /** See {@link openWorkloadSession}. */
    openForWorkload: openWorkloadSession,
  };
}

/** Changes of a sign-in to the user, with their condition. */
interface Opening {
  /** What the statement does first. */
  before?: Sql;
  change: Sql;
  condition: Sql;
  identity?: IdentityProof;
  /** Its changes in the audit trail. */
  changes?: Record<string, unknown>;
  isKnownDevice: boolean;
}

async function openWhere(
  options: OpeningServiceOptions,
  proof: { id: string; email: string },
  viewer: Viewer | null,
  { before: first = sql``, change, condition, identity, changes, isKnownDevice }: Opening,
): Promise<Opened | undefined> {
  const { db, events, audit, maxPerUser, maxAtOnce } = options;
  const actor = { userId: proof.id, email: proof.email };
  const { session, insert, kept, live, moment } = opening(proof.id, options, identity);
  const isNoted = options.mails.isEnabled && !isKnownDevice && viewer?.userId !== proof.id;
  const noted = isNoted ? sql`, noted AS (${noteOf(options.mails, moment)})` : sql``;
  const target = { targetType: 'Session' as const, targetId: session.id };
  const entry = { action: 'auth.login', actor, ...target, ...(changes !== undefined && { changes }) };
  const audited = audit.part(entry, sql`proved`);
  const [row] = await db.query<SqlRow<User> & { live: number; ended: string | null }>(sql`
    WITH ${first}proved AS (
      UPDATE users SET last_login_at = ${moment}${change}
      WHERE id = ${proof.id} AND status = 'ACTIVE' ${condition} RETURNING *
    ), opened AS (${insert})${kept}${noted}, audited AS (${audited.insert}), ended AS (
      UPDATE sessions SET revoked_at = ${moment}, revoked_reason = 'signed_in_again'
      WHERE id = ${viewer?.sessionId ?? null}::uuid AND revoked_at IS NULL AND EXISTS (SELECT FROM proved) RETURNING id
    )
    SELECT ${userColumns}, (${live}) AS live, (SELECT id FROM ended) AS ended FROM proved`);
  if (row === undefined) return undefined;
  const { live: before, ended, ...user } = row;
  audited.committed();
  if (ended !== null) events.publish('session.ended', { sessionId: ended });
  events.publish('user.signed_in', { userId: proof.id });
  if (before + maxAtOnce > maxPerUser) await endExcess(options, actor);
  return { session, user: toUser(user) };
}

function noteOf(mails: MailService, at: Date): Sql {
  const { ip = null, userAgent = null } = currentRequest() ?? {};
  return mails.statements.newDeviceNote(sql`proved`, { at, ip, userAgent });
}

/** Ends the oldest beyond the limit. On its own: only now that the new one is there, others see it. */
async function endExcess(
  { db, sessions, audit }: OpeningServiceOptions,
  actor: { userId: string; email: string },
): Promise<void> {
  await db.transaction(async (tx) => {
    for (const { id } of await sessions.revokeExcess(tx, actor.userId)) {
      const action = 'session.limit_exceeded';
      audit.record(tx, { action, actor, targetType: 'Session', targetId: id });
    }
  });
}

/** A statement's parts that open a session where `proved` has a row. */
function opening(
  userId: string,
  { now, idleTtlSeconds, ttlSeconds }: Pick<OpeningServiceOptions, 'now' | 'idleTtlSeconds' | 'ttlSeconds'>,
  identity: IdentityProof | undefined,
) {
  const [id, at, request] = [newId(), now(), currentRequest()];
  const moment = new Date(at);
  const idleExpiresAt = new Date(at + Math.min(idleTtlSeconds, ttlSeconds) * 1000);
  const expiresAt = new Date(at + ttlSeconds * 1000);
  const insert = sql`
    INSERT INTO sessions (id, user_id, counter, rotated_at, created_at, last_used_at, idle_expires_at, expires_at, ip, user_agent, identity_id,
      provider_sid, is_multi_factor)
    SELECT ${id}::uuid, id, 0, ${moment}::timestamptz, ${moment}::timestamptz, ${moment}::timestamptz,
      ${idleExpiresAt}::timestamptz, ${expiresAt}::timestamptz, ${request?.ip ?? null}::text, ${request?.userAgent ?? null}::text,
      ${identity?.identityId ?? null}::uuid, ${identity?.providerSid ?? null}::text, ${identity?.isMultiFactor ?? false}::boolean
    FROM proved RETURNING id`;
  const kept =
    identity?.idToken == null
      ? sql``
      : sql`, kept AS (INSERT INTO session_id_tokens (session_id, id_token) SELECT id, ${identity.idToken}::text FROM opened),
          ${forgotten(moment)}`;
  const live = sql`
    SELECT count(*)::int FROM sessions
    WHERE user_id = ${userId} AND revoked_at IS NULL AND idle_expires_at > ${moment} AND expires_at > ${moment}`;
  const session: SessionState = {
    id,
    userId,
    counter: 0,
    rotatedAt: moment.toISOString(),
    idleExpiresAt: idleExpiresAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  };
  return { session, insert, kept, live, moment };
}

/** Forgets ID tokens of sessions that have ended by themselves; the oldest of all, so that none outlives its session's lifetime by much. */
const forgotten = (moment: Date) => sql`forgotten AS (
    DELETE FROM session_id_tokens WHERE session_id IN (
      SELECT s.id FROM (SELECT session_id FROM session_id_tokens ORDER BY session_id LIMIT 20) AS oldest
      JOIN sessions s ON s.id = oldest.session_id
      WHERE s.revoked_at IS NOT NULL OR s.idle_expires_at <= ${moment} OR s.expires_at <= ${moment})
  )`;

function toUser({ createdAt, updatedAt, lastLoginAt, ...row }: SqlRow<User>): User {
  const lastAt = lastLoginAt === null ? null : new Date(lastLoginAt);
  return { ...row, createdAt: new Date(createdAt), updatedAt: new Date(updatedAt), lastLoginAt: lastAt };
}
