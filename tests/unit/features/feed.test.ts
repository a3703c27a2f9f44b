// The feed under interleavings that are rare in the wild: disorder, lost wake-ups, failing reads, slow readers.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { idFloor } from '../../../src/core/ids.js';
import type { FeedPosition } from '../../../src/features/execution-event/feed-reader.js';
import { createFeed } from '../../../src/features/execution-event/live-feed.js';

interface Entry {
  id: string;
  executionId: string;
  number: number;
  execution: { id: string };
  /** When it was written; stands for its id. */
  at: number;
}

let log: Entry[];
let fault: Error | undefined;
let gate: Promise<void> | undefined;
let errors: unknown[];
let feed: ReturnType<typeof createFeed<Entry>>;

const momentOf = (floor: string) => Number.parseInt(floor.slice(0, 8) + floor.slice(9, 13), 16);

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick'] });
  [log, fault, gate, errors] = [[], undefined, undefined, []];
  feed = createFeed<Entry>({
    readAfter: async (positions: FeedPosition[], floor, limit) => {
      const found = positions
        .flatMap(({ executionId, after, from }) =>
          log.filter(
            ({ execution, number, at }) =>
              execution.id === executionId && number > after && (number >= from || at >= momentOf(floor)),
          ),
        )
        .slice(0, limit);
      await gate;
      if (fault !== undefined) throw fault;
      return found;
    },
    changedSince: async (floor) => {
      const fresh = log.filter(({ at }) => at >= momentOf(floor));
      return [...new Set(fresh.map(({ execution }) => execution.id))].map((executionId) => {
        const numbers = fresh
          .filter(({ execution }) => execution.id === executionId)
          .map(({ number }) => number);
        return { executionId, first: Math.min(...numbers), last: Math.max(...numbers) };
      });
    },
    onError: (error) => errors.push(error),
  });
});
afterEach(() => {
  feed.close();
  jest.useRealTimers();
});

/** Until all is done that can be done. */
const pause = () => new Promise((resolve) => setImmediate(resolve));
const poll = async () => {
  await jest.advanceTimersByTimeAsync(2000);
  await pause();
};

function write(id: string): number {
  const number = log.filter(({ execution }) => execution.id === id).length + 1;
  log.push({ id: idFloor(Date.now()), executionId: id, number, execution: { id }, at: Date.now() });
  return number;
}

function open(isWanted: (entry: Entry) => boolean = () => true) {
  const controller = new AbortController();
  const stream = feed.follow(isWanted, controller.signal);
  const state = {
    got: [] as string[],
    end: '',
    stream,
    abort: (reason: unknown) => controller.abort(reason),
  };
  (async () => {
    for await (const { execution, number } of stream) state.got.push(`${execution.id}${number}`);
    state.end = 'over';
  })().catch((error: Error) => {
    state.end = error.message;
  });
  return state;
}

describe('the feed', () => {
  it('gives what comes from now on to subscribers that want it', async () => {
    write('a');
    await jest.advanceTimersByTimeAsync(10);
    const all = open();
    const some = open(({ execution }) => execution.id === 'b');
    feed.heard('a', write('a'));
    feed.heard('b', write('b'));
    await pause();
    expect([all.got, some.got]).toEqual([['a2', 'b1'], ['b1']]);
  });

  it('keeps each execution’s order when wake-ups come in disorder, and gives nothing twice', async () => {
    const subscriber = open();
    for (let n = 0; n < 3; n += 1) write('a');
    feed.heard('a', 3);
    feed.heard('a', 1);
    feed.heard('a', 2);
    await pause();
    await poll();
    feed.heard('a', 3);
    await pause();
    expect(subscriber.got).toEqual(['a1', 'a2', 'a3']);
  });

  it('makes good for lost wake-ups with the next poll or wake-up', async () => {
    const subscriber = open();
    feed.heard('a', write('a'));
    await pause();
    write('a');
    feed.heard('a', write('a'));
    await pause();
    expect(subscriber.got).toEqual(['a1', 'a2', 'a3']);
    write('a');
    write('b');
    await poll();
    expect(subscriber.got).toEqual(['a1', 'a2', 'a3', 'a4', 'b1']);
  });

  it('reads again for what was heard of during a read', async () => {
    const subscriber = open();
    let release: () => void = () => {};
    gate = new Promise((resolve) => {
      release = resolve;
    });
    feed.heard('a', write('a'));
    feed.heard('a', write('a'));
    gate = undefined;
    release();
    await pause();
    expect(subscriber.got).toEqual(['a1', 'a2']);
  });

  it('tries a read that failed again with the next poll', async () => {
    const subscriber = open();
    fault = new Error('the database is away');
    feed.heard('a', write('a'));
    await pause();
    expect([subscriber.got, errors]).toEqual([[], [fault]]);
    fault = undefined;
    await poll();
    expect(subscriber.got).toEqual(['a1']);
  });

  it('reads more than one batch of a flood', async () => {
    const subscriber = open();
    const numbers: string[] = [];
    for (let n = 1; n <= 2500; n += 1) numbers.push(`a${write('a')}`);
    write('b');
    await poll();
    for (let turn = 0; turn < 20; turn += 1) await pause();
    expect(subscriber.got.sort()).toEqual([...numbers, 'b1'].sort());
  });

  it('cuts off one who lags by 5,000 events, and nobody else', async () => {
    const slow = feed.follow(() => true, new AbortController().signal);
    const fast = open();
    for (let n = 0; n < 5100; n += 1) {
      feed.heard('a', write('a'));
      await pause();
    }
    expect(fast.got).toHaveLength(5100);
    await expect(slow.next()).rejects.toThrow('not read fast enough');
    expect(await slow.next()).toEqual({ done: true, value: undefined });
  });

  it('an abort ends one who waits with its reason; a return ends it quietly; a stop says so', async () => {
    const [first, second, third] = [open(), open(), open()];
    await pause();
    first.abort(new Error('revoked'));
    await second.stream.return?.();
    feed.heard('a', write('a'));
    await pause();
    feed.close();
    await pause();
    expect([first, second, third].map(({ got, end }) => [got, end])).toEqual([
      [[], 'revoked'],
      [[], 'over'],
      [['a1'], 'The server is stopping: connect again.'],
    ]);
  });
});
