// The live feed of a client that resumes: first the events that it missed, then live ones, each once.
import { type Source, type Stream, toStream } from '../../core/pull-stream.js';

/** An event in the log, as far as its place is concerned. */
export interface LoggedPlace {
  id: string;
  executionId: string;
  number: number;
  /** Whether the client has it. */
  isSeen: boolean;
}

interface ResumedFeedOptions<Event extends { id: string }> {
  /** Live events; it was opened before `log` was read. */
  live: Source<Event>;
  /** Events of the log from `floor` on. */
  log: readonly LoggedPlace[];
  /** The client has every event with a smaller id. */
  floor: string;
  /** Reads events, in this order, without deleted ones. */
  readPage: (ids: readonly string[]) => Promise<Event[]>;
  isWanted: (event: Event) => boolean;
}

const pageSize = 200;
/** After this time the feed hands out no event that the log had at the beginning. */
const repeatWithinMs = 60_000;

/** Creates the feed. It reads missed events at its reader's pace. */
export function createResumedFeed<Event extends { id: string }>(
  options: ResumedFeedOptions<Event>,
): Stream<Event> {
  const { live, floor, readPage, isWanted } = options;
  const missed = inOrder(options.log.filter(({ isSeen }) => !isSeen)).map(({ id }) => id);
  const given = new Set(options.log.map(({ id }) => id));
  let page: Event[] = [];
  let isLoading = false;
  let isCaughtUp = false;
  let caughtUpAtMs = 0;
  let failure: unknown;
  let waiting: (() => void) | undefined;

  function wake(): void {
    const waiter = waiting;
    waiting = undefined;
    waiter?.();
  }

  function load(): void {
    if (isLoading) return;
    isLoading = true;
    readPage(missed.splice(0, pageSize))
      .then(
        (found) => {
          page = found.filter(isWanted);
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

  function takeLive(): ReturnType<Source<Event>['take']> {
    for (;;) {
      const step = live.take();
      if (step === undefined || step.done === true) return step;
      if (given.size > 0 && Date.now() - caughtUpAtMs > repeatWithinMs) given.clear();
      if (step.value.id >= floor && !given.has(step.value.id)) return step;
    }
  }

  const fault = () => live.fault() ?? failure;
  return toStream<Event>({
    fault,
    close() {
      page = [];
      missed.length = 0;
      live.close();
    },
    take() {
      const reason = fault();
      if (reason !== undefined) {
        live.close();
        throw reason;
      }
      const event = page.shift();
      if (event !== undefined) return { done: false, value: event };
      if (isLoading) return undefined;
      if (missed.length > 0) {
        load();
        return undefined;
      }
      if (!isCaughtUp) {
        isCaughtUp = true;
        caughtUpAtMs = Date.now();
      }
      return takeLive();
    },
    whenReady(callback) {
      waiting = callback;
      live.whenReady(wake); // also says that the stream was cut off
    },
  });
}

/** By id, which is by time, but each execution's events by their numbers. */
export function inOrder<Place extends { id: string; executionId: string; number: number }>(
  places: readonly Place[],
): Place[] {
  const latest = new Map<string, string>();
  return [...places]
    .sort((one, other) => one.number - other.number)
    .map((place) => {
      const before = latest.get(place.executionId) ?? '';
      const key = [before, place.id].sort().at(-1) as string;
      latest.set(place.executionId, key);
      return { place, key };
    })
    .sort((one, other) => (one.key === other.key ? 0 : one.key < other.key ? -1 : 1))
    .map(({ place }) => place);
}
