// The live feed of all executions: events from now on, to everyone whose filter lets them through.

import { LRUCache } from 'lru-cache';
import { AppError } from '../../core/errors.js';
import { idFloor } from '../../core/ids.js';

interface FeedEvent {
  number: number;
  execution: { id: string };
}

interface FeedOptions<Event> {
  /** The events of these numbers. */
  readAt: (keys: { executionId: string; number: number }[]) => Promise<Event[]>;
  /** Events whose id is at least this. */
  readSince: (floor: string, limit: number) => Promise<Event[]>;
  onError: (error: unknown) => void;
}

interface Follower<Event> {
  isWanted: (event: Event) => boolean;
  queue: Event[];
  wake: (() => void) | undefined;
  isTooSlow: boolean;
}

const maxQueue = 1000;
const maxBatch = 500;
const pollEveryMs = 2000;
/** How far back the poll looks: longer than a transaction takes from making an id to its commit. */
const lookBackMs = 6000;

export function createFeed<Event extends FeedEvent>({ readAt, readSince, onError }: FeedOptions<Event>) {
  const followers = new Set<Follower<Event>>();
  const seen = new LRUCache<string, true>({ max: 50_000 });
  let wanted: { executionId: string; number: number }[] = [];
  let isReading = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let startedAtMs = 0;

  function hand(events: Event[]): void {
    for (const event of events) {
      const key = `${event.execution.id}:${event.number}`;
      if (seen.has(key)) continue;
      seen.set(key, true);
      for (const follower of followers) {
        if (!follower.isWanted(event)) continue;
        if (follower.queue.length >= maxQueue) follower.isTooSlow = true;
        else follower.queue.push(event);
        follower.wake?.();
      }
    }
  }

  async function pump(): Promise<void> {
    if (isReading) return;
    isReading = true;
    try {
      while (wanted.length > 0 && followers.size > 0) hand(await readAt(wanted.splice(0, maxBatch)));
    } catch (error) {
      onError(error); // the poll finds them
    } finally {
      isReading = false;
    }
  }

  /** Makes good for wake-ups that were lost. */
  async function poll(): Promise<void> {
    const since = Math.max(startedAtMs, Date.now() - lookBackMs);
    hand(await readSince(idFloor(since), maxQueue));
  }

  function join(follower: Follower<Event>): void {
    followers.add(follower);
    if (followers.size > 1) return;
    startedAtMs = Date.now();
    timer = setInterval(() => poll().catch(onError), pollEveryMs).unref();
  }

  function leave(follower: Follower<Event>): void {
    followers.delete(follower);
    if (followers.size > 0) return;
    clearInterval(timer);
    wanted = [];
  }

  return {
    /** Tells of an event. */
    heard(executionId: string, number: number): void {
      if (followers.size === 0) return;
      wanted.push({ executionId, number });
      void pump();
    },

    /**
     * Events from now on.
     * @param signal ends the stream; its reason is thrown
     * @throws UNAVAILABLE for a consumer that lags by 1,000 events
     */
    follow(isWanted: (event: Event) => boolean, signal: AbortSignal): AsyncIterableIterator<Event> {
      const follower: Follower<Event> = { isWanted, queue: [], wake: undefined, isTooSlow: false };
      let isDone = false;
      const wake = () => follower.wake?.();
      join(follower);
      signal.addEventListener('abort', wake);

      function finish(): { done: true; value: undefined } {
        isDone = true;
        signal.removeEventListener('abort', wake);
        leave(follower);
        wake();
        return { done: true, value: undefined };
      }

      return {
        async next() {
          for (;;) {
            const fault = signal.aborted
              ? signal.reason
              : follower.isTooSlow &&
                new AppError('UNAVAILABLE', { message: 'The stream was not read fast enough.' });
            if (fault) {
              finish();
              throw fault;
            }
            if (isDone || isClosed) return finish();
            const event = follower.queue.shift();
            if (event !== undefined) return { done: false, value: event };
            await new Promise<void>((resolve) => {
              follower.wake = resolve;
            });
          }
        },
        return: async () => finish(),
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },

    close(): void {
      isClosed = true;
      clearInterval(timer);
      for (const follower of followers) follower.wake?.();
    },
  };
}
