// Collects what a start has opened, so that the stop, or a failed start, closes it in the opposite order.
import type { Logger } from 'pino';

/** Closes one part of the server. */
export type Closer = () => Promise<unknown>;

/** The parts that have to be closed. */
export interface Closers {
  /** Adds a part, which is closed before the parts added earlier. */
  add: (closer: Closer) => void;
  /** Closes all parts, one after the other; a second call waits for the first. A part that fails is logged. */
  close: () => Promise<void>;
}

/** Creates an empty collection. */
export function createClosers(log: Logger): Closers {
  const closers: Closer[] = [];
  let closing: Promise<void> | undefined;
  async function closeAll(): Promise<void> {
    for (const closer of closers.reverse())
      await closer().catch((error: unknown) => log.warn({ event: 'close_failed', err: error }));
  }
  return {
    add: (closer) => void closers.push(closer),
    close() {
      closing ??= closeAll();
      return closing;
    },
  };
}
