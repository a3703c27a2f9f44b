// A Redis that answers with errors, at the start and later: the server serves, is degraded, says why, and recovers.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { createRedis } from '../../src/infra/redis/connections.js';
import { createEvents } from '../../src/infra/redis/message-bus.js';
import { createTestDatabase, hasRedis, startTestServer, type TestServer } from '../kit/harness.js';
import { until } from '../kit/live.js';
import { readMetrics, sampleValue } from '../kit/metrics.js';
import { createRedisProcess, type RedisProcess } from '../kit/programs/process.js';
import { createPerson, password } from '../kit/seed.js';
import { tryLogin } from '../kit/session.js';

interface Line {
  event: string;
  code?: string;
  reason?: string;
  advice?: string;
}

/** One instance's connections and bus, with what they log. */
function instance(url: string) {
  const lines: Line[] = [];
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) });
  const redis = createRedis(url, log);
  const events = createEvents(redis, log);
  return {
    redis,
    events,
    lines,
    reasons: () => lines.flatMap(({ event, reason }) => (event === 'redis_refuses' ? [reason] : [])),
  };
}
type Instance = ReturnType<typeof instance>;

const isWell = ({ redis }: Instance) =>
  redis.check().then(
    () => true,
    () => false,
  );

/** Messages of one instance reach the other. */
async function untilConnected(one: Instance, other: Instance): Promise<void> {
  const heard: number[] = [];
  const stop = other.events.subscribe('execution.changed', ({ number }) => heard.push(number));
  await until(() => {
    one.events.publish('execution.changed', { executionId: 'e', number: 1 });
    return heard.length > 0;
  }, 'a message from the other instance');
  stop();
}

const withRedis = hasRedis ? describe : describe.skip;

withRedis('connections to a Redis that refuses', () => {
  const refusing: {
    name: string;
    user: string;
    before: string[][];
    reason: RegExp;
    after: string[][];
  }[] = [
    {
      name: 'the password',
      user: 'app:wrong@',
      before: [['ACL', 'SETUSER', 'app', 'on', '>right', 'allkeys', 'allchannels', '+@all']],
      reason: /^WRONGPASS/,
      after: [['ACL', 'SETUSER', 'app', '>wrong']],
    },
    {
      name: 'anonymous clients',
      user: '',
      before: [['CONFIG', 'SET', 'requirepass', 'secret']],
      reason: /^NOAUTH/,
      after: [['CONFIG', 'SET', 'requirepass', '']],
    },
    {
      name: 'all channels to its user',
      user: 'app:right@',
      before: [['ACL', 'SETUSER', 'app', 'on', '>right', 'allkeys', 'resetchannels', '+@all']],
      reason: /^NOPERM.*channel/,
      after: [['ACL', 'SETUSER', 'app', '&sec-tester:*']],
    },
    {
      name: 'our keys to its user',
      user: 'app:right@',
      before: [['ACL', 'SETUSER', 'app', 'on', '>right', 'resetkeys', 'allchannels', '+@all']],
      reason: /^NOPERM.*key/,
      after: [['ACL', 'SETUSER', 'app', '~sec-tester:*']],
    },
    {
      name: 'writes, being a replica',
      user: '',
      before: [['REPLICAOF', '127.0.0.1', '1']],
      reason: /^(READONLY|MASTERDOWN)/,
      after: [['REPLICAOF', 'NO', 'ONE']],
    },
    {
      name: 'writes, its memory being full',
      user: '',
      before: [['CONFIG', 'SET', 'maxmemory', '1']],
      reason: /^OOM/,
      after: [['CONFIG', 'SET', 'maxmemory', '0']],
    },
  ];
  let redis: RedisProcess;
  let admin: Redis;
  const opened: Instance[] = [];
  const open = (url: string): Instance => {
    const one = instance(url);
    opened.push(one);
    return one;
  };
  beforeAll(async () => {
    redis = await createRedisProcess();
    await redis.start();
    admin = new Redis(redis.url);
  });
  afterEach(async () => {
    for (const { redis: connections } of opened.splice(0)) await connections.close();
    await admin.call('ACL', 'DELUSER', 'app');
  });
  afterAll(async () => {
    admin.disconnect();
    await redis.kill();
  });

  it.each(refusing)('$name start, say so once, and are well again by themselves', async (kind) => {
    for (const command of kind.before) await admin.call(...(command as [string, ...string[]]));
    const url = redis.url.replace('redis://', `redis://${kind.user}`);
    const [one, other] = [open(url), open(url)];
    await until(() => one.reasons().length > 0, 'the reason in the log');
    expect(await isWell(one)).toBe(false);
    for (const command of kind.after) await admin.call(...(command as [string, ...string[]]));
    await until(async () => (await isWell(one)) && (await isWell(other)), 'a well Redis');
    await untilConnected(one, other);
    expect(one.reasons()).toEqual([expect.stringMatching(kind.reason)]);
    expect(one.lines.at(-1)?.event).toBe('redis_back');
    expect(one.redis.isReady()).toBe(true);
  });

  it('INFO by another name serve as ever, without a version', async () => {
    const renamed = await createRedisProcess(['--rename-command', 'INFO', '']);
    await renamed.start();
    try {
      const [one, other] = [open(renamed.url), open(renamed.url)];
      await untilConnected(one, other);
      expect(await one.redis.check()).toBeNull();
      expect(one.lines).toEqual([]);
    } finally {
      await renamed.kill();
    }
  });

  it('everything, being a Sentinel, are not healthy', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sec-tester-sentinel-'));
    const file = join(folder, 'sentinel.conf');
    const process = await createRedisProcess((port) => {
      writeFileSync(file, `port ${port}\nsentinel monitor main 127.0.0.1 ${redis.port} 1\n`);
      return [file, '--sentinel'];
    });
    try {
      await process.start();
      const one = open(process.url);
      await until(() => one.reasons().length > 0, 'the reason in the log');
      expect(await isWell(one)).toBe(false);
      expect(one.redis.isReady()).toBe(false);
      expect(one.lines.find(({ event }) => event === 'redis_refuses')?.advice).toMatch(/Sentinel/);
    } finally {
      await process.kill();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('keys of other nodes, being one of a cluster, are not healthy, even if the probe succeeds', async () => {
    const node = await createRedisProcess([
      '--cluster-enabled',
      'yes',
      '--cluster-config-file',
      `nodes-${redis.port}.conf`,
      '--dir',
      tmpdir(),
      '--cluster-require-full-coverage',
      'no',
    ]);
    await node.start();
    const cluster = new Redis(node.url);
    try {
      await cluster.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16000');
      const one = open(node.url);
      await until(async () => {
        await one.redis.client.set(`sec-tester:${Math.random()}`, '1').catch(() => {});
        return one.reasons().length > 0;
      }, 'a key of another node');
      for (let turn = 0; turn < 20; turn += 1) expect(await isWell(one)).toBe(false);
      expect(one.redis.isReady()).toBe(false);
    } finally {
      cluster.disconnect();
      await node.kill();
      rmSync(join(tmpdir(), `nodes-${redis.port}.conf`), { force: true });
    }
  });
});

withRedis('two servers on a Redis that refuses writes', () => {
  let redis: RedisProcess;
  let admin: Redis;
  let servers: TestServer[] = [];
  beforeAll(async () => {
    redis = await createRedisProcess();
    await redis.start();
    admin = new Redis(redis.url);
    await admin.config('SET', 'maxmemory', '1');
    const env = {
      DATABASE_URL: await createTestDatabase(),
      REDIS_URL: redis.url,
      LOGIN_MAX_FAILURES: '5',
      METRICS: 'true',
    };
    servers = [await startTestServer(env), await startTestServer(env)];
  });
  afterAll(async () => {
    for (const server of servers) await server.close();
    admin.disconnect();
    await redis.kill();
  });

  it('are degraded and ready, and share the lock of an account through PostgreSQL', async () => {
    const [one, other] = servers as [TestServer, TestServer];
    const health = await one.rest('GET', '/api/v1/health');
    expect([health.status, health.body.status, health.body.components.redis.status]).toEqual([
      200,
      'degraded',
      'unhealthy',
    ]);
    expect((await one.rest('GET', '/api/v1/health/ready')).status).toBe(200);
    const { email } = await createPerson(one, await one.signIn(), 'VIEWER');
    for (const _ of [1, 2, 3, 4, 5]) expect((await tryLogin(one, email, 'wrong')).status).toBe(401);
    expect((await tryLogin(other, email, password)).body.code).toBe('INVALID_CREDENTIALS');
    expect(sampleValue(await readMetrics(one), 'redis_refusals_total', { code: 'OOM' })).toBeGreaterThan(0);
    expect(sampleValue(await readMetrics(one), 'redis_up')).toBe(0);
  });

  it('share limits by Redis again once it takes writes', async () => {
    await admin.config('SET', 'maxmemory', '0');
    const isHealthy = async (server: TestServer) =>
      (await server.rest('GET', '/api/v1/health')).body.status === 'healthy';
    await until(async () => (await Promise.all(servers.map(isHealthy))).every(Boolean), 'health');
    const [one, other] = servers as [TestServer, TestServer];
    const { email } = await createPerson(one, await one.signIn(), 'VIEWER');
    for (const _ of [1, 2, 3]) expect((await tryLogin(one, email, 'wrong')).status).toBe(401);
    for (const _ of [1, 2]) expect((await tryLogin(other, email, 'wrong')).status).toBe(401);
    expect((await tryLogin(one, email, password)).body.code).toBe('INVALID_CREDENTIALS');
  });
});
