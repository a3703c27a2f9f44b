// Live executions under interleavings that are rare in the wild: lost wake-ups, late joiners, failing reads, aborts.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AppError } from '../../../src/core/errors.js';
import {
  createLiveExecutions,
  type LiveExecutions,
} from '../../../src/features/execution-event/live-execution.js';

interface Entry {
  number: number;
  isLast: boolean;
}

/** A log that can be written, held up, broken and deleted. */
let log: Entry[];
let isDeleted: boolean;
let reads: number[];
let gate: Promise<void> | undefined;
let fault: Error | undefined;
let errors: unknown[];
let liveExecutions: LiveExecutions<Entry>;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick'] });
  [log, isDeleted, reads, gate, fault, errors] = [[], false, [], undefined, undefined, []];
  liveExecutions = createLiveExecutions<Entry>({
    read: async (_id, after, limit) => {
      reads.push(after);
      const found = log.filter(({ number }) => number > after).slice(0, limit);
      await gate;
      if (fault !== undefined) throw fault;
      return found;
    },
    lastNumbers: async (ids) => new Map(isDeleted ? [] : ids.map((id) => [id, log.length])),
    onError: (error) => errors.push(error),
  });
});
afterEach(() => {
  liveExecutions.close();
  jest.useRealTimers();
});

const write = (count = 1, isLast = false) => {
  for (let n = 0; n < count; n += 1) log.push({ number: log.length + 1, isLast: isLast && n === count - 1 });
};
const heard = (number = log.length) => liveExecutions.heard('x', number);
/** Until all is done that can be done. */
const pause = () => new Promise((resolve) => setImmediate(resolve));
const poll = async () => {
  await jest.advanceTimersByTimeAsync(2000);
  await pause();
};

/** Holds up reads that begin from now on. @returns what lets them go */
function holdReads(): () => void {
  let release: () => void = () => {};
  gate = new Promise((resolve) => {
    release = resolve;
  });
  return () => {
    release();
    gate = undefined;
  };
}

/** A subscriber that reads as fast as it can. */
function open(after = 0, last = log.length) {
  const controller = new AbortController();
  const stream = liveExecutions.follow('x', after, last, controller.signal);
  const numbers: number[] = [];
  const state = { numbers, stream, end: '', abort: (reason: unknown) => controller.abort(reason) };
  (async () => {
    for await (const { number } of stream) numbers.push(number);
    state.end = 'over';
  })().catch((error: Error) => {
    state.end = error.message;
  });
  return state;
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n + 1);

describe('a live execution', () => {
  it('reads a new event once for all its subscribers', async () => {
    const subscribers = [open(), open(), open()];
    write();
    heard();
    await pause();
    expect(subscribers.map(({ numbers }) => numbers)).toEqual([[1], [1], [1]]);
    expect(reads).toEqual([0]);
  });

  it('takes the next event from this process without reading it, and any other from the log', async () => {
    const subscribers = [open(), open()];
    write();
    liveExecutions.offer('x', log[0] as Entry);
    heard();
    await pause();
    expect([subscribers.map(({ numbers }) => numbers), reads]).toEqual([[[1], [1]], []]);
    write(2);
    liveExecutions.offer('x', log[2] as Entry);
    liveExecutions.offer('y', log[2] as Entry);
    heard();
    await pause();
    expect([subscribers.map(({ numbers }) => numbers), reads]).toEqual([[upTo(3), upTo(3)], [1]]);
  });

  it('takes nothing from this process during a read, which may bring it too', async () => {
    const subscriber = open();
    const release = holdReads();
    write();
    heard();
    liveExecutions.offer('x', log[0] as Entry);
    release();
    await pause();
    expect(subscriber.numbers).toEqual([1]);
  });

  it('makes good for a wake-up that was lost with the next poll', async () => {
    const subscriber = open();
    write(3);
    await pause();
    expect(subscriber.numbers).toEqual([]);
    await poll();
    expect(subscriber.numbers).toEqual([1, 2, 3]);
  });

  it('reads again for what was heard of during a read', async () => {
    const subscriber = open();
    const release = holdReads();
    write();
    heard();
    write();
    heard();
    release();
    await pause();
    expect(subscriber.numbers).toEqual([1, 2]);
    expect(reads).toEqual([0, 1]);
  });

  it('does not mind wake-ups in the wrong order, doubled, or ahead of what can be read', async () => {
    const subscriber = open();
    write(2);
    heard(2);
    heard(1);
    heard(2);
    heard(3);
    await pause();
    expect(subscriber.numbers).toEqual([1, 2]);
    write();
    heard(3);
    await pause();
    expect(subscriber.numbers).toEqual([1, 2, 3]);
  });

  it('knows what was heard of between looking up the last number and following', async () => {
    write();
    const last = log.length;
    write();
    heard();
    const subscriber = open(0, last);
    await pause();
    expect(subscriber.numbers).toEqual([1, 2]);
  });

  it('gives one who joins during a read everything, once', async () => {
    write(5);
    const early = open();
    await pause();
    const release = holdReads();
    write(3);
    heard();
    const late = [open(0, 5), open(3, 8), open(6, 8), open(8, 8)];
    await pause();
    release();
    await pause();
    write();
    heard();
    await pause();
    expect(early.numbers).toEqual(upTo(9));
    expect(late.map(({ numbers }) => numbers)).toEqual([upTo(9), [4, 5, 6, 7, 8, 9], [7, 8, 9], [9]]);
  });

  it('reads from the log what is no longer in memory, for subscribers that lag', async () => {
    const controller = new AbortController();
    const slow = liveExecutions.follow('x', 0, 0, controller.signal);
    const fast = open();
    for (let turn = 0; turn < 10; turn += 1) {
      write(100);
      heard();
      await pause();
    }
    expect(fast.numbers).toEqual(upTo(1000));
    const numbers: number[] = [];
    while (numbers.length < 1000) {
      const next = slow.next();
      await pause();
      numbers.push((await next).value?.number as number);
    }
    expect(numbers).toEqual(upTo(1000));
  });

  it('reads the old pages once for many late ones', async () => {
    write(1000);
    const crowd = Array.from({ length: 50 }, () => open());
    await pause();
    for (const { numbers } of crowd) expect(numbers).toEqual(upTo(1000));
    expect(reads).toHaveLength(5);
  });

  it('tries a read that failed again with the next poll', async () => {
    const subscriber = open();
    fault = new Error('the database is away');
    write();
    heard();
    await pause();
    expect([subscriber.numbers, errors]).toEqual([[], [fault]]);
    fault = undefined;
    await poll();
    expect(subscriber.numbers).toEqual([1]);
  });

  it('fails a late one whose pages cannot be read, and reads them again for the next', async () => {
    write(3);
    fault = new Error('the database is away');
    const first = open();
    await pause();
    expect(first.end).toBe('the database is away');
    fault = undefined;
    const second = open();
    await pause();
    expect(second.numbers).toEqual([1, 2, 3]);
  });

  it('ends after the last event, and when the execution is gone', async () => {
    const finished = open();
    write(2, true);
    heard();
    await pause();
    expect([finished.numbers, finished.end]).toEqual([[1, 2], 'over']);
    const deleted = open(2, 2);
    heard(0);
    await pause();
    expect(deleted.end).toBe('over');
    expect(liveExecutions.size()).toBe(0);
  });

  it('finds out by polling that the execution is gone, but does not take a newcomer for gone', async () => {
    let release: () => void = () => {};
    const slow = createLiveExecutions<Entry>({
      read: async () => [],
      lastNumbers: async (ids) => {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        return new Map(ids.filter((id) => id !== 'deleted').map((id) => [id, 0]));
      },
      onError: (error) => errors.push(error),
    });
    const { signal } = new AbortController();
    const deleted = slow.follow('deleted', 0, 0, signal).next();
    await poll();
    let isOver = false;
    void slow
      .follow('new', 0, 0, signal)
      .next()
      .then(
        () => {
          isOver = true;
        },
        () => {},
      );
    release();
    expect(await deleted).toEqual({ done: true, value: undefined });
    await pause();
    expect(isOver).toBe(false);
    slow.close();
  });

  it('an abort ends one who waits, with its reason, and nobody else', async () => {
    const [first, second] = [open(), open()];
    await pause();
    first.abort(new AppError('TOKEN_REVOKED', { message: 'revoked' }));
    write();
    heard();
    await pause();
    expect([first.end, first.numbers]).toEqual(['revoked', []]);
    expect([second.end, second.numbers]).toEqual(['', [1]]);
  });

  it('an abort during a read lets nothing through that was being read', async () => {
    write(3);
    const release = holdReads();
    const subscriber = open();
    await pause();
    subscriber.abort(new Error('revoked'));
    release();
    await pause();
    expect([subscriber.numbers, subscriber.end]).toEqual([[], 'revoked']);
  });

  it('a return ends one who waits, and the live execution goes with its last subscriber', async () => {
    const subscriber = open();
    await pause();
    expect(liveExecutions.size()).toBe(1);
    await subscriber.stream.return?.();
    await pause();
    expect([subscriber.end, liveExecutions.size()]).toEqual(['over', 0]);
  });

  it('says that the server stops', async () => {
    const subscriber = open();
    await pause();
    liveExecutions.close();
    await pause();
    expect(subscriber.end).toBe('The server is stopping: connect again.');
  });
});
