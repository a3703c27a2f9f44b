// A subscriber of the live feed: a bounded queue of events on its way to one reader.
import { AppError } from '../../core/errors.js';
import { createWaker, over, type Stream, toStream } from '../../core/pull-stream.js';

interface FeedSubscriberOptions<Event> {
  isWanted: (event: Event) => boolean;
  /** Ends the stream; its reason is thrown. */
  signal: AbortSignal;
  /** Whether the server stops. */
  isClosed: () => boolean;
  /** Called once, when it is over. */
  leave: () => void;
}

/** A subscriber as the feed sees it. */
export interface FeedSubscriber<Event> {
  /** Queues the event, when it is wanted. */
  offer: (event: Event) => void;
  wake: () => void;
  stream: Stream<Event>;
}

/** Events that may wait for a reader; one that lags further behind is cut off. */
const maxQueue = 5000;

/** Creates a subscriber, which gets every event that it is offered from then on. */
export function createFeedSubscriber<Event>(options: FeedSubscriberOptions<Event>): FeedSubscriber<Event> {
  const { isWanted, signal, isClosed, leave } = options;
  const { set, wake } = createWaker();
  let queue: Event[] = [];
  let isTooSlow = false;
  let isOver = false;
  signal.addEventListener('abort', wake);

  function end(): void {
    if (isOver) return;
    isOver = true;
    queue = [];
    signal.removeEventListener('abort', wake);
    leave();
    wake();
  }

  function fault(): unknown {
    if (signal.aborted) return signal.reason;
    if (isClosed()) return unavailable('The server is stopping: connect again.');
    return isTooSlow ? unavailable('The stream was not read fast enough.') : undefined;
  }

  const stream = toStream<Event>({
    fault,
    close: end,
    take() {
      if (isOver) return over;
      const reason = fault();
      if (reason !== undefined) {
        end();
        throw reason;
      }
      const event = queue.shift();
      return event === undefined ? undefined : { done: false, value: event };
    },
    whenReady: set,
  });

  return {
    wake,
    stream,
    offer(event) {
      if (!isWanted(event)) return;
      if (queue.length >= maxQueue) isTooSlow = true;
      else queue.push(event);
      wake();
    },
  };
}

function unavailable(message: string): AppError {
  return new AppError('UNAVAILABLE', { message });
}
