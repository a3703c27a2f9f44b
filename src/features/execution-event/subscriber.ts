// One who follows an execution: where it has got to, and what it is given next from the hub's memory or from the log.
import type { AppError } from '../../core/errors.js';
import { over, type Source, type Step } from '../../core/pull-stream.js';
import type { Hub, Numbered } from './types.js';

interface FollowerOptions<Event extends Numbered> {
  hub: Hub<Event>;
  /** Number of the last event that it has. */
  after: number;
  /** Cuts it off; its reason is thrown. */
  signal: AbortSignal;
  /** A page of the log behind this number. */
  readPage: (after: number) => Promise<readonly Event[]>;
  /** Why the hubs are closed, if they are. */
  closed: () => AppError | undefined;
  /** Called once, when it is over. */
  leave: () => void;
}

/** Events behind `after`, old ones first, then new ones as the hub hears of them. */
export function createFollower<Event extends Numbered>({
  hub,
  after,
  signal,
  readPage,
  closed,
  leave,
}: FollowerOptions<Event>): Source<Event> {
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
    hub.waiting.delete(wake);
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

  /** From the hub's memory, else from a page of the log; undefined when it is in neither. */
  function pick(): Event | undefined {
    const wanted = position + 1;
    const first = hub.last - hub.recent.length + 1;
    if (wanted >= first && wanted <= hub.last) {
      page = [];
      return hub.recent[wanted - first];
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
      if (isGone || (position >= hub.last && hub.isGone)) {
        end();
        return over;
      }
      if (position < hub.last) load();
      return undefined;
    },
    whenReady(callback) {
      waiting = callback;
      if (!isLoading && !isOver) hub.waiting.add(wake);
    },
  };
}
