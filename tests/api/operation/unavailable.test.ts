// When the database is away, too slow or has no free connection: 503 with a code, and well again by itself. How soon is
// measured by faults F1, F2 and F5.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { admin, createTestDatabase, startTestServer, type TestServer } from '../../kit/harness.js';
import { until, untilLocked } from '../../kit/live.js';
import { readMetrics, sampleValue } from '../../kit/metrics.js';
import { createTcpProxy, type TcpProxy } from '../../kit/network/tcp-proxy.js';
import { meWith, tryGqlLogin, tryLogin } from '../../kit/session.js';

describe('without the database', () => {
  let proxy: TcpProxy;
  let server: TestServer;
  let token: string;
  beforeAll(async () => {
    proxy = await createTcpProxy(await createTestDatabase());
    server = await startTestServer({ DATABASE_URL: proxy.url });
    token = await server.signIn();
    await proxy.cut();
    // A session is believed for a second.
    await new Promise((resolve) => setTimeout(resolve, 1100));
  });
  afterAll(async () => {
    await server.close();
    await proxy.cut().catch(() => {});
  });

  it('REST answers 503 UNAVAILABLE with Retry-After, and says nothing of where the database is', async () => {
    for (const ask of [
      () => tryLogin(server, admin.email, admin.password),
      () => server.rest('GET', '/api/v1/auth/me', { token }),
      () => server.rest('POST', '/api/v1/auth/logout', { token }),
    ]) {
      const answer = await ask();
      expect([answer.status, answer.body.code]).toEqual([503, 'UNAVAILABLE']);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(JSON.stringify(answer.body)).not.toMatch(/127\.0\.0\.1|ECONN|postgres/i);
    }
  });

  it('GraphQL answers 503 UNAVAILABLE with Retry-After, with and without a session', async () => {
    for (const ask of [
      () => server.gql('{ me { id } }', {}, token),
      () => tryGqlLogin(server, admin.email, admin.password),
    ]) {
      const answer = await ask();
      answer.expectError('UNAVAILABLE');
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(JSON.stringify(answer.body)).not.toMatch(/127\.0\.0\.1|ECONN|postgres/i);
    }
  });

  it('health is unhealthy, the process lives, and is not ready', async () => {
    const health = await server.rest('GET', '/api/v1/health');
    expect(health).toMatchObject({
      status: 503,
      body: { status: 'unhealthy', components: { database: { status: 'unhealthy' } } },
    });
    expect(await server.rest('GET', '/api/v1/health/database')).toMatchObject({
      status: 503,
      body: { status: 'unhealthy', latencyMs: expect.any(Number) },
    });
    expect(await server.rest('GET', '/api/v1/health/ready')).toMatchObject({
      status: 503,
      body: { status: 'unavailable' },
    });
    expect(await server.rest('GET', '/api/v1/health/live')).toMatchObject({
      status: 200,
      body: { status: 'ok' },
    });
  });

  it('the cause is in the log, without the password of the database', async () => {
    const lines = server.logs.filter(({ event }) => event === 'unavailable');
    expect(lines.length).toBeGreaterThan(0);
    expect(JSON.stringify(lines)).toMatch(/ECONNREFUSED|terminated|closed/i);
    const { password } = new URL(server.databaseUrl);
    expect(password === '' || !JSON.stringify(server.logs).includes(password)).toBe(true);
    expect(server.logs.filter(({ event }) => event === 'internal_error')).toEqual([]);
  });

  it('everything works again once it is back, with the same session', async () => {
    await proxy.restore();
    await until(async () => (await server.rest('GET', '/api/v1/health')).status === 200, 'health');
    expect(await meWith(server, token)).toBe('200');
    expect((await tryLogin(server, admin.email, admin.password)).status).toBe(200);
  });
});

describe('when connections are cut under way', () => {
  it('a statement that was running is UNAVAILABLE, and the next one works', async () => {
    const server = await startTestServer({ DATABASE_STATEMENT_TIMEOUT_MS: '60000' });
    const blocker = new pg.Client({ connectionString: server.databaseUrl });
    await blocker.connect();
    try {
      const token = await server.signIn();
      await blocker.query('BEGIN; LOCK TABLE test_executions IN ACCESS EXCLUSIVE MODE');
      const running = server.gql('{ executions { totalCount } }', {}, token);
      let isAnswered = false;
      const answer = running.finally(() => {
        isAnswered = true;
      });
      // Background jobs may wait for the lock too, before the statement does.
      await until(async () => {
        await server.sql(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        );
        return isAnswered;
      }, 'the answer');
      (await answer).expectError('UNAVAILABLE');
      await blocker.query('COMMIT');
      (await server.gql('{ executions { totalCount } }', {}, token)).expectData();
    } finally {
      await blocker.end();
      await server.close();
    }
  });
});

const lockAll = 'BEGIN; LOCK TABLE test_executions IN ACCESS EXCLUSIVE MODE';

/** A server, and a connection of its own beside it that holds up whatever reads executions. */
async function startBlocked(env: Record<string, string>, timing: { healthMs?: number } = {}) {
  const server = await startTestServer(env, { timing });
  const blocker = new pg.Client({ connectionString: server.databaseUrl });
  await blocker.connect();
  const token = await server.signIn();
  const list = () => server.gql('{ executions { nodes { id } } }', {}, token);
  const close = async () => {
    await blocker.end();
    await server.close();
  };
  return { server, blocker, list, close };
}

describe('with all connections busy', () => {
  const waitMs = 1500;
  let blocked: Awaited<ReturnType<typeof startBlocked>>;
  beforeAll(async () => {
    blocked = await startBlocked(
      { DATABASE_POOL_MAX: '2', DATABASE_ACQUIRE_TIMEOUT_MS: String(waitMs), METRICS: 'true' },
      { healthMs: 500 },
    );
  });
  afterAll(() => blocked.close());

  it('waiting requests get 503 when their time is over, and requests that hold one get their answer', async () => {
    const { server, blocker, list } = blocked;
    (await list()).expectData();
    await blocker.query(lockAll);
    const holding = [list(), list()];
    await untilLocked(server, 2);
    const started = performance.now();
    const waiting = await Promise.all(Array.from({ length: 6 }, list));
    expect(performance.now() - started).toBeGreaterThan(waitMs * 0.9);
    await blocker.query('COMMIT');
    for (const answer of waiting) {
      answer.expectError('UNAVAILABLE');
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    for (const answer of await Promise.all(holding)) answer.expectData();
    (await list()).expectData();
  });

  it('health answers all the same, and its probes do not queue up', async () => {
    const { server, blocker, list } = blocked;
    await blocker.query(lockAll);
    const holding = [list(), list()];
    await untilLocked(server, 2);
    const probes = await Promise.all(Array.from({ length: 10 }, () => server.rest('GET', '/api/v1/health')));
    const waiting = sampleValue(await readMetrics(server), 'database_pool', { state: 'waiting' });
    await blocker.query('COMMIT');
    expect(probes.map(({ status }) => status)).toEqual(probes.map(() => 503));
    expect(waiting).toBeLessThan(probes.length);
    await Promise.all(holding);
  });
});

it('a statement that takes too long is stopped and answered as QUERY_TIMEOUT, not as a database that is down', async () => {
  const { blocker, list, close } = await startBlocked({ DATABASE_STATEMENT_TIMEOUT_MS: '3000' });
  try {
    await blocker.query(lockAll);
    const answer = await list();
    answer.expectError('QUERY_TIMEOUT');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([200, null]);
    await blocker.query('COMMIT');
    (await list()).expectData();
  } finally {
    await close();
  }
});
