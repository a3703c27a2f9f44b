// Checks sessions: the user and role behind a session, cached for a second; the end of a session is announced.
import { AppError } from '../../core/errors.js';
import { type Role, type Viewer, validScopes } from '../../core/permissions.js';
import type { Timing } from '../../core/timeouts.js';
import { createCache } from '../../infra/cache.js';
import { ownsSecondFactor } from '../../infra/credentials/second-factor.js';
import type { Database } from '../../infra/postgres/database.js';
import { type AccessRow, accessColumns } from '../../infra/postgres/project-access.js';
import { sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { Metrics } from '../../infra/telemetry/metrics.js';
import type { ProjectAccessService } from '../project/access.js';

/** Dependencies of checking sessions. */
export interface SessionCheckOptions {
  db: Database;
  events: Events;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Roles that must set up a second factor first. */
  rolesWithSecondFactor: readonly string[];
  metrics: Metrics | undefined;
  timing: Timing;
  /** Loads what a user sees of projects. */
  access: ProjectAccessService;
}

interface LiveSession {
  viewer: Omit<Viewer, 'expiresAtMs'>;
  endsAtMs: number;
  /** The viewer as it was recalled last. */
  recalled?: Viewer;
}

interface SessionUser extends AccessRow {
  userId: string;
  email: string;
  name: string;
  role: Role;
  mustChange: boolean;
  hasSecondFactor: boolean;
  /** Whether the identity provider asked for a second factor. */
  isMultiFactor: boolean;
  /** Whether the user signed in at an identity provider. */
  isByIdentity: boolean;
  /** The permissions of a workload; null for a person. */
  scopes: string[] | null;
  /** The only project of a workload. */
  boundTo: string | null;
  signedInAt: string;
  endsAt: string;
}

/** Creates the checks. */
export function createSessionChecks(options: SessionCheckOptions) {
  const { events, now, metrics, timing } = options;
  const live = createCache<LiveSession>({
    name: 'session',
    max: 10_000,
    ttlMs: timing.believeMs,
    metrics,
    tagsOf: ({ viewer }) => [viewer.userId],
  });
  events.subscribe('session.ended', ({ sessionId }) => live.forget(sessionId));
  events.subscribe('user.changed', ({ userId }) => live.forgetTag(userId));
  events.subscribe('project.changed', () => live.clear());

  return {
    /**
     * The user of a session, with the current role; trusted for a second.
     * @throws TOKEN_REVOKED
     */
    async check(sessionId: string, tokenExpiresAtMs: number): Promise<Viewer> {
      const session = await live(sessionId, () => loadSession(options, sessionId));
      if (session.endsAtMs <= now()) throw new AppError('TOKEN_REVOKED');
      return { ...session.viewer, expiresAtMs: Math.min(tokenExpiresAtMs, session.endsAtMs) };
    },

    /** As {@link check}, for a session that was read within the last second; undefined for any other. */
    recall(sessionId: string, tokenExpiresAtMs: number): Viewer | undefined {
      const session = live.peek(sessionId);
      if (session === undefined || session.endsAtMs <= now()) return undefined;
      const expiresAtMs = Math.min(tokenExpiresAtMs, session.endsAtMs);
      if (session.recalled?.expiresAtMs !== expiresAtMs)
        session.recalled = { ...session.viewer, expiresAtMs };
      return session.recalled;
    },
  };
}

async function loadSession(
  { db, now, rolesWithSecondFactor, access }: SessionCheckOptions,
  sessionId: string,
): Promise<LiveSession> {
  const at = new Date(now());
  const [row] = await db.read<SessionUser>(sql`
    SELECT u.id AS "userId", u.email, u.name, u.role, u.must_change_password AS "mustChange",
      ${ownsSecondFactor(sql`u.id`)} AS "hasSecondFactor",
      s.created_at AS "signedInAt", s.is_multi_factor AS "isMultiFactor", s.identity_id IS NOT NULL AS "isByIdentity",
      CASE WHEN s.workload_trust_id IS NOT NULL THEN COALESCE(s.scopes, '{}') END AS scopes, COALESCE(w.project_id, u.project_id) AS "boundTo",
      LEAST(s.idle_expires_at, s.expires_at) AS "endsAt", ${accessColumns}
    FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN workload_trusts w ON w.id = s.workload_trust_id
    WHERE s.id = ${sessionId} AND s.revoked_at IS NULL AND u.status = 'ACTIVE'
      AND s.idle_expires_at > ${at} AND s.expires_at > ${at}`);
  if (row === undefined) throw new AppError('TOKEN_REVOKED');
  const { endsAt, signedInAt, mustChange, hasSecondFactor, memberships, hasPrivate, hasDeleted, ...rest } =
    row;
  const { isMultiFactor, isByIdentity, scopes, boundTo, ...user } = rest;
  const projects = await access.of(row);
  const isWorkload = scopes !== null;
  const mustEnrol =
    !isWorkload && !hasSecondFactor && !isMultiFactor && rolesWithSecondFactor.includes(user.role);
  const viewer = {
    ...user,
    sessionId,
    ...(isWorkload ? { scopes: validScopes(scopes) } : { signedInAtMs: Date.parse(signedInAt) }),
    ...(projects !== undefined && { projects }),
    ...(mustEnrol && { mustFirst: 'SECOND_FACTOR_ENROLMENT_REQUIRED' as const }),
    ...(mustChange && !isByIdentity && { mustFirst: 'PASSWORD_CHANGE_REQUIRED' as const }),
  };
  return { viewer, endsAtMs: Date.parse(endsAt) };
}
