// Streams across instances, restarts and a Redis that comes and goes: nothing is lost, nothing comes twice.
import { describe, expect, it } from '@jest/globals';
import { hasRedis, type TestServer } from '../../kit/harness.js';
import {
  act,
  endOf,
  type Following,
  follow,
  idsOf,
  logOf,
  report,
  sleep,
  startTwo,
  type Transport,
  transports,
  until,
} from '../../kit/live.js';
import { createRedisProcess } from '../../kit/programs/process.js';
import { createPerson, startExecution } from '../../kit/seed.js';

// The tests that need a redis-server are skipped where there is none on the PATH.
const itWithRedis = hasRedis ? it : it.skip;

/** Streams of one execution on both instances over both transports. */
async function openEverywhere(servers: TestServer[], token: string, id: string): Promise<Following[]> {
  const streams = servers.flatMap((server) =>
    transports.map((transport) => follow(transport, server, token, id)),
  );
  await until(() => streams.every(({ events }) => events.length === 2), 'the beginnings');
  return streams;
}

async function expectWhole(server: TestServer, id: string, streams: Following[]): Promise<void> {
  const log = await logOf(server, id);
  for (const stream of streams) {
    expect(await endOf(stream)).toBe('complete');
    expect(idsOf(stream)).toEqual(log);
  }
}

/**
 * Reports until three in a row have reached all streams before the next. One may be lost, as long as Redis is not
 * subscribed to; looking for events, every 10 s here, could bring one in time, but not three.
 */
async function expectPushes(server: TestServer, token: string, id: string, streams: Following[]) {
  for (let inARow = 0; inARow < 3; ) {
    await report(server, token, id, 50);
    const { length } = await logOf(server, id);
    const haveAll = () => streams.every(({ events }) => events.length === length);
    for (let tries = 0; tries < 200 && !haveAll(); tries += 1) await sleep(10);
    inARow = haveAll() ? inARow + 1 : 0;
  }
}
const timing = { pollEveryMs: 10_000 };

describe('two instances', () => {
  itWithRedis('on one Redis see each other’s events without looking for them', async () => {
    const [first, second] = await startTwo(process.env.TEST_REDIS_URL, timing);
    const analyst = await createPerson(first, await first.signIn(), 'ANALYST');
    const id = await startExecution(first, analyst.token);
    const streams = await openEverywhere([first, second], analyst.token, id);
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => report(n % 2 ? first : second, analyst.token, id, n)),
    );
    for (const server of [first, second]) await expectPushes(server, analyst.token, id, streams);
    await act(second, analyst.token, 'completeExecution', id);
    await expectWhole(first, id, streams);
    await second.close();
    await first.close();
  });

  it('without a Redis complete their streams by looking now and then', async () => {
    const [first, second] = await startTwo();
    const analyst = await createPerson(first, await first.signIn(), 'ANALYST');
    const id = await startExecution(first, analyst.token);
    const streams = await openEverywhere([first, second], analyst.token, id);
    for (let n = 0; n < 10; n += 1) await report(n % 2 ? first : second, analyst.token, id, n);
    await act(first, analyst.token, 'completeExecution', id);
    await expectWhole(first, id, streams);
    await second.close();
    await first.close();
  });
});

describe('one of two instances that goes', () => {
  it('loses nothing of what its subscribers go on with at the other', async () => {
    const [first, second] = await startTwo(hasRedis ? process.env.TEST_REDIS_URL : undefined);
    const analyst = await createPerson(first, await first.signIn(), 'ANALYST');
    const id = await startExecution(first, analyst.token);
    const leave = transports.map((transport) => follow(transport, second, analyst.token, id));
    await report(first, analyst.token, id, 10);
    await until(() => leave.every(({ events }) => events.length === 3), 'the first report');
    const closing = second.close();
    for (let progress = 11; progress < 20; progress += 1) await report(first, analyst.token, id, progress);
    await Promise.all([closing, ...leave.map((stream) => endOf(stream))]);
    const resumed = leave.map(({ events }, index) =>
      follow(transports[index] as Transport, first, analyst.token, id, events.at(-1)?.id),
    );
    await act(first, analyst.token, 'completeExecution', id);
    await Promise.all(resumed.map((stream) => endOf(stream)));
    const log = await logOf(first, id);
    resumed.forEach((stream, index) => {
      expect([...idsOf(leave[index] as Following), ...idsOf(stream)]).toEqual(log);
    });
    await first.close();
  });
});

describe('a Redis that is killed and comes back', () => {
  itWithRedis('leaves no gap in any stream, and events are pushed again afterwards', async () => {
    const redis = await createRedisProcess();
    const servers: TestServer[] = [];
    try {
      await redis.start();
      const [first, second] = await startTwo(redis.url, timing);
      servers.push(second, first);
      const analyst = await createPerson(first, await first.signIn(), 'ANALYST');
      const id = await startExecution(first, analyst.token);
      const streams = await openEverywhere([first, second], analyst.token, id);
      await report(first, analyst.token, id, 10);
      await until(() => streams.every(({ events }) => events.length === 3), 'the first report');
      await redis.kill();
      for (let n = 11; n < 21; n += 1) await report(n % 2 ? first : second, analyst.token, id, n);
      await until(() => streams.every(({ events }) => events.length === 13), 'ten reports without Redis');
      await redis.start();
      for (const server of [first, second]) await expectPushes(server, analyst.token, id, streams);
      await act(second, analyst.token, 'completeExecution', id);
      await expectWhole(first, id, streams);
    } finally {
      for (const server of servers) await server.close();
      await redis.kill();
    }
  });
});
