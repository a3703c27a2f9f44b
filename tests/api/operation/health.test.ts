// Health over REST, with and without Redis, and what works while Redis is away.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { admin, createTestDatabase, hasRedis, startTestServer, type TestServer } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { readMetrics, sampleValue } from '../../kit/metrics.js';
import { createTcpProxy } from '../../kit/network/tcp-proxy.js';
import { createPerson, password } from '../../kit/seed.js';
import { meWith, tryLogin } from '../../kit/session.js';

const statusOf = async (server: TestServer): Promise<unknown[]> => {
  const { status, body } = await server.rest('GET', '/api/v1/health');
  return [status, body.status, body.components.redis.status];
};

async function eventually(server: TestServer, wanted: unknown[]): Promise<void> {
  const isSo = async () => JSON.stringify(await statusOf(server)) === JSON.stringify(wanted);
  await until(isSo, `to be ${wanted.join(', ')}`);
}

describe('health without Redis', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server.close());

  it('is healthy, with each component', async () => {
    server.clock.advance(61_000);
    const answer = await server.rest('GET', '/api/v1/health');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      status: 'healthy',
      uptimeSeconds: expect.any(Number),
      components: {
        database: { status: 'healthy', latencyMs: expect.any(Number) },
        redis: { status: 'unused', latencyMs: 0 },
      },
    });
    expect(answer.body.uptimeSeconds).toBeGreaterThanOrEqual(61);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('reports each component, liveness and readiness', async () => {
    for (const [path, body] of [
      ['database', { status: 'healthy', latencyMs: expect.any(Number) }],
      ['redis', { status: 'unused', latencyMs: 0 }],
      ['live', { status: 'ok' }],
      ['ready', { status: 'ok' }],
    ] as const) {
      const answer = await server.rest('GET', `/api/v1/health/${path}`);
      expect([path, answer.status, answer.body]).toEqual([path, 200, body]);
    }
  });

  it('is not ready any more once the server is stopping, but lives', async () => {
    const leaving = await startTestServer();
    try {
      leaving.services.health.stopping();
      expect(await leaving.rest('GET', '/api/v1/health/ready')).toMatchObject({
        status: 503,
        body: { status: 'unavailable' },
      });
      expect((await leaving.rest('GET', '/api/v1/health/live')).status).toBe(200);
    } finally {
      await leaving.close();
    }
  });
});

describe('versions and the use of the pool', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer(hasRedis ? { REDIS_URL: process.env.TEST_REDIS_URL as string } : {});
  });
  afterAll(() => server.close());

  it('are shown to admins, and to nobody else', async () => {
    const token = await server.signIn();
    const database = {
      version: expect.stringMatching(/^\d+\.\d+/),
      pool: { max: 20, total: expect.any(Number), idle: expect.any(Number), waiting: 0 },
    };
    const redis = hasRedis
      ? { mode: 'redis', version: expect.stringMatching(/^\d+\.\d+/) }
      : { mode: 'in-process', version: null };
    if (hasRedis) await eventually(server, [200, 'healthy', 'healthy']);
    /** Who asks is looked up for a moment only: whoever is not known by then gets what everybody gets. */
    const toldAdmin = async (path: string) => {
      let body = { details: undefined, components: { database: { details: undefined } } };
      await until(async () => {
        ({ body } = await server.rest('GET', `/api/v1/health${path}`, { token }));
        return (path === '' ? body.components.database : body).details !== undefined;
      }, `the details of ${path}`);
      return body;
    };
    expect((await toldAdmin('')).components).toMatchObject({
      database: { details: database },
      redis: { details: redis },
    });
    expect((await toldAdmin('/database')).details).toEqual(database);
    expect((await toldAdmin('/redis')).details).toEqual(redis);
    const analyst = await createPerson(server, token, 'ANALYST');
    for (const other of [undefined, analyst.token, `${token}x`]) {
      for (const path of ['', '/database', '/redis']) {
        const answer = await server.rest('GET', `/api/v1/health${path}`, other ? { token: other } : {});
        expect([path, answer.status, JSON.stringify(answer.body).includes('details')]).toEqual([
          path,
          200,
          false,
        ]);
      }
    }
  });
});

it('a flood of made-up API keys is not looked up: health has no limit', async () => {
  const server = await startTestServer({ METRICS: 'true' });
  try {
    const looked = async () =>
      sampleValue(await readMetrics(server), 'cache_requests_total', { cache: 'api_key' });
    const id = '0198f0c0f0c07000800000000000';
    for (let turn = 1000; turn < 1010; turn += 1) {
      const token = `stk_${id}${turn}_${'A'.repeat(43)}`;
      expect((await server.rest('GET', '/api/v1/health', { token })).status).toBe(200);
    }
    expect(await looked()).toBe(0);
    const token = `stk_${id}1000_${'A'.repeat(43)}`;
    await server.rest('GET', '/api/v1/auth/me', { token });
    expect(await looked()).toBeGreaterThan(0);
  } finally {
    await server.close();
  }
});

describe('a database that hangs', () => {
  it('is reported in a while, with and without a sign-in; many probes at once ask it once', async () => {
    const proxy = await createTcpProxy(await createTestDatabase());
    // Who waited for a statement, which may take minutes, would not be answered before the test is over.
    const patient = { DATABASE_STATEMENT_TIMEOUT_MS: '600000' };
    const env = { ...patient, DATABASE_URL: proxy.url, METRICS: 'true' };
    const server = await startTestServer(env, { timing: { healthMs: 3000 } });
    try {
      const token = await server.signIn();
      await eventually(server, [200, 'healthy', 'unused']);
      const asked = async () =>
        sampleValue(await readMetrics(server), 'cache_requests_total', { cache: 'health', result: 'miss' });
      await new Promise((resolve) => setTimeout(resolve, 1100)); // the session is not believed any more
      const before = await asked();
      proxy.freeze();
      const probes = ['', '', '', '/ready', '/database', '/ready', ''].map((path) =>
        server.rest('GET', `/api/v1/health${path}`),
      );
      const answers = await Promise.all([...probes, server.rest('GET', '/api/v1/health', { token })]);
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
      expect(answers[0]?.body).toMatchObject({
        status: 'unhealthy',
        components: { database: { status: 'unhealthy' } },
      });
      expect((await asked()) - before).toBeLessThanOrEqual(3); // database and redis, and the database once more
      expect((await server.rest('GET', '/api/v1/health/live')).status).toBe(200);
      proxy.thaw();
      await eventually(server, [200, 'healthy', 'unused']);
    } finally {
      await server.close();
      await proxy.cut();
    }
  });
});

describe('with a Redis that is not there', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ REDIS_URL: 'redis://127.0.0.1:1', LOGIN_MAX_FAILURES: '3' });
  });
  afterAll(() => server.close());

  it('the server starts, is degraded and ready', async () => {
    expect(await statusOf(server)).toEqual([200, 'degraded', 'unhealthy']);
    expect((await server.rest('GET', '/api/v1/health/redis')).status).toBe(503);
    expect((await server.rest('GET', '/api/v1/health/ready')).status).toBe(200);
  });

  it('sign-in works and stays limited', async () => {
    const { email, token } = await createPerson(server, await server.signIn(), 'VIEWER');
    expect(await meWith(server, token)).toBe('200');
    for (const _ of [1, 2, 3]) await tryLogin(server, email, 'wrong');
    expect((await tryLogin(server, email, password)).body.code).toBe('INVALID_CREDENTIALS');
    expect((await tryLogin(server, admin.email, admin.password)).status).toBe(200);
  });

  it('ended sessions stay ended', async () => {
    const token = await server.signIn();
    await server.rest('POST', '/api/v1/auth/logout', { token });
    expect(await meWith(server, token)).toBe('401 TOKEN_REVOKED');
  });
});

(hasRedis ? describe : describe.skip)('with a Redis that comes and goes', () => {
  it('health, sign-in and its limit follow', async () => {
    const proxy = await createTcpProxy(process.env.TEST_REDIS_URL as string);
    const server = await startTestServer({ REDIS_URL: proxy.url, LOGIN_MAX_FAILURES: '3' });
    try {
      await eventually(server, [200, 'healthy', 'healthy']);
      const token = await server.signIn();
      const { email } = await createPerson(server, token, 'VIEWER');
      await proxy.cut();
      await eventually(server, [200, 'degraded', 'unhealthy']);
      expect(await meWith(server, token)).toBe('200');
      for (const _ of [1, 2, 3]) expect((await tryLogin(server, email, 'wrong')).status).toBe(401);
      expect((await tryLogin(server, email, password)).status).toBe(401);
      expect(server.logs.filter(({ event }) => event === 'redis_unreachable')).toHaveLength(1);
      await proxy.restore();
      await eventually(server, [200, 'healthy', 'healthy']);
      expect(await meWith(server, token)).toBe('200');
    } finally {
      await server.close();
      await proxy.cut().catch(() => {});
    }
  });
});
