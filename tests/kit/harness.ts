// The test kit: a real server on a database of its own, GraphQL and REST calls that read like sentences.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect } from '@jest/globals';
import pg from 'pg';
import { loadConfig } from '../../src/config/load.js';
import type { ErrorCode } from '../../src/core/error-catalogue.js';
import type { FieldError } from '../../src/core/errors.js';
import type { Timing } from '../../src/core/timeouts.js';
import type { PasswordHasher } from '../../src/infra/credentials/password-hasher.js';
import { closeLogger, createLogger } from '../../src/infra/logging/logger.js';
import { start } from '../../src/server/bootstrap.js';
import type { AppOptions } from '../../src/server/http-server.js';
import type { Services } from '../../src/server/services.js';
import { assertDocumented, type RestAnswer } from './openapi.js';

export type { RestAnswer } from './openapi.js';

export const admin = { email: 'admin@harness.test', password: 'kiwi lantern 7391 harbor moss' } as const;

/** A Chromium for the tests that need a browser, if one is there. */
export const chromium = process.env.TEST_CHROMIUM;

/** Whether a Redis is there for the tests that need one. */
export const hasRedis = Boolean(process.env.TEST_REDIS_URL);

/** A clock that tests turn. */
export interface Clock {
  now: () => number;
  /** Moves it forward. */
  advance: (ms: number) => void;
}

export interface TestServer {
  url: string;
  databaseUrl: string;
  services: Services;
  /** The hasher that the services use; tests may watch it. */
  passwords: PasswordHasher;
  clock: Clock;
  /** Log lines so far, parsed. */
  logs: Record<string, unknown>[];
  /** A GraphQL call: anonymous, or with a token. */
  gql: (
    query: string,
    variables?: Record<string, unknown>,
    token?: string,
    headers?: Record<string, string>,
  ) => Promise<GqlAnswer>;
  /**
   * A mutation that takes one `input`, with this selection of what it gives.
   * @example change('updateUser', { id, role: 'VIEWER' }, 'user { id }', adminToken)
   */
  change: (mutation: string, input: unknown, selection: string, token?: string) => Promise<GqlAnswer>;
  /** A REST call; fails when openapi.yaml does not tell of the answer. */
  rest: (
    method: string,
    path: string,
    options?: { body?: unknown; token?: string; headers?: Record<string, string> },
  ) => Promise<RestAnswer>;
  /** Signs in over REST and gives the access token. */
  signIn: (email?: string, password?: string) => Promise<string>;
  /** Plain SQL on the server's database, as a superuser. */
  sql: <Row extends pg.QueryResultRow>(text: string, values?: unknown[]) => Promise<Row[]>;
  close: () => Promise<void>;
}

interface GqlError {
  message: string;
  path?: (string | number)[];
  extensions: { code: string; correlationId?: string; fields?: FieldError[]; retryAfterSeconds?: number };
}

export interface GqlAnswer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
  body: { data?: any; errors?: GqlError[] };
  /** The data, when there is no error. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
  expectData: () => any;
  /** The first error, when it has this code. */
  expectError: (code: ErrorCode) => GqlError;
}

/** Settings that every test server has; a test may override them. */
const testEnv = {
  NODE_ENV: 'test',
  PORT: '0',
  HOST: '127.0.0.1',
  LOG_LEVEL: 'debug',
  ADMIN_EMAIL: admin.email,
  ADMIN_PASSWORD: admin.password,
  ARGON2_MEMORY_KIB: '8',
  ARGON2_ITERATIONS: '1',
  LOGIN_MAX_FAILURES: '1000',
  SESSIONS_MAX_PER_USER: '1000',
  RATE_LIMIT_PER_MINUTE: '0',
  RATE_LIMIT_ANONYMOUS_PER_MINUTE: '0',
  DATABASE_ACQUIRE_TIMEOUT_MS: '60000',
  DATABASE_STATEMENT_TIMEOUT_MS: '60000',
};

/** Nothing is given up because the machine is busy; tests of what happens when it is choose less. */
const patience: Partial<Timing> = {
  greetingMs: 60_000,
  healthMs: 60_000,
  tracesMs: 60_000,
  redisAnswerMs: 60_000,
  redisSilenceMs: 60_000,
};

/** A new database from the migrated template; its URL as the role that servers run as. */
export async function createTestDatabase(): Promise<string> {
  const name = `t_${randomUUID().replaceAll('-', '')}`;
  await withClient(process.env.TEST_POSTGRES_URL as string, (client) =>
    client.query(`CREATE DATABASE ${name} TEMPLATE template_migrated STRATEGY FILE_COPY`),
  );
  return onDatabase(process.env.TEST_POSTGRES_APP_URL as string, `/${name}`);
}

/** The same database as a superuser. */
export function ownerUrlOf(databaseUrl: string): string {
  return onDatabase(process.env.TEST_POSTGRES_URL as string, new URL(databaseUrl).pathname);
}

function onDatabase(serverUrl: string, path: string): string {
  const url = new URL(serverUrl);
  url.pathname = path;
  return url.href;
}

/** Starts a server; on a database of its own unless DATABASE_URL is given. */
export async function startTestServer(
  env: Record<string, string> = {},
  options: AppOptions = {},
): Promise<TestServer> {
  const databaseUrl = env.DATABASE_URL ?? (await createTestDatabase());
  const dataDir = mkdtempSync(join(tmpdir(), 'sec-tester-data-'));
  const config = loadConfig({ ...testEnv, DATABASE_URL: databaseUrl, DATA_DIR: dataDir, ...env });
  const logs: Record<string, unknown>[] = [];
  const log = createLogger({
    level: config.logLevel,
    environment: 'test',
    keep: 1,
    maxSizeMb: 1,
    destination: new Writable({
      write(line: Buffer, _encoding, done) {
        if (line.length > 0) logs.push(JSON.parse(line.toString('utf8')));
        done();
      },
    }),
  });
  let offsetMs = 0;
  const clock = {
    now: () => Date.now() + offsetMs,
    advance: (ms: number) => {
      offsetMs += ms;
    },
  };
  const timing = { ...patience, ...options.timing };
  const running = await start(config, log, clock.now, { ...options, timing });
  const url = `http://127.0.0.1:${running.port}`;
  const server: TestServer = {
    ...{ url, databaseUrl, services: running.services, passwords: running.passwords, clock, logs },
    gql: (query, variables, token, headers) => gql(`${url}/graphql`, { query, variables }, token, headers),
    change: (mutation, input, selection, token) => {
      const type = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Input!`;
      const query = `mutation($input: ${type}) { ${mutation}(input: $input) { ${selection} } }`;
      return gql(`${url}/graphql`, { query, variables: { input } }, token);
    },
    rest: (method, path, options) => rest(url + path, method, options),
    signIn: async (email = admin.email, password: string = admin.password) => {
      const answer = await rest(`${url}/api/v1/auth/login`, 'POST', { body: { email, password } });
      if (answer.status !== 200) throw new Error(`sign-in of ${email}: ${JSON.stringify(answer.body)}`);
      return answer.body.accessToken as string;
    },
    sql: (text, values) =>
      withClient(ownerUrlOf(databaseUrl), async (client) => (await client.query(text, values)).rows),
    close: async () => {
      await running.close();
      await closeLogger(log);
      rmSync(dataDir, { recursive: true, force: true });
      if (env.DATABASE_URL === undefined) await dropDatabase(databaseUrl);
    },
  };
  return server;
}

async function dropDatabase(url: string): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  await withClient(process.env.TEST_POSTGRES_URL as string, (client) =>
    client.query(`DROP DATABASE ${name} WITH (FORCE)`),
  );
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function gql(
  url: string,
  request: { query: string; variables?: Record<string, unknown> | undefined },
  token?: string,
  headers: Record<string, string> = {},
): Promise<GqlAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify(request),
  });
  const body = (await response.json()) as GqlAnswer['body'];
  const story = () =>
    `${request.query}\n${JSON.stringify(request.variables)}\n→ ${response.status} ${JSON.stringify(body)}\ncorrelation id ${response.headers.get('x-correlation-id')}`;
  return {
    ...{ status: response.status, headers: response.headers, body },
    expectData: () => {
      if (body.errors !== undefined) throw new Error(`an error came instead of data\n${story()}`);
      return body.data;
    },
    expectError: (code) => {
      const [error] = body.errors ?? [];
      if (error?.extensions?.code !== code) throw new Error(`${code} was expected\n${story()}`);
      expect(error.extensions.correlationId).toBe(response.headers.get('x-correlation-id'));
      return error;
    },
  };
}

async function rest(
  url: string,
  method: string,
  { body, token, headers = {} }: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
): Promise<RestAnswer> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  const answer: RestAnswer = {
    status: response.status,
    headers: response.headers,
    body: isJson && text !== '' ? JSON.parse(text) : text,
  };
  assertDocumented(method, new URL(url).pathname, answer);
  return answer;
}
