// Streams across instances, restarts and a Redis that comes and goes: nothing is lost, nothing comes twice.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hasRedis, type TestServer } from '../harness.js';
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
} from '../live-kit.js';
import { createRedisProcess } from '../process-kit.js';
import { createPerson, type Person, startExecution } from '../seed.js';

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
    expect(await endOf(stream, 6000)).toBe('complete');
    expect(idsOf(stream)).toEqual(log);
  }
}

describe('two instances', () => {
  itWithRedis('on one Redis see each other’s events at once', async () => {
    const [first, second] = await startTwo(process.env.TEST_REDIS_URL);
    const analyst = await createPerson(first, await first.signIn(), 'ANALYST');
    const id = await startExecution(first, analyst.token);
    const streams = await openEverywhere([first, second], analyst.token, id);
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => report(n % 2 ? first : second, analyst.token, id, n)),
    );
    const started = performance.now();
    for (let turn = 1; turn <= 6; turn += 1) {
      await report(first, analyst.token, id, 20 + turn);
      await until(() => streams.every(({ events }) => events.length === 22 + turn), `report ${turn}`);
    }
    expect(performance.now() - started).toBeLessThan(6000); // six turns by polling would take 12 s
    await act(second, analyst.token, 'completeExecution', id);
    await expectWhole(first, id, streams);
    await second.close();
    await first.close();
  });

  it('without a Redis complete their streams by looking every 2 s', async () => {
    const [first, second] = await startTwo();
    const analyst = await createPerson(first, await first.signIn(), 'ANALYST');
    const id = await startExecution(first, analyst.token);
    const streams = await openEverywhere([first, second], analyst.token, id);
    for (let n = 0; n < 10; n += 1) await report(n % 2 ? first : second, analyst.token, id, n);
    await act(first, analyst.token, 'completeExecution', id);
    const ended = performance.now();
    await Promise.all(streams.map((stream) => endOf(stream)));
    expect(performance.now() - ended).toBeLessThan(3000);
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
  let redis: Awaited<ReturnType<typeof createRedisProcess>>;
  let first: TestServer;
  let second: TestServer;
  let analyst: Person;
  beforeAll(async () => {
    if (!hasRedis) return;
    redis = await createRedisProcess();
    await redis.start();
    [first, second] = await startTwo(redis.url);
    analyst = await createPerson(first, await first.signIn(), 'ANALYST');
  });
  afterAll(async () => {
    if (!hasRedis) return;
    await second.close();
    await first.close();
    await redis.kill();
  });

  itWithRedis('leaves no gap in any stream, and events are fast again afterwards', async () => {
    const id = await startExecution(first, analyst.token);
    const streams = await openEverywhere([first, second], analyst.token, id);
    await report(first, analyst.token, id, 10);
    await until(() => streams.every(({ events }) => events.length === 3), 'the first report', 1500);
    await redis.kill();
    const died = performance.now();
    for (let n = 11; n < 21; n += 1) await report(n % 2 ? first : second, analyst.token, id, n);
    await until(() => streams.every(({ events }) => events.length === 13), 'ten reports without Redis', 4000);
    expect(performance.now() - died).toBeLessThan(4000);
    await redis.start();
    await sleep(2200); // reconnecting backs off to 1 s
    const back = performance.now();
    await report(first, analyst.token, id, 30);
    await until(() => streams.every(({ events }) => events.length === 14), 'a report with Redis', 3000);
    expect(performance.now() - back).toBeLessThan(1000);
    await act(second, analyst.token, 'completeExecution', id);
    await expectWhole(first, id, streams);
  });
});
