// The live feed of all executions: sends each event from now on to all subscribers whose filter matches.
import { inTurns } from '../../core/chunked.js';
import { idFloor } from '../../core/ids.js';
import type { Stream } from '../../core/pull-stream.js';
import { repeat } from '../../core/repeat.js';
import { defaultTiming, type Timing } from '../../core/timeouts.js';
import { createFeedReader, type FeedEvent, type FeedPosition } from './feed-reader.js';
import { createFeedSubscriber, type FeedSubscriber } from './feed-subscriber.js';

interface FeedOptions<Event> {
  /** Events at these positions, execution by execution, in their order; `floor` is the least id that is new enough. */
  readAfter: (positions: FeedPosition[], floor: string, limit: number) => Promise<Event[]>;
  /** Executions with events whose id is at least this, and the numbers of the first and the last of these. */
  changedSince: (floor: string) => Promise<{ executionId: string; first: number; last: number }[]>;
  onError: (error: unknown) => void;
  timing?: Timing;
}

/** Time that the poll looks back: longer than a transaction takes from creating an id to its commit. */
export const lookBackMs = 6000;

/** The feed of one instance. */
export type Feed<Event extends FeedEvent> = ReturnType<typeof createFeed<Event>>;

/** Creates the feed of one instance. It reads and polls only while it has subscribers. */
export function createFeed<Event extends FeedEvent>(options: FeedOptions<Event>) {
  const { readAfter, changedSince, onError, timing = defaultTiming } = options;
  const subscribers = new Set<FeedSubscriber<Event>>();
  let isClosed = false;
  let startedAtMs = 0;
  let stopPoll: () => Promise<void> = async () => {};

  const floor = () => idFloor(Math.max(startedAtMs, Date.now() - lookBackMs));
  const reader = createFeedReader({ readAfter, floor, subscribers, onError });

  /** Makes up for lost wake-ups. */
  async function poll(): Promise<void> {
    for (const { executionId, first, last } of await changedSince(floor()))
      reader.heard(executionId, last, first);
  }

  function join(subscriber: FeedSubscriber<Event>, isResumed: boolean): void {
    subscribers.add(subscriber);
    if (subscribers.size > 1) return;
    startedAtMs = Date.now() - (isResumed ? lookBackMs : 0);
    reader.begin();
    stopPoll = repeat(timing.pollEveryMs, poll, onError);
  }

  function leave(subscriber: FeedSubscriber<Event>): void {
    if (!subscribers.delete(subscriber) || subscribers.size > 0) return;
    void stopPoll();
    reader.end();
  }

  return {
    /** Announces an event. */
    heard: (executionId: string, number: number) => reader.heard(executionId, number),

    /**
     * Streams events from now on.
     * @param isResumed whether to include events of the last seconds; the subscriber drops the ones it already has
     * @param signal ends the stream; its reason is thrown
     * @throws UNAVAILABLE for a consumer that lags by 5,000 events, and when the server stops
     */
    follow(isWanted: (event: Event) => boolean, signal: AbortSignal, isResumed = false): Stream<Event> {
      const subscriber: FeedSubscriber<Event> = createFeedSubscriber({
        isWanted,
        signal,
        isClosed: () => isClosed,
        leave: () => leave(subscriber),
      });
      join(subscriber, isResumed);
      return subscriber.stream;
    },

    /** Ends all streams. */
    async close(): Promise<void> {
      isClosed = true;
      void stopPoll();
      await inTurns(subscribers, ({ wake }) => wake());
    },
  };
}
