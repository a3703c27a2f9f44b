// Runs imports: a few at once, those of one target after each other, the rest waiting in order.
import { AppError } from '../../core/errors.js';

interface Job {
  id: string;
  key: string;
  work: (signal: AbortSignal) => Promise<void>;
  isReady: boolean;
}

/** Most imports that wait in one process. */
const maxWaiting = 1000;

/** The queue of one process. */
export interface ImportQueue {
  /** @throws UNAVAILABLE when too many wait */
  assertRoom: () => void;
  /**
   * Runs work once it is its turn.
   * @param key work with the same key runs after each other
   * @param ready resolves when the work may run; until then others take its turn, except those with its key
   */
  add: (
    id: string,
    key: string,
    work: (signal: AbortSignal) => Promise<void>,
    ready: (signal: AbortSignal) => Promise<void>,
  ) => void;
  /** Resolves when the work of this id has ended; at once when there is none. */
  ended: (id: string) => Promise<void>;
  waiting: () => number;
  /** Of all work that runs or waits. */
  ids: () => string[];
  /** Stops what runs and forgets what waits. */
  close: () => Promise<void>;
}

/** @param atOnce imports that run at the same time */
export function createImportQueue(atOnce: number): ImportQueue {
  let waiting: Job[] = [];
  const running = new Map<string, Job>();
  const ends = new Map<string, { promise: Promise<void>; resolve: () => void }>();
  const stopping = new AbortController();

  const startNext = () => {
    if (stopping.signal.aborted || running.size >= atOnce) return;
    const keys = new Set([...running.values()].map(({ key }) => key));
    const index = waiting.findIndex(({ key, isReady }) => {
      const isFirst = !keys.has(key);
      keys.add(key);
      return isFirst && isReady;
    });
    if (index === -1) return;
    const [job] = waiting.splice(index, 1) as [Job];
    running.set(job.id, job);
    void job.work(stopping.signal).finally(() => {
      running.delete(job.id);
      ends.get(job.id)?.resolve();
      ends.delete(job.id);
      startNext();
    });
    startNext();
  };

  return {
    assertRoom() {
      if (waiting.length >= maxWaiting)
        throw new AppError('UNAVAILABLE', {
          message: 'Too many imports are waiting; try again later.',
          retryAfterSeconds: 30,
        });
    },
    add(id, key, work, ready) {
      let resolve = () => {};
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      ends.set(id, { promise, resolve });
      const job = { id, key, work, isReady: false };
      waiting.push(job);
      void ready(stopping.signal).finally(() => {
        job.isReady = true;
        startNext();
      });
    },
    ended: (id) => ends.get(id)?.promise ?? Promise.resolve(),
    waiting: () => waiting.length,
    ids: () => [...ends.keys()],
    async close() {
      stopping.abort();
      waiting = [];
      await Promise.all([...running.keys()].map((id) => ends.get(id)?.promise));
      for (const { resolve } of ends.values()) resolve();
    },
  };
}
