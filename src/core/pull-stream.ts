// Streams whose ready items are taken at once, without a promise each. They know nothing of their items.

/** The next item; undefined when the reader has to wait for it. */
export type Step<Item> = IteratorResult<Item, undefined> | undefined;

/** A stream as its reader sees it. */
export interface Source<Item> {
  /** The next item, or the end. @throws the reason why the stream was cut off */
  take: () => Step<Item>;
  /** Calls once when taking may bring something; ask again after each call, and only when there was nothing. */
  whenReady: (wake: () => void) => void;
  /** Why the stream was cut off, as soon as it is: what was taken before may not be passed on any more. */
  fault: () => unknown;
  /** Nothing more is wanted. */
  close: () => void;
}

/** A source that is an asynchronous iterator, too. */
export type Stream<Item> = Source<Item> & AsyncIterableIterator<Item, undefined>;

/** The step that ends a stream. */
export const over = { done: true, value: undefined } as const;

/** Makes a source an asynchronous iterator too. */
export function toStream<Item>(source: Source<Item>): Stream<Item> {
  const stream: Stream<Item> = Object.assign(source, {
    async next() {
      for (;;) {
        const step = source.take();
        if (step !== undefined) return step;
        await new Promise<void>((resolve) => source.whenReady(resolve));
      }
    },
    async return() {
      source.close();
      return over;
    },
    [Symbol.asyncIterator]: () => stream,
  });
  return stream;
}

/** Holds the callback of the one reader of a source. */
export interface Waker {
  /** For `whenReady`: keeps the callback for the next wake-up. */
  set: (callback: () => void) => void;
  /** Calls it once, when there is one. */
  wake: () => void;
}

/** Creates a waker without a callback. */
export function createWaker(): Waker {
  let waiting: (() => void) | undefined;
  return {
    set(callback) {
      waiting = callback;
    },
    wake() {
      const waiter = waiting;
      waiting = undefined;
      waiter?.();
    },
  };
}

/** A stream that is over. */
export function emptyStream(): Stream<never> {
  return toStream<never>({
    take: () => over,
    whenReady: (wake) => wake(),
    fault: () => undefined,
    close: () => {},
  });
}
