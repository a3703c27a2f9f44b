// Runs work for one key at a time, in order, so that callers who would wait for the same lock hold no connection meanwhile.
import { AppError } from './errors.js';

interface Waiting {
  run: () => void;
}

/** One queue per key. */
export interface KeyedQueue {
  /**
   * Runs the work once all earlier work of the key has ended.
   * @throws UNAVAILABLE with retryAfterSeconds when too many wait, or when the wait takes too long
   */
  run: <T>(key: string, work: () => Promise<T>) => Promise<T>;
}

/**
 * Creates the queues.
 * @param maxWaiting callers that may wait for one key
 * @param maxWaitMs longest wait
 */
export function createKeyedQueue(maxWaiting: number, maxWaitMs: number): KeyedQueue {
  const queues = new Map<string, Waiting[]>();

  const takeTurn = (key: string): Promise<void> => {
    const waiting = queues.get(key);
    if (waiting === undefined) {
      queues.set(key, []);
      return Promise.resolve();
    }
    if (waiting.length >= maxWaiting) return Promise.reject(busy(maxWaitMs));
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        run: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(entry), 1);
        reject(busy(maxWaitMs));
      }, maxWaitMs);
      waiting.push(entry);
    });
  };

  const endTurn = (key: string): void => {
    const next = queues.get(key)?.shift();
    if (next === undefined) queues.delete(key);
    else next.run();
  };

  return {
    async run(key, work) {
      await takeTurn(key);
      try {
        return await work();
      } finally {
        endTurn(key);
      }
    },
  };
}

function busy(waitMs: number): AppError {
  return new AppError('UNAVAILABLE', {
    message: 'Other changes of the same execution are under way; try again shortly.',
    retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
  });
}
