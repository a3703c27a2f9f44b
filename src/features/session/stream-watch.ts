// Watches the rights behind open streams: a stream ends with its session, key, token or role, on every instance within a second.
import type { Logger } from 'pino';
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { Timing } from '../../core/timeouts.js';
import type { Database } from '../../infra/postgres/database.js';
import { type AccessRow, accessColumns } from '../../infra/postgres/project-access.js';
import { sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { ProjectAccessService } from '../project/access.js';

/** Dependencies of watching rights. */
export interface StreamWatchOptions {
  db: Database;
  events: Events;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
  timing: Timing;
  /** Loads what a viewer sees of projects. */
  access: ProjectAccessService;
}

interface Watched {
  viewer: Viewer;
  end: (reason: AppError) => void;
  /** Whether the stream may go on with what its viewer sees of projects now. */
  mayGoOn: () => boolean;
}

type Belongs = (viewer: Viewer) => boolean;

/**
 * Keeps `viewer.projects` as of now, and calls `end` once, when the viewer's rights end or `mayGoOn`, which is asked after
 * each change of these, says no; returns a function that stops watching.
 */
export type WatchStream = (
  viewer: Viewer,
  end: (reason: AppError) => void,
  mayGoOn?: () => boolean,
) => () => void;

/** Creates the watch. */
export function createStreamWatch(options: StreamWatchOptions): WatchStream {
  const { events, now, timing } = options;
  const watched = new Set<Watched>();
  let isChecking = false;
  let timer: NodeJS.Timeout | undefined;

  const endWhere = (belongs: Belongs, reason: AppError): void => {
    for (const entry of [...watched]) {
      if (!belongs(entry.viewer)) continue;
      watched.delete(entry);
      entry.end(reason);
    }
  };
  const check = async (belongs: Belongs = () => true): Promise<void> => {
    const viewers = [...watched].map(({ viewer }) => viewer).filter(belongs);
    if (viewers.length === 0) return;
    await endChanged(options, viewers, endWhere);
    for (const entry of [...watched]) {
      if (!belongs(entry.viewer) || entry.mayGoOn()) continue;
      watched.delete(entry);
      entry.end(rightsChanged());
    }
  };
  const tick = async (): Promise<void> => {
    endWhere(({ expiresAtMs }) => expiresAtMs <= now(), new AppError('TOKEN_EXPIRED'));
    if (isChecking) return;
    isChecking = true;
    await check();
    isChecking = false;
  };
  events.subscribe('session.ended', ({ sessionId }) =>
    endWhere((viewer) => viewer.sessionId === sessionId, new AppError('TOKEN_REVOKED')),
  );
  events.subscribe('key.ended', ({ apiKeyId }) =>
    endWhere((viewer) => viewer.apiKeyId === apiKeyId, new AppError('TOKEN_REVOKED')),
  );
  events.subscribe('user.changed', ({ userId }) => void check((viewer) => viewer.userId === userId));
  events.subscribe('project.changed', () => void check());

  return (viewer, end, mayGoOn = () => true) => {
    const entry = { viewer, end, mayGoOn };
    watched.add(entry);
    timer ??= setInterval(() => void tick(), timing.checkEveryMs).unref();
    return () => {
      watched.delete(entry);
      if (watched.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  };
}

const rightsChanged = () =>
  new AppError('FORBIDDEN', { message: 'Your rights have changed; connect again.' });

/** Compares the rights of viewers with the database, in one statement; needed when an announcement was lost. */
async function endChanged(
  options: StreamWatchOptions,
  viewers: readonly Viewer[],
  endWhere: (belongs: Belongs, reason: AppError) => void,
): Promise<void> {
  const { log, access } = options;
  try {
    access.forget();
    const rights = await currentRights(options, viewers);
    const roleOf = (viewer: Viewer) => rights.get(signInOf(viewer))?.role;
    const checked = new Set(viewers);
    endWhere((viewer) => checked.has(viewer) && roleOf(viewer) === undefined, new AppError('TOKEN_REVOKED'));
    endWhere((viewer) => checked.has(viewer) && roleOf(viewer) !== viewer.role, rightsChanged());
    for (const viewer of viewers) {
      const row = rights.get(signInOf(viewer));
      if (row === undefined) continue;
      const projects = await access.of(row);
      if (projects?.key !== viewer.projects?.key) viewer.projects = projects;
    }
  } catch (error) {
    log.warn({ event: 'stream_check_failed', err: error });
  }
}

const signInOf = ({ sessionId, apiKeyId }: Viewer): string => sessionId ?? apiKeyId ?? '';

/** Roles and access to projects by the id of the session or key. */
async function currentRights(
  { db, now }: StreamWatchOptions,
  viewers: readonly Viewer[],
): Promise<ReadonlyMap<string, AccessRow>> {
  const at = new Date(now());
  const sessionIds = [...new Set(viewers.flatMap(({ sessionId }) => sessionId ?? []))];
  const keyIds = [...new Set(viewers.flatMap(({ apiKeyId }) => apiKeyId ?? []))];
  const rows = await db.query<AccessRow & { id: string }>(sql`
    SELECT s.id, u.role, COALESCE(w.project_id, u.project_id) AS "boundTo", ${accessColumns}
    FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN workload_trusts w ON w.id = s.workload_trust_id
    WHERE s.id = ANY(${sessionIds}::uuid[]) AND s.revoked_at IS NULL AND u.status = 'ACTIVE'
      AND s.idle_expires_at > ${at} AND s.expires_at > ${at}
    UNION ALL
    SELECT k.id, u.role, k.project_id AS "boundTo", ${accessColumns} FROM api_keys k JOIN users u ON u.id = k.user_id
    WHERE k.id = ANY(${keyIds}::uuid[]) AND k.revoked_at IS NULL AND u.status = 'ACTIVE'`);
  return new Map(rows.map((row) => [row.id, row]));
}
