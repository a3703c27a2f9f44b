// Notifies streams of changed findings: one look at the counters every half second for all streams of an instance, and one more
// for each stream after a change, so that a stream pushes only changes in projects that its viewer sees.

import type { Logger } from 'pino';
import { AppError } from '../../core/errors.js';
import { over, type Stream, toStream } from '../../core/pull-stream.js';
import type { Database } from '../../infra/postgres/database.js';
import { type Sql, sql, where } from '../../infra/postgres/sql.js';

/** Dependencies of the feed. */
export interface StatisticsFeedOptions {
  db: Database;
  log: Logger;
}

interface Subscriber {
  /** Conditions on the counters that the stream is about, as its viewer sees projects now. */
  conditions: () => Sql[];
  /** The counters as the stream's reader knows them, and the mark of all counters then. */
  state: string;
  mark: string | undefined;
  isDue: boolean;
  pushedAtMs: number;
  wake: (() => void) | undefined;
}

/** Least time between two pushes of a stream. */
const leastMs = 1000;
const everyMs = 500;

/** Creates the feed of one instance. */
export function createStatisticsFeed({ db, log }: StatisticsFeedOptions) {
  const subscribers = new Set<Subscriber>();
  let timer: NodeJS.Timeout | undefined;
  let isLooking = false;
  let isClosed = false;

  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    try {
      const seen = await readMark(db);
      const rested = performance.now() - leastMs;
      for (const subscriber of [...subscribers])
        if (subscriber.mark !== seen && subscriber.pushedAtMs <= rested) await check(db, subscriber, seen);
    } catch (error) {
      log.warn({ event: 'statistics_feed_failed', err: error }); // the next look makes up for it
    } finally {
      isLooking = false;
    }
  }

  function join(subscriber: Subscriber): void {
    subscribers.add(subscriber);
    if (subscribers.size === 1) timer = setInterval(() => void look(), everyMs).unref();
  }

  function leave(subscriber: Subscriber): void {
    if (subscribers.delete(subscriber) && subscribers.size === 0) clearInterval(timer);
  }

  return {
    /** Gives `item()` at once and after changes of the counters that meet the conditions, at most once a second. */
    async follow<Item>(
      conditions: () => Sql[],
      item: () => Item,
      signal: AbortSignal,
    ): Promise<Stream<Item>> {
      const state = await readState(db, conditions());
      const pushedAtMs = performance.now();
      const subscriber: Subscriber = {
        conditions,
        state,
        mark: undefined,
        isDue: true,
        pushedAtMs,
        wake: undefined,
      };
      join(subscriber);
      const fault = () => (signal.aborted ? signal.reason : isClosed ? stopping() : undefined);
      return streamOf(subscriber, item, signal, fault, () => leave(subscriber));
    },

    /** Ends all streams. */
    close(): void {
      isClosed = true;
      clearInterval(timer);
      for (const subscriber of [...subscribers]) wake(subscriber);
    },
  };
}

/** Has the stream push when the counters that it is about have changed. */
async function check(db: Database, subscriber: Subscriber, mark: string): Promise<void> {
  const state = await readState(db, subscriber.conditions());
  subscriber.mark = mark;
  if (state === subscriber.state) return;
  subscriber.state = state;
  subscriber.isDue = true;
  subscriber.pushedAtMs = performance.now();
  wake(subscriber);
}

function wake(subscriber: Subscriber): void {
  const waiter = subscriber.wake;
  subscriber.wake = undefined;
  waiter?.();
}

/** The stream of a subscriber: an item whenever it is due. */
function streamOf<Item>(
  subscriber: Subscriber,
  item: () => Item,
  signal: AbortSignal,
  fault: () => unknown,
  leave: () => void,
): Stream<Item> {
  let isOver = false;
  const onAbort = () => wake(subscriber);
  signal.addEventListener('abort', onAbort);
  const close = () => {
    isOver = true;
    leave();
    signal.removeEventListener('abort', onAbort);
    wake(subscriber);
  };
  return toStream<Item>({
    take() {
      if (isOver) return over;
      const reason = fault();
      if (reason !== undefined) {
        close();
        throw reason;
      }
      if (!subscriber.isDue) return undefined;
      subscriber.isDue = false;
      return { done: false, value: item() };
    },
    whenReady(waiter) {
      subscriber.wake = waiter;
      if (subscriber.isDue || isOver || fault() !== undefined) wake(subscriber);
    },
    fault,
    close,
  });
}

function stopping(): AppError {
  return new AppError('UNAVAILABLE', { message: 'The server is stopping.', retryAfterSeconds: 1 });
}

/** A mark that differs after each change, and after the counters were added up. */
async function readMark(db: Database): Promise<string> {
  const [row] = await db.read<{ mark: string }>(
    sql`SELECT count(*) || ':' || coalesce(max(id), 0) AS mark FROM finding_counts`,
  );
  return row?.mark ?? '';
}

/** The counters that meet the conditions, as one text. */
async function readState(db: Database, conditions: Sql[]): Promise<string> {
  const rows = await db.queryUncached<{ state: string }>(sql`
    SELECT coalesce(string_agg(concat_ws(':', project_id, triage, severity, is_present, total), ' '
      ORDER BY project_id, triage, severity, is_present), '') AS state
    FROM (
      SELECT project_id, triage, severity, is_present, sum(change) AS total FROM finding_counts ${where(conditions)}
      GROUP BY 1, 2, 3, 4 HAVING sum(change) <> 0
    ) AS summed`);
  return rows[0]?.state ?? '';
}
