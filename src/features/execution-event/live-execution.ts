// Fan-out: one live execution per watched execution reads new events once; all its subscribers read from its memory.
import { LRUCache } from 'lru-cache';
import { inTurns } from '../../core/chunked.js';
import { AppError } from '../../core/errors.js';
import { type Stream, toStream } from '../../core/pull-stream.js';
import { defaultTiming, type Timing } from '../../core/timeouts.js';
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
const maxRecent = 200;
const pageSize = 200;

export type LiveExecutions<Event extends Numbered> = ReturnType<typeof createLiveExecutions<Event>>;

/** Creates the live executions of one instance. */
export function createLiveExecutions<Event extends Numbered>(options: LiveExecutionOptions<Event>) {
  const { read, lastNumbers, onError, timing = defaultTiming } = options;
  const watched = new Map<string, LiveExecution<Event>>();
  // Numbers announced while nobody subscribed: a subscription may be about to begin.
  const heardLately = new LRUCache<string, number>({ max: 10_000 });
  let timer: NodeJS.Timeout | undefined;
  let isPolling = false;
  let isClosed = false;

  const closed = () => (isClosed ? stopping() : undefined);

  function wakeAll(live: LiveExecution<Event>): void {
    const woken = [...live.waiting];
    live.waiting.clear();
    for (const wake of woken) wake();
  }

  function append(live: LiveExecution<Event>, fresh: Event[], last: number): void {
    live.recent.push(...fresh);
    if (live.recent.length > maxRecent) live.recent.splice(0, live.recent.length - maxRecent);
    live.last = last;
    wakeAll(live);
  }

  /** Reads new events once for all subscribers; again while more were announced meanwhile. */
  async function pump(live: LiveExecution<Event>): Promise<void> {
    if (live.isReading) return;
    live.isReading = true;
    try {
      while (live.wanted > live.last && live.subscribers > 0) {
        const fresh = await read(live.executionId, live.last, pageSize);
        const newest = fresh.at(-1);
        if (newest === undefined) break;
        append(live, fresh, newest.number);
      }
    } catch (error) {
      onError(error); // the poll tries again
    } finally {
      live.isReading = false;
    }
  }

  /** @param number of an event that can be read; undefined when the execution is gone */
  function announce(live: LiveExecution<Event>, number: number | undefined): void {
    if (number === undefined) {
      live.isGone = true;
      wakeAll(live);
      return;
    }
    live.wanted = Math.max(live.wanted, number);
    if (live.wanted > live.last) void pump(live);
  }

  /** Makes up for lost wake-ups, with one statement for all live executions. */
  async function poll(): Promise<void> {
    if (isPolling) return;
    isPolling = true;
    const asked = [...watched.values()];
    try {
      const numbers = await lastNumbers(asked.map(({ executionId }) => executionId));
      for (const live of asked) announce(live, numbers.get(live.executionId));
    } catch (error) {
      onError(error);
    } finally {
      isPolling = false;
    }
  }

  function join(executionId: string, last: number): LiveExecution<Event> {
    let live = watched.get(executionId);
    if (live === undefined) {
      live = {
        executionId,
        recent: [],
        last,
        subscribers: 0,
        waiting: new Set<() => void>(),
        isReading: false,
        wanted: last,
        isGone: false,
      };
      watched.set(executionId, live);
      timer ??= setInterval(() => void poll(), timing.pollEveryMs).unref();
    }
    live.subscribers += 1;
    const heard = heardLately.get(executionId);
    announce(live, heard === gone ? undefined : Math.max(heard ?? 0, last));
    return live;
  }

  function leave(live: LiveExecution<Event>): void {
    live.subscribers -= 1;
    if (live.subscribers > 0) return;
    watched.delete(live.executionId);
    if (watched.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  // Late joiners read the same old pages: keep them for a moment, so that many of them cost one read.
  const pages = new LRUCache<string, Promise<Event[]>>({ max: 20, ttl: 1000 });
  function readPage(executionId: string, after: number): Promise<Event[]> {
    const key = `${executionId}:${after}`;
    let page = pages.get(key);
    if (page === undefined) {
      page = read(executionId, after, pageSize);
      pages.set(key, page);
      page.catch(() => pages.delete(key));
    }
    return page;
  }

  return {
    /** Takes an event that this process has written; when it is the next one, nothing has to read it. */
    offer(executionId: string, event: Event): void {
      const live = watched.get(executionId);
      if (live === undefined || live.isReading || event.number !== live.last + 1) return;
      append(live, [event], event.number);
    },

    /** Announces an event; 0 means that the execution is gone. */
    heard(executionId: string, number: number): void {
      const live = watched.get(executionId);
      heardLately.set(executionId, number);
      if (live !== undefined) announce(live, number === gone ? undefined : number);
    },

    /**
     * Streams the events after `after`: old ones, then new ones as they come, in order and each once. Ends after
     * the last event or when the execution is gone.
     * @param last number of the execution's last event when the subscription began
     * @param signal ends the stream; its reason is thrown
     * @throws UNAVAILABLE when the server stops
     */
    follow(executionId: string, after: number, last: number, signal: AbortSignal): Stream<Event> {
      const live = join(executionId, last);
      return toStream(
        createSubscriber({
          live,
          after,
          signal,
          closed,
          readPage: (from) => readPage(executionId, from),
          leave: () => leave(live),
        }),
      );
    },

    /** Number of executions that are watched on this instance. */
    size: () => watched.size,

    /** Ends all streams. */
    async close(): Promise<void> {
      isClosed = true;
      clearInterval(timer);
      for (const { waiting } of [...watched.values()]) {
        await inTurns(waiting, (wake) => {
          if (waiting.delete(wake)) wake();
        });
      }
    },
  };
}

function stopping(): AppError {
  return new AppError('UNAVAILABLE', { message: 'The server is stopping: connect again.' });
}
