// Open streams and the rights behind them: a stream ends when its sign-in does, on every instance within a second.
import type { Logger } from 'pino';
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import { type Source, type Stream, toStream } from '../../core/pull-stream.js';
import type { Timing } from '../../core/timeouts.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';

interface StreamServiceOptions {
  db: Database;
  events: Events;
  log: Logger;
  now: () => number;
  timing: Timing;
  /** Streams that one user may have open on this instance. */
  maxPerUser: number;
  /** Told of every stream that is refused. */
  onRefusal?: (() => void) | undefined;
}

interface Watched {
  viewer: Viewer;
  end: (reason: AppError) => void;
}

export type StreamService = ReturnType<typeof createStreamService>;

export function createStreamService(options: StreamServiceOptions) {
  const { db, events, log, now, timing, maxPerUser, onRefusal } = options;
  const watched = new Set<Watched>();
  const openByUser = new Map<string, number>();
  let isClosed = false;
  let isChecking = false;
  let timer: NodeJS.Timeout | undefined;

  function endWhere(belongs: (viewer: Viewer) => boolean, reason: AppError): void {
    for (const entry of [...watched]) {
      if (!belongs(entry.viewer)) continue;
      watched.delete(entry);
      entry.end(reason);
    }
  }
  events.subscribe('session.ended', ({ sessionId }) =>
    endWhere((viewer) => viewer.sessionId === sessionId, new AppError('TOKEN_REVOKED')),
  );
  events.subscribe('key.ended', ({ apiKeyId }) =>
    endWhere((viewer) => viewer.apiKeyId === apiKeyId, new AppError('TOKEN_REVOKED')),
  );
  events.subscribe('user.changed', ({ userId }) => void check((viewer) => viewer.userId === userId));

  /** Compares what the streams stand on with the database, in one statement; also when a message was lost. */
  async function check(belongs: (viewer: Viewer) => boolean = () => true): Promise<void> {
    const viewers = [...watched].map(({ viewer }) => viewer).filter(belongs);
    if (viewers.length === 0) return;
    const sessionIds = [...new Set(viewers.flatMap(({ sessionId }) => sessionId ?? []))];
    const keyIds = [...new Set(viewers.flatMap(({ apiKeyId }) => apiKeyId ?? []))];
    const at = new Date(now());
    try {
      const rows = await db.query<{ id: string; role: string }>(sql`
        SELECT s.id, u.role FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.id = ANY(${sessionIds}::uuid[]) AND s.revoked_at IS NULL AND u.status = 'ACTIVE'
          AND s.idle_expires_at > ${at} AND s.expires_at > ${at}
        UNION ALL
        SELECT k.id, u.role FROM api_keys k JOIN users u ON u.id = k.user_id
        WHERE k.id = ANY(${keyIds}::uuid[]) AND k.revoked_at IS NULL AND u.status = 'ACTIVE'`);
      const roles = new Map(rows.map(({ id, role }) => [id, role]));
      const roleOf = ({ sessionId, apiKeyId }: Viewer) => roles.get(sessionId ?? apiKeyId ?? '');
      const checked = new Set(viewers);
      endWhere(
        (viewer) => checked.has(viewer) && roleOf(viewer) === undefined,
        new AppError('TOKEN_REVOKED'),
      );
      endWhere(
        (viewer) => checked.has(viewer) && roleOf(viewer) !== viewer.role,
        new AppError('FORBIDDEN', { message: 'Your rights have changed; connect again.' }),
      );
    } catch (error) {
      log.warn({ event: 'stream_check_failed', err: error });
    }
  }

  async function tick(): Promise<void> {
    endWhere(({ expiresAtMs }) => expiresAtMs <= now(), new AppError('TOKEN_EXPIRED'));
    if (isChecking) return;
    isChecking = true;
    await check();
    isChecking = false;
  }

  /** Calls `end` once, when the viewer's sign-in or rights end; returns how to stop watching. */
  function watch(viewer: Viewer, end: (reason: AppError) => void): () => void {
    const entry = { viewer, end };
    watched.add(entry);
    timer ??= setInterval(() => void tick(), timing.checkEveryMs).unref();
    return () => {
      watched.delete(entry);
      if (watched.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  }

  function count(userId: string, change: 1 | -1): void {
    const open = (openByUser.get(userId) ?? 0) + change;
    if (open === 0) openByUser.delete(userId);
    else openByUser.set(userId, open);
  }

  return {
    watch,

    /**
     * Opens a stream that ends with the viewer's rights.
     * @param begin starts it; the signal's reason is what it must throw
     * @throws RATE_LIMITED when the user has too many open
     * @throws UNAVAILABLE when the server is stopping
     */
    async open<Event>(
      viewer: Viewer,
      begin: (signal: AbortSignal) => Source<Event> | Promise<Source<Event>>,
    ): Promise<Stream<Event>> {
      if (isClosed)
        throw new AppError('UNAVAILABLE', { message: 'The server is stopping.', retryAfterSeconds: 1 });
      if ((openByUser.get(viewer.userId) ?? 0) >= maxPerUser) {
        onRefusal?.();
        throw new AppError('RATE_LIMITED', {
          message: `At most ${maxPerUser} streams may be open.`,
          retryAfterSeconds: 5,
        });
      }
      count(viewer.userId, 1);
      const controller = new AbortController();
      const unwatch = watch(viewer, (reason) => controller.abort(reason));
      let isOpen = true;
      const close = () => {
        if (!isOpen) return;
        isOpen = false;
        unwatch();
        count(viewer.userId, -1);
      };
      try {
        const stream = await begin(controller.signal);
        return closing(stream, close);
      } catch (error) {
        close();
        throw error;
      }
    },

    /** Open streams of all users. */
    size: () => [...openByUser.values()].reduce((sum, open) => sum + open, 0),

    /** No new streams from now on. */
    close(): void {
      isClosed = true;
    },
  };
}

/** The same stream, telling when it is over. */
function closing<Event>(stream: Source<Event>, onEnd: () => void): Stream<Event> {
  return toStream({
    take() {
      try {
        const step = stream.take();
        if (step?.done === true) onEnd();
        return step;
      } catch (error) {
        onEnd();
        throw error;
      }
    },
    whenReady: stream.whenReady,
    fault: stream.fault,
    close() {
      onEnd();
      stream.close();
    },
  });
}
