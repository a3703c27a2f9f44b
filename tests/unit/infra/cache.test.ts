// The cache: one load at a time, nothing kept that was invalidated meanwhile, by key and by tag.
import { describe, expect, it } from '@jest/globals';
import { createCache } from '../../../src/infra/cache.js';
import { budgetLeftMs } from '../../../src/infra/postgres/acquire-budget.js';
import { createMetrics } from '../../../src/infra/telemetry/metrics.js';
import { type RequestContext, runInRequest } from '../../../src/infra/telemetry/request-context.js';
import { samplesOf } from '../../kit/metrics.js';

interface Thing {
  owner: string;
  turn: number;
}

/** A cache of things, and loads that end when the test says so. */
function setUp(ttlMs = 60_000) {
  const cached = createCache<Thing>({
    ...{ name: 'thing', max: 100, ttlMs, metrics: undefined },
    tagsOf: ({ owner }) => [owner],
  });
  const ends: ((thing: Thing) => void)[] = [];
  const load = () => new Promise<Thing>((resolve) => ends.push(resolve));
  const quick = (turn: number) => async () => ({ owner: 'ann', turn });
  return { cached, load, ends, quick };
}

describe('a look-up', () => {
  it('is loaded once, however many ask, and then kept', async () => {
    const { cached, load, ends } = setUp();
    const all = Promise.all([cached('a', load), cached('a', load), cached('a', load)]);
    expect(ends).toHaveLength(1);
    ends[0]?.({ owner: 'ann', turn: 1 });
    expect((await all).map(({ turn }) => turn)).toEqual([1, 1, 1]);
    expect((await cached('a', load)).turn).toBe(1);
    expect([cached.peek('a')?.turn, cached.peek('b')]).toEqual([1, undefined]);
    expect(ends).toHaveLength(1);
  });

  it('is loaded again when its time is over', async () => {
    const { cached, quick } = setUp(20);
    await cached('a', quick(1));
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect((await cached('a', quick(2))).turn).toBe(2);
  });

  it('keeps no error, and gives it to all who waited', async () => {
    const { cached, quick } = setUp();
    const fail = () => Promise.reject(new Error('no'));
    const outcomes = await Promise.allSettled([cached('a', fail), cached('a', quick(1))]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect((await cached('a', quick(2))).turn).toBe(2);
  });

  it('of many keys is one load for the missing ones; what is not there is asked for again', async () => {
    const { cached, quick } = setUp();
    await cached('a', quick(1));
    const asked: string[][] = [];
    const loadMany = async (keys: string[]) => {
      asked.push(keys);
      return new Map(keys.filter((key) => key !== 'gone').map((key) => [key, { owner: 'ann', turn: 2 }]));
    };
    const [first, second] = await Promise.all([
      cached.many(['a', 'b', 'gone', 'b'], loadMany),
      cached.many(['b', 'c'], loadMany),
    ]);
    expect([...first].map(([key, { turn }]) => [key, turn]).sort()).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    expect([...second.keys()].sort()).toEqual(['b', 'c']);
    expect(asked).toEqual([['b', 'gone'], ['c']]);
    await cached.many(['a', 'b', 'gone'], loadMany);
    expect(asked[2]).toEqual(['gone']);
    await expect(cached.many(['d', 'e'], () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect((await cached.many(['d'], loadMany)).size).toBe(1);
  });
});

it('counts waiting for another’s look-up as waiting for the database', async () => {
  const { cached, load, ends } = setUp();
  void cached('a', load);
  const request: RequestContext = { correlationId: 'c', ip: null, userAgent: null, dbQueries: 0, dbMs: 0 };
  await runInRequest(request, async () => {
    const joined = [cached('a', load), cached.many(['a'], async () => new Map())];
    expect(request.waits?.underWay).toBe(2);
    setTimeout(() => ends[0]?.({ owner: 'ann', turn: 1 }), 10);
    await Promise.all(joined);
    expect(request.waits?.underWay).toBe(0);
    expect(budgetLeftMs(1000)).toBeLessThan(1000);
  });
  expect(budgetLeftMs(1000)).toBe(1000);
});

describe('an invalidation', () => {
  it.each([
    ['of the key', (cached: ReturnType<typeof setUp>['cached']) => cached.forget('a')],
    ['of the tag', (cached: ReturnType<typeof setUp>['cached']) => cached.forgetTag('ann')],
  ])('%s takes out what is kept', async (_what, invalidate) => {
    const { cached, quick } = setUp();
    await cached('a', quick(1));
    invalidate(cached);
    expect((await cached('a', quick(2))).turn).toBe(2);
  });

  it.each([
    ['of the key', (cached: ReturnType<typeof setUp>['cached']) => cached.forget('a')],
    ['of the tag', (cached: ReturnType<typeof setUp>['cached']) => cached.forgetTag('ann')],
  ])('%s keeps a load that began before it from being stored or joined', async (_what, invalidate) => {
    const { cached, load, ends } = setUp();
    const old = cached('a', load);
    invalidate(cached);
    const fresh = cached('a', load);
    expect(ends).toHaveLength(2);
    ends[1]?.({ owner: 'ann', turn: 2 });
    expect((await fresh).turn).toBe(2);
    ends[0]?.({ owner: 'ann', turn: 1 });
    await old;
    expect((await cached('a', load)).turn).toBe(2);
  });

  it('leaves other keys and other tags alone', async () => {
    const { cached, quick } = setUp();
    await cached('a', quick(1));
    await cached('b', async () => ({ owner: 'bob', turn: 1 }));
    cached.forgetTag('bob');
    cached.forget('c');
    expect((await cached('a', quick(2))).turn).toBe(1);
    expect((await cached('b', quick(2))).turn).toBe(2);
  });
});

it('hits, misses and shared loads are counted', async () => {
  const metrics = createMetrics();
  const cached = createCache<string>({ name: 'word', max: 10, ttlMs: 60_000, metrics });
  await Promise.all([cached('a', async () => 'x'), cached('a', async () => 'y')]);
  await cached('a', async () => 'z');
  const samples = samplesOf(await metrics.print()).filter(({ name }) => name.startsWith('sec_tester_cache'));
  expect(samples.map(({ labels, value }) => [labels.result ?? 'entries', value])).toEqual([
    ['hit', 1],
    ['miss', 1],
    ['shared', 1],
    ['entries', 1],
  ]);
});
