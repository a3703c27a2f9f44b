// Fan-out: one hub per watched execution reads new events once; all who follow it read from its memory.

import { LRUCache } from 'lru-cache';
import { inTurns } from '../../core/chunked.js';
import { AppError } from '../../core/errors.js';
import { type Stream, toStream } from '../../core/pull-stream.js';
import { defaultTiming, type Timing } from '../../core/timeouts.js';
import { createFollower } from './subscriber.js';
import type { Hub, Numbered } from './types.js';

interface HubOptions<Event extends Numbered> {
  /** Events with a number above `after`, in order. */
  read: (executionId: string, after: number, limit: number) => Promise<Event[]>;
  /** Numbers of the last events of these executions; one that is gone is left out. */
  lastNumbers: (executionIds: string[]) => Promise<Map<string, number>>;
  onError: (error: unknown) => void;
  timing?: Timing;
}

/** Told instead of a number when the execution is deleted. */
const gone = 0;
const maxRecent = 200;
const pageSize = 200;

export type Hubs<Event extends Numbered> = ReturnType<typeof createHubs<Event>>;

export function createHubs<Event extends Numbered>(options: HubOptions<Event>) {
  const { read, lastNumbers, onError, timing = defaultTiming } = options;
  const hubs = new Map<string, Hub<Event>>();
  // What was heard while nobody followed: someone may just be about to.
  const heardLately = new LRUCache<string, number>({ max: 10_000 });
  let timer: NodeJS.Timeout | undefined;
  let isPolling = false;
  let isClosed = false;

  const closed = () => (isClosed ? stopping() : undefined);

  function wakeAll(hub: Hub<Event>): void {
    const woken = [...hub.waiting];
    hub.waiting.clear();
    for (const wake of woken) wake();
  }

  function append(hub: Hub<Event>, fresh: Event[], last: number): void {
    hub.recent.push(...fresh);
    if (hub.recent.length > maxRecent) hub.recent.splice(0, hub.recent.length - maxRecent);
    hub.last = last;
    wakeAll(hub);
  }

  /** Reads what is new, once for all; again while more was heard of meanwhile. */
  async function pump(hub: Hub<Event>): Promise<void> {
    if (hub.isReading) return;
    hub.isReading = true;
    try {
      while (hub.wanted > hub.last && hub.followers > 0) {
        const fresh = await read(hub.executionId, hub.last, pageSize);
        const newest = fresh.at(-1);
        if (newest === undefined) break;
        append(hub, fresh, newest.number);
      }
    } catch (error) {
      onError(error); // the poll tries again
    } finally {
      hub.isReading = false;
    }
  }

  /** @param number of an event that is there to be read; undefined when the execution is gone */
  function tell(hub: Hub<Event>, number: number | undefined): void {
    if (number === undefined) {
      hub.isGone = true;
      wakeAll(hub);
      return;
    }
    hub.wanted = Math.max(hub.wanted, number);
    if (hub.wanted > hub.last) void pump(hub);
  }

  /** Makes good for wake-ups that were lost: one statement for all hubs. */
  async function poll(): Promise<void> {
    if (isPolling) return;
    isPolling = true;
    const asked = [...hubs.values()];
    try {
      const numbers = await lastNumbers(asked.map(({ executionId }) => executionId));
      for (const hub of asked) tell(hub, numbers.get(hub.executionId));
    } catch (error) {
      onError(error);
    } finally {
      isPolling = false;
    }
  }

  function join(executionId: string, last: number): Hub<Event> {
    let hub = hubs.get(executionId);
    if (hub === undefined) {
      hub = {
        executionId,
        recent: [],
        last,
        followers: 0,
        waiting: new Set<() => void>(),
        isReading: false,
        wanted: last,
        isGone: false,
      };
      hubs.set(executionId, hub);
      timer ??= setInterval(() => void poll(), timing.pollEveryMs).unref();
    }
    hub.followers += 1;
    const heard = heardLately.get(executionId);
    tell(hub, heard === gone ? undefined : Math.max(heard ?? 0, last));
    return hub;
  }

  function leave(hub: Hub<Event>): void {
    hub.followers -= 1;
    if (hub.followers > 0) return;
    hubs.delete(hub.executionId);
    if (hubs.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  // Late joiners read the same old pages: keep them for a moment, so that a crowd costs one read.
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
    /** Gives an event of this process itself, which need not be read when it is the next one. */
    offer(executionId: string, event: Event): void {
      const hub = hubs.get(executionId);
      if (hub === undefined || hub.isReading || event.number !== hub.last + 1) return;
      append(hub, [event], event.number);
    },

    /** Tells of an event; 0 means that the execution is gone. */
    heard(executionId: string, number: number): void {
      const hub = hubs.get(executionId);
      heardLately.set(executionId, number);
      if (hub !== undefined) tell(hub, number === gone ? undefined : number);
    },

    /**
     * Events after `after`: old ones, then new ones as they come, in order, none left out, none twice. Ends after
     * the last event or when the execution is gone.
     * @param last number of the execution's last event when following began
     * @param signal ends the stream; its reason is thrown
     * @throws UNAVAILABLE when the server stops
     */
    follow(executionId: string, after: number, last: number, signal: AbortSignal): Stream<Event> {
      const hub = join(executionId, last);
      return toStream(
        createFollower({
          hub,
          after,
          signal,
          closed,
          readPage: (from) => readPage(executionId, from),
          leave: () => leave(hub),
        }),
      );
    },

    /** How many executions are watched here. */
    size: () => hubs.size,

    /** Ends all streams. */
    async close(): Promise<void> {
      isClosed = true;
      clearInterval(timer);
      for (const { waiting } of [...hubs.values()]) {
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
