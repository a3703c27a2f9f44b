// Keeps a live execution up to date: reads each new event once for all of its subscribers, and wakes them.
import type { LiveExecution, Numbered } from './types.js';

interface LiveReaderOptions<Event extends Numbered> {
  /** Events with a number above `after`, in order. */
  read: (executionId: string, after: number, limit: number) => Promise<Event[]>;
  onError: (error: unknown) => void;
}

/** The most events of a page of the log. */
export const pageSize = 200;
/** The most events that a live execution remembers. */
const maxRecent = 200;

/** Creates the reader of one instance. */
export function createLiveReader<Event extends Numbered>({ read, onError }: LiveReaderOptions<Event>) {
  function append(live: LiveExecution<Event>, fresh: Event[], last: number): void {
    live.recent.push(...fresh);
    if (live.recent.length > maxRecent) live.recent.splice(0, live.recent.length - maxRecent);
    live.last = last;
    wakeAll(live);
  }

  /** Reads new events; again while more were announced meanwhile. */
  async function pump(live: LiveExecution<Event>): Promise<void> {
    if (live.isReading) return;
    live.isReading = true;
    try {
      while (live.wanted > live.last && live.subscribers > 0) {
        const fresh = await read(live.executionId, live.last, pageSize);
        const newest = fresh.at(-1);
        if (newest === undefined) break;
        append(live, fresh, newest.number);
      }
    } catch (error) {
      onError(error); // the poll tries again
    } finally {
      live.isReading = false;
    }
  }

  return {
    /** Takes an event that this process has written; when it is the next one, nothing has to read it. */
    offer(live: LiveExecution<Event>, event: Event): void {
      if (!live.isReading && event.number === live.last + 1) append(live, [event], event.number);
    },

    /**
     * Reads up to an event that has been announced.
     * @param number of an event that can be read; undefined when the execution is gone
     */
    announce(live: LiveExecution<Event>, number: number | undefined): void {
      if (number === undefined) {
        live.isGone = true;
        wakeAll(live);
        return;
      }
      live.wanted = Math.max(live.wanted, number);
      if (live.wanted > live.last) void pump(live);
    },
  };
}

function wakeAll({ waiting }: LiveExecution<unknown>): void {
  const woken = [...waiting];
  waiting.clear();
  for (const wake of woken) wake();
}
