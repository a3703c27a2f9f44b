// Reads announced events for the live feed: in each execution's order, without gaps, however they were announced.
import { LRUCache } from 'lru-cache';
import { entryLimit } from '../../infra/entry-limit.js';
import type { FeedSubscriber } from './feed-subscriber.js';
import { inOrder } from './resumed-feed.js';

/** An event as far as the feed is concerned. */
export interface FeedEvent {
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

interface FeedReaderOptions<Event> {
  /** Events at these positions, execution by execution, in their order; `floor` is the least id that is new enough. */
  readAfter: (positions: FeedPosition[], floor: string, limit: number) => Promise<Event[]>;
  /** The least id of events that may not have been handed out. */
  floor: () => string;
  subscribers: ReadonlySet<Pick<FeedSubscriber<Event>, 'offer'>>;
  onError: (error: unknown) => void;
}

const maxBatch = 500;
const maxRead = 500;
/** Most events that may be announced in the wrong order. */
const maxDisorder = 20;

/** Creates the reader of one instance. */
export function createFeedReader<Event extends FeedEvent>(options: FeedReaderOptions<Event>) {
  const { readAfter, floor, subscribers, onError } = options;
  /** Execution → number of the last event that subscribers received. */
  const handed = new LRUCache<string, number>(entryLimit(50_000));
  /** Execution → the lowest announced number that subscribers have not received. */
  const wanted = new Map<string, number>();
  let isReading = false;

  function want(executionId: string, number: number): void {
    wanted.set(executionId, Math.min(number, wanted.get(executionId) ?? number));
  }

  /** Reads the announced events; again while more are announced. */
  async function pump(): Promise<void> {
    if (isReading) return;
    isReading = true;
    try {
      while (wanted.size > 0 && subscribers.size > 0) {
        const batch = [...wanted].slice(0, maxBatch);
        for (const [id] of batch) wanted.delete(id);
        const events = await readAfter(
          batch.map(([id, number]) => positionOf(id, number, handed.get(id))),
          floor(),
          maxRead,
        );
        for (const event of inOrder(events)) {
          handed.set(event.execution.id, event.number);
          for (const { offer } of subscribers) offer(event);
        }
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

  return {
    /**
     * Announces the events of an execution from `first` to `last`.
     * @param first the same as `last` where only one is announced
     */
    heard(executionId: string, last: number, first = last): void {
      if (subscribers.size === 0 || last <= (handed.get(executionId) ?? 0)) return;
      want(executionId, first);
      void pump();
    },

    /** Forgets what was handed out, as nobody is left who received it. */
    begin: () => handed.clear(),

    /** Forgets what was announced. */
    end: () => wanted.clear(),
  };
}

/** @param last number of the last event that was handed out; undefined when none of the execution's was */
function positionOf(executionId: string, number: number, last: number | undefined): FeedPosition {
  return last === undefined
    ? { executionId, after: Math.max(0, number - 1 - maxDisorder), from: number }
    : { executionId, after: last, from: 0 };
}
