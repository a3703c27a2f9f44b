// Fan-out: one live execution per watched execution reads new events once; all its subscribers read from its memory.
import { LRUCache } from 'lru-cache';
import { inTurns } from '../../core/chunked.js';
import { AppError } from '../../core/errors.js';
import { type Stream, toStream } from '../../core/pull-stream.js';
import { repeat } from '../../core/repeat.js';
import { defaultTiming, type Timing } from '../../core/timeouts.js';
import { entryLimit } from '../../infra/entry-limit.js';
import { createLiveReader, pageSize } from './live-reader.js';
import { createSubscriber } from './subscriber.js';
import type { LiveExecution, Numbered } from './types.js';

interface LiveExecutionOptions<Event extends Numbered> {
  /** Events with a number above `after`, in order. */
  read: (executionId: string, after: number, limit: number) => Promise<Event[]>;
  /** Numbers of the last events of these executions; one that is gone is left out. */
  lastNumbers: (executionIds: string[]) => Promise<Map<string, number>>;
  onError: (error: unknown) => void;
  timing?: Timing;
}

/** Replaces the number when the execution is deleted. */
const gone = 0;

export type LiveExecutions<Event extends Numbered> = ReturnType<typeof createLiveExecutions<Event>>;

/** Creates the live executions of one instance. */
export function createLiveExecutions<Event extends Numbered>(options: LiveExecutionOptions<Event>) {
  const reader = createLiveReader(options);
  const readPage = sharePages(options.read);
  const watched = createWatched(options, reader.announce);
  // Numbers announced while nobody subscribed: a subscription may be about to begin.
  const heardLately = new LRUCache<string, number>(entryLimit(10_000));
  let isClosed = false;
  const closed = () => (isClosed ? stopping() : undefined);

  return {
    /** Takes an event that this process has written; when it is the next one, nothing has to read it. */
    offer(executionId: string, event: Event): void {
      const live = watched.get(executionId);
      if (live !== undefined) reader.offer(live, event);
    },

    /** Announces an event; 0 means that the execution is gone. */
    heard(executionId: string, number: number): void {
      const live = watched.get(executionId);
      heardLately.set(executionId, number);
      if (live !== undefined) reader.announce(live, number === gone ? undefined : number);
    },

    /**
     * Streams the events after `after`: old ones, then new ones as they come, in order and each once. Ends after
     * the last event or when the execution is gone.
     * @param last number of the execution's last event when the subscription began
     * @param signal ends the stream; its reason is thrown
     * @throws UNAVAILABLE when the server stops
     */
    follow(executionId: string, after: number, last: number, signal: AbortSignal): Stream<Event> {
      const live = watched.join(executionId, last);
      const heard = heardLately.get(executionId);
      reader.announce(live, heard === gone ? undefined : Math.max(heard ?? 0, last));
      const leave = () => watched.leave(live);
      const source = createSubscriber({
        live,
        after,
        signal,
        closed,
        readPage: (from) => readPage(executionId, from),
        leave,
      });
      return toStream(source);
    },

    /** Number of executions that are watched on this instance. */
    size: watched.size,

    /** Ends all streams. */
    async close(): Promise<void> {
      isClosed = true;
      await watched.close();
    },
  };
}

/** The executions that have subscribers. While there are any, a poll makes up for lost announcements. */
function createWatched<Event extends Numbered>(
  { lastNumbers, onError, timing = defaultTiming }: LiveExecutionOptions<Event>,
  announce: (live: LiveExecution<Event>, number: number | undefined) => void,
) {
  const watched = new Map<string, LiveExecution<Event>>();
  let stopPoll: () => Promise<void> = async () => {};

  /** Asks with one statement for all live executions. */
  async function poll(): Promise<void> {
    const asked = [...watched.values()];
    const numbers = await lastNumbers(asked.map(({ executionId }) => executionId));
    for (const live of asked) announce(live, numbers.get(live.executionId));
  }

  return {
    get: (executionId: string) => watched.get(executionId),
    size: () => watched.size,

    join(executionId: string, last: number): LiveExecution<Event> {
      const live = watched.get(executionId) ?? newLiveExecution<Event>(executionId, last);
      if (watched.size === 0) stopPoll = repeat(timing.pollEveryMs, poll, onError);
      watched.set(executionId, live);
      live.subscribers += 1;
      return live;
    },

    leave(live: LiveExecution<Event>): void {
      live.subscribers -= 1;
      if (live.subscribers > 0) return;
      watched.delete(live.executionId);
      if (watched.size === 0) void stopPoll();
    },

    /** Stops the poll and wakes all subscribers. */
    async close(): Promise<void> {
      void stopPoll();
      for (const { waiting } of [...watched.values()]) {
        await inTurns(waiting, (wake) => {
          if (waiting.delete(wake)) wake();
        });
      }
    },
  };
}

function newLiveExecution<Event>(executionId: string, last: number): LiveExecution<Event> {
  return {
    executionId,
    recent: [],
    last,
    subscribers: 0,
    waiting: new Set(),
    isReading: false,
    wanted: last,
    isGone: false,
  };
}

/** Late joiners read the same old pages: keeps them for a moment, so that many of them cost one read. */
function sharePages<Event extends Numbered>(read: LiveExecutionOptions<Event>['read']) {
  const pages = new LRUCache<string, Promise<Event[]>>({ max: 20, ttl: 1000 });
  return (executionId: string, after: number): Promise<Event[]> => {
    const key = `${executionId}:${after}`;
    let page = pages.get(key);
    if (page === undefined) {
      page = read(executionId, after, pageSize);
      pages.set(key, page);
      page.catch(() => pages.delete(key));
    }
    return page;
  };
}

function stopping(): AppError {
  return new AppError('UNAVAILABLE', { message: 'The server is stopping: connect again.' });
}
