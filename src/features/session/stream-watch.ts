// Watches the rights behind open streams: a stream ends with its session, key, token or role, on every instance within a second.
import type { Logger } from 'pino';
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { Timing } from '../../core/timeouts.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';

/** What rights are watched with. */
export interface StreamWatchOptions {
  db: Database;
  events: Events;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
  timing: Timing;
}

interface Watched {
  viewer: Viewer;
  end: (reason: AppError) => void;
}

type Belongs = (viewer: Viewer) => boolean;

/** Calls `end` once, when the viewer's rights end; returns a function that stops watching. */
export type WatchStream = (viewer: Viewer, end: (reason: AppError) => void) => () => void;

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
    if (viewers.length > 0) await endChanged(options, viewers, endWhere);
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

  return (viewer, end) => {
    const entry = { viewer, end };
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

/** Compares the rights of viewers with the database, in one statement; needed when an announcement was lost. */
async function endChanged(
  { db, log, now }: StreamWatchOptions,
  viewers: readonly Viewer[],
  endWhere: (belongs: Belongs, reason: AppError) => void,
): Promise<void> {
  try {
    const roles = await currentRoles(db, viewers, new Date(now()));
    const roleOf = ({ sessionId, apiKeyId }: Viewer) => roles.get(sessionId ?? apiKeyId ?? '');
    const checked = new Set(viewers);
    endWhere((viewer) => checked.has(viewer) && roleOf(viewer) === undefined, new AppError('TOKEN_REVOKED'));
    endWhere(
      (viewer) => checked.has(viewer) && roleOf(viewer) !== viewer.role,
      new AppError('FORBIDDEN', { message: 'Your rights have changed; connect again.' }),
    );
  } catch (error) {
    log.warn({ event: 'stream_check_failed', err: error });
  }
}

/** Roles by the id of the session or key. */
async function currentRoles(
  db: Database,
  viewers: readonly Viewer[],
  at: Date,
): Promise<ReadonlyMap<string, string>> {
  const sessionIds = [...new Set(viewers.flatMap(({ sessionId }) => sessionId ?? []))];
  const keyIds = [...new Set(viewers.flatMap(({ apiKeyId }) => apiKeyId ?? []))];
  const rows = await db.query<{ id: string; role: string }>(sql`
    SELECT s.id, u.role FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.id = ANY(${sessionIds}::uuid[]) AND s.revoked_at IS NULL AND u.status = 'ACTIVE'
      AND s.idle_expires_at > ${at} AND s.expires_at > ${at}
    UNION ALL
    SELECT k.id, u.role FROM api_keys k JOIN users u ON u.id = k.user_id
    WHERE k.id = ANY(${keyIds}::uuid[]) AND k.revoked_at IS NULL AND u.status = 'ACTIVE'`);
  return new Map(rows.map(({ id, role }) => [id, role]));
}
