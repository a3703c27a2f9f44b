// A subscriber of one execution: its position, and its next event, from the memory of the live execution or from the log.
import type { AppError } from '../../core/errors.js';
import { over, type Source, type Step } from '../../core/pull-stream.js';
import type { LiveExecution, Numbered } from './types.js';

interface SubscriberOptions<Event extends Numbered> {
  live: LiveExecution<Event>;
  /** Number of the last event that it has. */
  after: number;
  /** Ends the stream; its reason is thrown. */
  signal: AbortSignal;
  /** Reads a page of the log after this number. */
  readPage: (after: number) => Promise<readonly Event[]>;
  /** Why the live executions are closed; undefined while they are open. */
  closed: () => AppError | undefined;
  /** Called once, when it is over. */
  leave: () => void;
}

/** Creates a source of the events after `after`: old ones first, then new ones as they are announced. */
export function createSubscriber<Event extends Numbered>({
  live,
  after,
  signal,
  readPage,
  closed,
  leave,
}: SubscriberOptions<Event>): Source<Event> {
  let position = after;
  let page: readonly Event[] = [];
  let isOver = false;
  let isLoading = false;
  let isGone = false;
  let failure: unknown;
  let waiting: (() => void) | undefined;

  function wake(): void {
    const waiter = waiting;
    waiting = undefined;
    waiter?.();
  }
  signal.addEventListener('abort', wake);

  function end(): void {
    if (isOver) return;
    isOver = true;
    page = [];
    signal.removeEventListener('abort', wake);
    live.waiting.delete(wake);
    leave();
    wake();
  }

  function load(): void {
    if (isLoading) return;
    isLoading = true;
    readPage(position)
      .then(
        (found) => {
          page = found;
          isGone = found.length === 0; // deleted meanwhile
        },
        (error: unknown) => {
          failure = error;
        },
      )
      .finally(() => {
        isLoading = false;
        wake();
      });
  }

  /** Takes the next event from memory, else from a page of the log; undefined when it is in neither. */
  function pick(): Event | undefined {
    const wanted = position + 1;
    const first = live.last - live.recent.length + 1;
    if (wanted >= first && wanted <= live.last) {
      page = [];
      return live.recent[wanted - first];
    }
    return page[wanted - (page[0]?.number ?? 0)];
  }

  const fault = () => (signal.aborted ? signal.reason : (closed() ?? failure));

  return {
    fault,
    close: end,
    take(): Step<Event> {
      if (isOver) return over;
      const reason = fault();
      if (reason !== undefined) {
        end();
        throw reason;
      }
      const event = pick();
      if (event !== undefined) {
        position = event.number;
        if (event.isLast) end();
        return { done: false, value: event };
      }
      if (isGone || (position >= live.last && live.isGone)) {
        end();
        return over;
      }
      if (position < live.last) load();
      return undefined;
    },
    whenReady(callback) {
      waiting = callback;
      if (!isLoading && !isOver) live.waiting.add(wake);
    },
  };
}
