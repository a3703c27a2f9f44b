// The test kit: a real server in the test's process, on a database of its own.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import pg from 'pg';
import { loadConfig } from '../../src/config/load.js';
import type { Timing } from '../../src/core/timeouts.js';
import type { PasswordHasher } from '../../src/infra/credentials/password-hasher.js';
import { closeLogger, createLogger } from '../../src/infra/logging/logger.js';
import { start } from '../../src/server/bootstrap.js';
import type { AppOptions } from '../../src/server/http-server.js';
import type { Services } from '../../src/server/services.js';
import { admin, type Calls, callsTo, onDatabase } from './calls.js';

export { admin, type GqlAnswer, ownerUrlOf } from './calls.js';
export type { RestAnswer } from './openapi.js';

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

export interface TestServer extends Calls {
  services: Services;
  /** The hasher that the services use; tests may watch it. */
  passwords: PasswordHasher;
  clock: Clock;
  /** Log lines so far, parsed. */
  logs: Record<string, unknown>[];
  close: () => Promise<void>;
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
  const { end, ...calls } = callsTo(url, databaseUrl);
  return {
    ...calls,
    ...{ services: running.services, passwords: running.passwords, clock, logs },
    close: async () => {
      await running.close();
      await end();
      await closeLogger(log);
      rmSync(dataDir, { recursive: true, force: true });
      if (env.DATABASE_URL === undefined) await dropDatabase(databaseUrl);
    },
  };
}

async function dropDatabase(url: string): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  await withClient(process.env.TEST_POSTGRES_URL as string, (client) =>
    client.query(`DROP DATABASE ${name} WITH (FORCE)`),
  );
}

/** Works on a database over a connection of its own. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
