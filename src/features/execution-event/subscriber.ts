// A subscriber of one execution: its position, and its next event, from the memory of the live execution or from the log.
import type { AppError } from '../../core/errors.js';
import { createWaker, over, type Source, type Step } from '../../core/pull-stream.js';
import { createPageLoader } from './page-loader.js';
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
export function createSubscriber<Event extends Numbered>(options: SubscriberOptions<Event>): Source<Event> {
  const { live, after, signal, readPage, closed, leave } = options;
  const { set, wake } = createWaker();
  let position = after;
  let page: readonly Event[] = [];
  let isOver = false;
  let isGone = false;
  const { load, isLoading, failure } = createPageLoader<readonly Event[]>((found) => {
    page = found;
    isGone = found.length === 0; // deleted meanwhile
  }, wake);
  const fault = () => (signal.aborted ? signal.reason : (closed() ?? failure()));
  signal.addEventListener('abort', wake);

  function end(): typeof over {
    if (isOver) return over;
    isOver = true;
    page = [];
    signal.removeEventListener('abort', wake);
    live.waiting.delete(wake);
    leave();
    wake();
    return over;
  }

  function find(number: number): Event | undefined {
    const recent = recentEvent(live, number);
    if (recent === undefined) return page[number - (page[0]?.number ?? 0)];
    page = [];
    return recent;
  }

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
      const event = find(position + 1);
      if (event !== undefined) {
        position = event.number;
        if (event.isLast) end();
        return { done: false, value: event };
      }
      if (isGone || (position >= live.last && live.isGone)) return end();
      if (position < live.last) load(() => readPage(position));
      return undefined;
    },
    whenReady(callback) {
      set(callback);
      if (!isLoading() && !isOver) live.waiting.add(wake);
    },
  };
}

/** The event of this number, when the live execution remembers it. */
function recentEvent<Event>({ recent, last }: LiveExecution<Event>, number: number): Event | undefined {
  return number > last ? undefined : recent[number - (last - recent.length + 1)];
}
