// The live feed of all executions: events from now on, to everyone whose filter lets them through.

import { LRUCache } from 'lru-cache';
import { inTurns } from '../../core/chunked.js';
import { AppError } from '../../core/errors.js';
import { idFloor } from '../../core/ids.js';
import { over, type Stream, toStream } from '../../core/pull-stream.js';
import { defaultTiming, type Timing } from '../../core/timeouts.js';
import { inOrder } from './resumed-feed.js';

interface FeedEvent {
  id: string;
  executionId: string;
  number: number;
  execution: { id: string };
}

/** What to read of an execution: events above `after` whose number is at least `from`, or that are new enough. */
export interface FeedPosition {
  executionId: string;
  after: number;
  from: number;
}

interface FeedOptions<Event> {
  /** Events at these positions, execution by execution, in their order; `floor` is the least id that is new enough. */
  readAfter: (positions: FeedPosition[], floor: string, limit: number) => Promise<Event[]>;
  /** Executions with events whose id is at least this, and the numbers of the first and the last of these. */
  changedSince: (floor: string) => Promise<{ executionId: string; first: number; last: number }[]>;
  onError: (error: unknown) => void;
  timing?: Timing;
}

interface Follower<Event> {
  isWanted: (event: Event) => boolean;
  queue: Event[];
  wake: (() => void) | undefined;
  isTooSlow: boolean;
}

const maxQueue = 5000;
const maxBatch = 500;
const maxRead = 500;
/** How far back the poll looks: longer than a transaction takes from making an id to its commit. */
export const lookBackMs = 6000;
/** How many events may come to be heard of in the wrong order. */
const maxDisorder = 20;

export function createFeed<Event extends FeedEvent>({
  readAfter,
  changedSince,
  onError,
  timing = defaultTiming,
}: FeedOptions<Event>) {
  const followers = new Set<Follower<Event>>();
  /** Execution → number of its last event that was handed out. */
  const handed = new LRUCache<string, number>({ max: 50_000 });
  /** Execution → the lowest number heard of that was not handed out. */
  const wanted = new Map<string, number>();
  let isReading = false;
  let isPolling = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let startedAtMs = 0;

  const floor = () => idFloor(Math.max(startedAtMs, Date.now() - lookBackMs));

  function hand(event: Event): void {
    handed.set(event.execution.id, event.number);
    for (const follower of followers) {
      if (!follower.isWanted(event)) continue;
      if (follower.queue.length >= maxQueue) follower.isTooSlow = true;
      else follower.queue.push(event);
      wake(follower);
    }
  }

  function positionOf([executionId, number]: [string, number]): FeedPosition {
    const last = handed.get(executionId);
    return last === undefined
      ? { executionId, after: Math.max(0, number - 1 - maxDisorder), from: number }
      : { executionId, after: last, from: 0 };
  }

  function want(executionId: string, number: number): void {
    wanted.set(executionId, Math.min(number, wanted.get(executionId) ?? number));
  }

  /** Reads what was heard of, in each execution's order and without gaps; again while more is heard of meanwhile. */
  async function pump(): Promise<void> {
    if (isReading) return;
    isReading = true;
    try {
      while (wanted.size > 0 && followers.size > 0) {
        const batch = [...wanted].slice(0, maxBatch);
        for (const [id] of batch) wanted.delete(id);
        const events = await readAfter(batch.map(positionOf), floor(), maxRead);
        for (const event of inOrder(events)) hand(event);
        if (events.length < maxRead) continue;
        for (const [id, number] of batch) want(id, number);
        await new Promise(setImmediate); // a flood: let those who read quickly do so
      }
    } catch (error) {
      onError(error); // the poll finds them
    } finally {
      isReading = false;
    }
  }

  function heard(executionId: string, number: number, first = number): void {
    if (followers.size === 0 || number <= (handed.get(executionId) ?? 0)) return;
    want(executionId, first);
    void pump();
  }

  /** Makes good for wake-ups that were lost. */
  async function poll(): Promise<void> {
    if (isPolling) return;
    isPolling = true;
    try {
      for (const { executionId, first, last } of await changedSince(floor())) heard(executionId, last, first);
    } catch (error) {
      onError(error);
    } finally {
      isPolling = false;
    }
  }

  function join(follower: Follower<Event>, isResumed: boolean): void {
    followers.add(follower);
    if (followers.size > 1) return;
    startedAtMs = Date.now() - (isResumed ? lookBackMs : 0);
    handed.clear();
    timer = setInterval(() => void poll(), timing.pollEveryMs).unref();
  }

  function leave(follower: Follower<Event>): void {
    if (!followers.delete(follower) || followers.size > 0) return;
    clearInterval(timer);
    wanted.clear();
  }

  return {
    /** Tells of an event. */
    heard: (executionId: string, number: number) => heard(executionId, number),

    /**
     * Events from now on.
     * @param isResumed the follower may get events of the last seconds, and leaves out what it has
     * @param signal ends the stream; its reason is thrown
     * @throws UNAVAILABLE for a consumer that lags by 5,000 events, and when the server stops
     */
    follow(isWanted: (event: Event) => boolean, signal: AbortSignal, isResumed = false): Stream<Event> {
      const follower: Follower<Event> = { isWanted, queue: [], wake: undefined, isTooSlow: false };
      let isOver = false;
      join(follower, isResumed);

      const wakeThis = () => wake(follower);
      signal.addEventListener('abort', wakeThis);

      function end(): void {
        if (isOver) return;
        isOver = true;
        follower.queue = [];
        signal.removeEventListener('abort', wakeThis);
        leave(follower);
        wakeThis();
      }

      function fault(): unknown {
        if (signal.aborted) return signal.reason;
        if (isClosed) return unavailable('The server is stopping: connect again.');
        return follower.isTooSlow ? unavailable('The stream was not read fast enough.') : undefined;
      }

      return toStream<Event>({
        fault,
        close: end,
        take() {
          if (isOver) return over;
          const reason = fault();
          if (reason !== undefined) {
            end();
            throw reason;
          }
          const event = follower.queue.shift();
          return event === undefined ? undefined : { done: false, value: event };
        },
        whenReady(callback) {
          follower.wake = callback;
        },
      });
    },

    /** Ends all streams. */
    async close(): Promise<void> {
      isClosed = true;
      clearInterval(timer);
      await inTurns(followers, wake);
    },
  };
}

function wake(follower: Pick<Follower<never>, 'wake'>): void {
  const waiter = follower.wake;
  follower.wake = undefined;
  waiter?.();
}

function unavailable(message: string): AppError {
  return new AppError('UNAVAILABLE', { message });
}
