// The live feed of all executions: sends each event from now on to all subscribers whose filter matches.

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

/** Position in an execution: its events above `after` whose number is at least `from`, or that are new enough. */
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

interface Subscriber<Event> {
  isWanted: (event: Event) => boolean;
  queue: Event[];
  wake: (() => void) | undefined;
  isTooSlow: boolean;
}

const maxQueue = 5000;
const maxBatch = 500;
const maxRead = 500;
/** How far back the poll looks: longer than a transaction takes from creating an id to its commit. */
export const lookBackMs = 6000;
/** Most events that may be announced in the wrong order. */
const maxDisorder = 20;

/** The feed of one instance. */
export type Feed<Event extends FeedEvent> = ReturnType<typeof createFeed<Event>>;

/** Creates the feed of one instance. */
export function createFeed<Event extends FeedEvent>({
  readAfter,
  changedSince,
  onError,
  timing = defaultTiming,
}: FeedOptions<Event>) {
  const subscribers = new Set<Subscriber<Event>>();
  /** Execution → number of the last event that subscribers received. */
  const handed = new LRUCache<string, number>({ max: 50_000 });
  /** Execution → the lowest announced number that subscribers have not received. */
  const wanted = new Map<string, number>();
  let isReading = false;
  let isPolling = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let startedAtMs = 0;

  const floor = () => idFloor(Math.max(startedAtMs, Date.now() - lookBackMs));

  function hand(event: Event): void {
    handed.set(event.execution.id, event.number);
    for (const subscriber of subscribers) {
      if (!subscriber.isWanted(event)) continue;
      if (subscriber.queue.length >= maxQueue) subscriber.isTooSlow = true;
      else subscriber.queue.push(event);
      wake(subscriber);
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

  /** Reads the announced events, in each execution's order and without gaps; again while more are announced. */
  async function pump(): Promise<void> {
    if (isReading) return;
    isReading = true;
    try {
      while (wanted.size > 0 && subscribers.size > 0) {
        const batch = [...wanted].slice(0, maxBatch);
        for (const [id] of batch) wanted.delete(id);
        const events = await readAfter(batch.map(positionOf), floor(), maxRead);
        for (const event of inOrder(events)) hand(event);
        if (events.length < maxRead) continue;
        for (const [id, number] of batch) want(id, number);
        await new Promise(setImmediate); // under a flood, fast subscribers read meanwhile
      }
    } catch (error) {
      onError(error); // the poll finds them
    } finally {
      isReading = false;
    }
  }

  function heard(executionId: string, number: number, first = number): void {
    if (subscribers.size === 0 || number <= (handed.get(executionId) ?? 0)) return;
    want(executionId, first);
    void pump();
  }

  /** Makes up for lost wake-ups. */
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

  function join(subscriber: Subscriber<Event>, isResumed: boolean): void {
    subscribers.add(subscriber);
    if (subscribers.size > 1) return;
    startedAtMs = Date.now() - (isResumed ? lookBackMs : 0);
    handed.clear();
    timer = setInterval(() => void poll(), timing.pollEveryMs).unref();
  }

  function leave(subscriber: Subscriber<Event>): void {
    if (!subscribers.delete(subscriber) || subscribers.size > 0) return;
    clearInterval(timer);
    wanted.clear();
  }

  return {
    /** Announces an event. */
    heard: (executionId: string, number: number) => heard(executionId, number),

    /**
     * Streams events from now on.
     * @param isResumed whether to include events of the last seconds; the subscriber drops the ones it already has
     * @param signal ends the stream; its reason is thrown
     * @throws UNAVAILABLE for a consumer that lags by 5,000 events, and when the server stops
     */
    follow(isWanted: (event: Event) => boolean, signal: AbortSignal, isResumed = false): Stream<Event> {
      const subscriber: Subscriber<Event> = { isWanted, queue: [], wake: undefined, isTooSlow: false };
      let isOver = false;
      join(subscriber, isResumed);

      const wakeThis = () => wake(subscriber);
      signal.addEventListener('abort', wakeThis);

      function end(): void {
        if (isOver) return;
        isOver = true;
        subscriber.queue = [];
        signal.removeEventListener('abort', wakeThis);
        leave(subscriber);
        wakeThis();
      }

      function fault(): unknown {
        if (signal.aborted) return signal.reason;
        if (isClosed) return unavailable('The server is stopping: connect again.');
        return subscriber.isTooSlow ? unavailable('The stream was not read fast enough.') : undefined;
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
          const event = subscriber.queue.shift();
          return event === undefined ? undefined : { done: false, value: event };
        },
        whenReady(callback) {
          subscriber.wake = callback;
        },
      });
    },

    /** Ends all streams. */
    async close(): Promise<void> {
      isClosed = true;
      clearInterval(timer);
      await inTurns(subscribers, wake);
    },
  };
}

function wake(subscriber: Pick<Subscriber<never>, 'wake'>): void {
  const waiter = subscriber.wake;
  subscriber.wake = undefined;
  waiter?.();
}

function unavailable(message: string): AppError {
  return new AppError('UNAVAILABLE', { message });
}
