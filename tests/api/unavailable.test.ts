// When the database is away, too slow or has no free connection: 503 with a code, soon, and well again by itself.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { admin, createTestDatabase, startTestServer, type TestServer } from '../harness.js';
import { meWith, tryGqlLogin, tryLogin } from '../session-kit.js';
import { createTcpProxy, type TcpProxy } from '../tcp-proxy.js';

async function timed<T>(work: () => Promise<T>): Promise<{ answer: T; ms: number }> {
  const started = performance.now();
  return { answer: await work(), ms: performance.now() - started };
}

async function eventually(check: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('it did not come to pass within ten seconds');
}

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
      const { answer, ms } = await timed(ask);
      expect([answer.status, answer.body.code]).toEqual([503, 'UNAVAILABLE']);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(JSON.stringify(answer.body)).not.toMatch(/127\.0\.0\.1|ECONN|postgres/i);
      expect(ms).toBeLessThan(3000);
    }
  });

  it('GraphQL answers 503 UNAVAILABLE with Retry-After, with and without a session', async () => {
    for (const ask of [
      () => server.gql('{ me { id } }', {}, token),
      () => tryGqlLogin(server, admin.email, admin.password),
    ]) {
      const { answer, ms } = await timed(ask);
      answer.expectError('UNAVAILABLE');
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(JSON.stringify(answer.body)).not.toMatch(/127\.0\.0\.1|ECONN|postgres/i);
      expect(ms).toBeLessThan(3000);
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
    await eventually(async () => (await server.rest('GET', '/api/v1/health')).status === 200);
    expect(await meWith(server, token)).toBe('200');
    expect((await tryLogin(server, admin.email, admin.password)).status).toBe(200);
  });
});

describe('when connections are cut under way', () => {
  it('a statement that was running is UNAVAILABLE, and the next one works', async () => {
    const server = await startTestServer();
    const blocker = new pg.Client({ connectionString: server.databaseUrl });
    await blocker.connect();
    try {
      const token = await server.signIn();
      await blocker.query('BEGIN; LOCK TABLE test_executions IN ACCESS EXCLUSIVE MODE');
      const running = server.gql('{ executions { totalCount } }', {}, token);
      await new Promise((resolve) => setTimeout(resolve, 200));
      await blocker.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      (await running).expectError('UNAVAILABLE');
      await blocker.query('COMMIT');
      (await server.gql('{ executions { totalCount } }', {}, token)).expectData();
    } finally {
      await blocker.end();
      await server.close();
    }
  });
});

describe('with all connections busy', () => {
  let server: TestServer;
  let blocker: pg.Client;
  let token: string;
  const list = () => server.gql('{ executions { nodes { id } } }', {}, token);
  beforeAll(async () => {
    server = await startTestServer({
      DATABASE_POOL_MAX: '2',
      DATABASE_ACQUIRE_TIMEOUT_MS: '300',
      DATABASE_STATEMENT_TIMEOUT_MS: '1500',
    });
    blocker = new pg.Client({ connectionString: server.databaseUrl });
    await blocker.connect();
    token = await server.signIn();
    (await list()).expectData();
  });
  afterAll(async () => {
    await blocker.end();
    await server.close();
  });

  it('those that wait get 503 within the time to wait, and those that hold one get their answer', async () => {
    await blocker.query('BEGIN; LOCK TABLE test_executions IN ACCESS EXCLUSIVE MODE');
    const holding = [list(), list()];
    await new Promise((resolve) => setTimeout(resolve, 100));
    const waiting = await Promise.all(Array.from({ length: 6 }, () => timed(list)));
    await blocker.query('COMMIT');
    for (const { answer, ms } of waiting) {
      answer.expectError('UNAVAILABLE');
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('1');
      expect(ms).toBeGreaterThan(200);
      expect(ms).toBeLessThan(1200);
    }
    for (const answer of await Promise.all(holding)) answer.expectData();
    (await list()).expectData();
  });

  it('a statement that takes too long is ended and UNAVAILABLE', async () => {
    await blocker.query('BEGIN; LOCK TABLE test_executions IN ACCESS EXCLUSIVE MODE');
    const { answer, ms } = await timed(list);
    await blocker.query('COMMIT');
    answer.expectError('UNAVAILABLE');
    expect(ms).toBeGreaterThan(1200);
    expect(ms).toBeLessThan(3000);
    (await list()).expectData();
  });

  it('health answers in time and without queueing up', async () => {
    await blocker.query('BEGIN; LOCK TABLE test_executions IN ACCESS EXCLUSIVE MODE');
    const holding = [list(), list()];
    await new Promise((resolve) => setTimeout(resolve, 600));
    const probes = await Promise.all(
      Array.from({ length: 10 }, () => timed(() => server.rest('GET', '/api/v1/health'))),
    );
    await blocker.query('COMMIT');
    for (const { answer, ms } of probes) {
      expect(answer.status).toBe(503);
      expect(ms).toBeLessThan(1500);
    }
    await Promise.all(holding);
  });
});
