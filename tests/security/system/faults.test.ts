// Attack: make a part of the server fail from within, and do meanwhile what is refused otherwise, or read what it says.
// ASVS 16.5.1 (generic messages), 16.5.3 (fails closed), 16.5.4 (no error ends the process).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { Agent, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { loadConfig } from '../../../src/config/load.js';
import { AppError } from '../../../src/core/errors.js';
import { defaultTiming } from '../../../src/core/timeouts.js';
import { loginInput } from '../../../src/features/auth/auth.input.js';
import { createExecutionInput } from '../../../src/features/execution/execution.input.js';
import { createTokens, generateSigningKey } from '../../../src/infra/credentials/jwt.js';
import { createPasswordHasher } from '../../../src/infra/credentials/password-hasher.js';
import type { Infra } from '../../../src/infra/infra.js';
import { createLogger } from '../../../src/infra/logging/logger.js';
import { createDatabase } from '../../../src/infra/postgres/database.js';
import { createEvents } from '../../../src/infra/redis/message-bus.js';
import { createMetrics } from '../../../src/infra/telemetry/metrics.js';
import { createApp } from '../../../src/server/http-server.js';
import { createServices, type Services } from '../../../src/server/services.js';
import { admin, createTestDatabase, startTestServer, type TestServer } from '../../kit/harness.js';
import { until, untilLocked } from '../../kit/live.js';
import { createTcpProxy } from '../../kit/network/tcp-proxy.js';
import { openWire } from '../../kit/network/wire.js';
import { build } from '../../kit/programs/build.js';
import { useServer } from '../../kit/use.js';

const secret = 'relation "users" does not exist at /srv/app/secret.ts:7';
const fail = (): never => {
  throw new Error(secret);
};

const key = await generateSigningKey();
const base = await useServer({ JWT_SIGNING_KEYS: JSON.stringify([key]) });
const token = await base.signIn();

/** What a server is made of, with the part that fails put in. */
interface Breaking {
  infra?: (infra: Infra) => Partial<Infra>;
  services?: (services: Services) => Partial<Services>;
  /** Takes the lines of the log. */
  write?: (line: Buffer) => void;
}

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  jest.restoreAllMocks();
  for (const close of closers.splice(0).reverse()) await close();
});

/** A second server on the base's database, of which one part fails. */
async function startBroken({ infra: breakInfra, services: breakServices, write }: Breaking): Promise<string> {
  const config = loadConfig({
    ...{ NODE_ENV: 'test', DATABASE_URL: base.databaseUrl, JWT_SIGNING_KEYS: JSON.stringify([key]) },
    ...{ ARGON2_MEMORY_KIB: '8', ARGON2_ITERATIONS: '1' },
  });
  const log = createLogger({
    ...{ level: 'debug', environment: 'test', keep: 1, maxSizeMb: 1 },
    destination: { write: (line: Buffer) => write?.(line) ?? true } as unknown as Writable,
  });
  const db = createDatabase({
    ...{ url: base.databaseUrl, poolMax: 4, statementTimeoutMs: 60_000, acquireTimeoutMs: 60_000, log },
  });
  closers.push(db.close);
  const bulk = { url: base.databaseUrl, statementTimeoutMs: 60_000, connectTimeoutMs: 60_000 };
  const whole: Infra = {
    ...{ config, log, db, bulk, redis: undefined, events: createEvents(undefined, log), now: Date.now },
    ...{ metrics: createMetrics(), tracing: undefined, timing: { ...defaultTiming, greetingMs: 60_000 } },
    tokens: await createTokens({
      ...{ signingKeys: [key], issuer: config.jwtIssuer, audience: config.jwtAudience, now: Date.now },
    }),
    passwords: createPasswordHasher({ ...config.argon2, queueMax: 10 }),
  };
  closers.push(whole.passwords.close);
  const infra = { ...whole, ...breakInfra?.(whole) };
  const made = createServices(infra);
  const { server, endStreams } = createApp({ ...made, ...breakServices?.(made) }, infra);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  closers.push(async () => {
    await endStreams();
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const write =
  'mutation { createExecution(input: { name: "Unseen", target: "unseen", kind: OTHER }) { execution { id } } }';
const ways = {
  'a query': (url: string) => post(url, '{ executions { totalCount } }'),
  'a mutation': (url: string) => post(url, write),
  'an event stream': (url: string) =>
    post(url, 'subscription { executionsChanged { id } }', 'text/event-stream'),
  REST: (url: string) => fetch(`${url}/api/v1/auth/me`, { headers: { authorization: `Bearer ${token}` } }),
} as const;

function post(url: string, query: string, accept = 'application/json'): Promise<Response> {
  return fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, accept },
    body: JSON.stringify({ query }),
  });
}

function login(url: string, password: string = admin.password): Promise<Response> {
  return fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: admin.email, password }),
  });
}

/** It is refused, as something that went wrong, and says nothing of what did. */
async function expectRefused(sent: Promise<Response>): Promise<void> {
  const answer = await sent;
  const text = await answer.text();
  expect(text).toMatch(/"code":"(INTERNAL|UNAVAILABLE)"/);
  expect(text).not.toMatch(/secret\.ts|\brelation|accessToken|"data":\{"/);
  const isGraphQL = !(answer.headers.get('content-type') ?? '').startsWith('application/problem');
  if (!isGraphQL) expect(answer.status).toBeGreaterThanOrEqual(500);
}

const executions = async () => (await base.sql('SELECT id FROM test_executions')).length;

describe.each(['throws', 'rejects'] as const)('when authentication %s', (how) => {
  const authenticate = (how === 'throws' ? fail : async () => fail()) as Services['auth']['authenticate'];
  const services = ({ auth }: Services) => ({ auth: { ...auth, authenticate } });

  it.each(Object.keys(ways) as (keyof typeof ways)[])('%s is refused', async (way) => {
    const url = await startBroken({ services });
    const before = await executions();
    await expectRefused(ways[way](url));
    expect(await executions()).toBe(before);
  });

  it('a WebSocket is closed', async () => {
    const url = await startBroken({ services });
    const wire = await openWire({ url } as TestServer);
    wire.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
    expect([4403, 4500, 1011]).toContain(await wire.closed);
  });
});

describe('when the limit on requests throws', () => {
  const services = ({ requests }: Services) => ({ requests: { ...requests, isOff: false, take: fail } });

  it.each(Object.keys(ways) as (keyof typeof ways)[])('%s is refused', async (way) => {
    const url = await startBroken({ services });
    const before = await executions();
    await expectRefused(ways[way](url));
    expect(await executions()).toBe(before);
  });

  it('so is who sends no token', async () => {
    const url = await startBroken({ services });
    await expectRefused(login(url));
  });

  it('an operation over a WebSocket is refused', async () => {
    const url = await startBroken({ services });
    const wire = await openWire({ url } as TestServer);
    closers.push(async () => wire.end());
    wire.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
    await wire.next();
    wire.send({ id: '1', type: 'subscribe', payload: { query: write } });
    const { type, payload } = await wire.next();
    expect([type, payload[0].extensions.code]).toEqual(['error', 'INTERNAL']);
    expect(JSON.stringify(payload)).not.toContain('secret.ts');
  });
});

describe('when the check of an input throws', () => {
  it('a mutation is refused', async () => {
    const url = await startBroken({});
    jest.spyOn(createExecutionInput.shape.target, 'safeParse').mockImplementation(fail);
    const before = await executions();
    await expectRefused(ways['a mutation'](url));
    expect(await executions()).toBe(before);
  });

  it('a sign-in is refused', async () => {
    const url = await startBroken({});
    jest.spyOn(loginInput, 'safeParse').mockImplementation(fail);
    await expectRefused(login(url));
  });
});

describe('when the event bus throws', () => {
  const infra = ({ events }: Infra) => ({ events: { ...events, publish: fail } });

  it('a sign-in and a mutation are answered as failed', async () => {
    const url = await startBroken({ infra });
    await expectRefused(login(url));
    await expectRefused(ways['a mutation'](url));
  });

  it('a sign-out holds all the same', async () => {
    const url = await startBroken({ infra });
    const own = await base.signIn();
    const headers = { authorization: `Bearer ${own}` };
    await expectRefused(fetch(`${url}/api/v1/auth/logout`, { method: 'POST', headers }));
    for (const at of [url, base.url])
      await until(async () => (await fetch(`${at}/api/v1/auth/me`, { headers })).status === 401, 'the end');
  });
});

describe('when the log cannot be written', () => {
  it('what is refused stays refused, what is allowed goes on, and no answer mentions it', async () => {
    const url = await startBroken({ write: fail });
    expect((await login(url, 'not the password of anyone')).status).toBe(401);
    expect((await fetch(`${url}/api/v1/auth/me`)).status).toBe(401);
    expect((await login(url)).status).toBe(200);
    const answer = await post(url, '{ executions { totalCount } nothing }');
    expect(await answer.text()).not.toContain('secret.ts');
    expect((await ways.REST(url)).status).toBe(200);
  });

  it('an unexpected error is still answered as INTERNAL', async () => {
    const services = ({ executions: own }: Services) => ({ executions: { ...own, list: fail } });
    const url = await startBroken({ write: fail, services });
    await expectRefused(ways['a query'](url));
  });
});

/** Logs three lines to a stdout that is this file; how the process ends. */
async function logTo(file: string): Promise<[number | null, string]> {
  await build();
  const script = `
    import { setTimeout } from 'node:timers/promises';
    import { closeLogger, createLogger } from './dist/infra/logging/logger.js';
    const log = createLogger({ level: 'info', environment: 'production', keep: 1, maxSizeMb: 1 });
    for (let n = 0; n < 3; n += 1) {
      log.info({ n });
      await setTimeout(20);
    }
    process.stderr.write('went on');
    await Promise.race([closeLogger(log), setTimeout(100)]);
    process.exit(0);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', openSync(file, 'w'), 'pipe'],
  });
  let told = '';
  child.stderr?.on('data', (data) => {
    told += data;
  });
  const [code] = await once(child, 'close');
  return [code, told];
}

(process.platform === 'linux' ? it : it.skip)(
  'a full disk under stdout does not end the process',
  async () => {
    expect(await logTo('/dev/full')).toEqual([0, 'went on']);
  },
);

describe('when the database', () => {
  it('is lost in the midst of statements, they fail and the server goes on', async () => {
    const databaseUrl = await createTestDatabase();
    const proxy = await createTcpProxy(databaseUrl);
    const server = await startTestServer({ DATABASE_URL: proxy.url });
    const blocker = new pg.Client({ connectionString: databaseUrl });
    await blocker.connect();
    try {
      const own = await server.signIn();
      await blocker.query('BEGIN; LOCK TABLE test_executions IN ACCESS EXCLUSIVE MODE');
      const running = [1, 2, 3].map(() => server.gql(write, {}, own));
      await untilLocked(server, 3);
      await proxy.cut();
      for (const answer of await Promise.all(running)) answer.expectError('UNAVAILABLE');
      await blocker.query('ROLLBACK');
      await proxy.restore();
      (await server.gql(write, {}, own)).expectData();
    } finally {
      await blocker.end();
      await server.close();
      await proxy.cut().catch(() => {});
    }
  });

  it('is away, a request with a token waits for it once', async () => {
    const authenticate = jest.fn<Services['auth']['authenticate']>(async () => {
      throw new AppError('UNAVAILABLE', { retryAfterSeconds: 1 });
    });
    const url = await startBroken({
      services: ({ auth, requests }) => ({
        auth: { ...auth, authenticate },
        requests: { ...requests, isOff: false },
      }),
    });
    const answer = await ways['a query'](url);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    expect(authenticate).toHaveBeenCalledTimes(1);
  });
});

describe('a stop in production', () => {
  it('says that the server is not ready, and breaks nothing off for clients that heed it', async () => {
    const server = await startTestServer(
      {
        ...{ NODE_ENV: 'production', JWT_SIGNING_KEYS: JSON.stringify([key]) },
        ...{ ARGON2_MEMORY_KIB: '19456', ARGON2_ITERATIONS: '2' },
      },
      { timing: { drainMs: 8000 } }, // long enough for a slow machine to hear of it
    );
    const agent = new Agent({ keepAlive: true });
    const ask = (path: string) =>
      new Promise<number | string>((resolve) => {
        const sent = request(server.url + path, { agent }, (answer) => {
          answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
        });
        sent.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? '')).end();
      });
    const seen = new Set<number | string>();
    // As behind a load balancer: once readiness is denied nobody asks any more.
    let isReady = true;
    const askOn = async (path: string) => {
      while (isReady) {
        const answer = await ask(path);
        if (path.endsWith('/ready') && answer !== 200) isReady = false;
        seen.add(`${path} ${answer}`);
      }
    };
    const paths = ['/api/v1/health/live', '/.well-known/jwks.json', '/api/v1/health/ready'];
    const asking = Promise.all([...paths, ...paths, ...paths].map((path) => askOn(path)));
    await until(() => paths.every((path) => seen.has(`${path} 200`)), 'answers of all');
    await server.close();
    await asking;
    agent.destroy();
    expect([...seen].sort()).toEqual(
      [...paths.map((path) => `${path} 200`), '/api/v1/health/ready 503'].sort(),
    );
  });
});
