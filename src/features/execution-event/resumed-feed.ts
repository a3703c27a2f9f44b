// The live feed of a client that resumes: first the events that it missed, then live ones, each once.
import { createWaker, type Source, type Stream, toStream } from '../../core/pull-stream.js';
import { createPageLoader } from './page-loader.js';
import type { Written } from './types.js';

/** An event in the log, as far as its place is concerned. */
export interface LoggedPlace extends Written {
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
  const { live, readPage, isWanted } = options;
  const missed = inOrder(options.log.filter(({ isSeen }) => !isSeen)).map(({ id }) => id);
  const takeLive = withoutLogged(options);
  const { set, wake } = createWaker();
  let page: Event[] = [];
  const { load, isLoading, failure } = createPageLoader<Event[]>((found) => {
    page = found.filter(isWanted);
  }, wake);
  const fault = () => live.fault() ?? failure();

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
      if (isLoading()) return undefined;
      if (missed.length === 0) return takeLive();
      load(() => readPage(missed.splice(0, pageSize)));
      return undefined;
    },
    whenReady(callback) {
      set(callback);
      live.whenReady(wake); // also says that the stream was cut off
    },
  });
}

/** Takes live events, aside from the ones that the log had; to be called once the missed ones are given. */
function withoutLogged<Event extends { id: string }>({
  live,
  log,
  floor,
}: ResumedFeedOptions<Event>): Source<Event>['take'] {
  const logged = new Set(log.map(({ id }) => id));
  let caughtUpAtMs: number | undefined;
  return () => {
    caughtUpAtMs ??= Date.now();
    for (;;) {
      const step = live.take();
      if (step === undefined || step.done === true) return step;
      if (logged.size > 0 && Date.now() - caughtUpAtMs > repeatWithinMs) logged.clear();
      if (step.value.id >= floor && !logged.has(step.value.id)) return step;
    }
  };
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
