// What tests run against: a PostgreSQL of their own with a migrated template; Redis and a browser where there are any.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { parse } from 'yaml';
import { startEmbeddedPostgres } from '../../src/infra/embedded-postgres/server.js';
import { APP_ROLE, ensureAppRole, urlAs } from '../../src/infra/migrations/app-role.js';
import { applyMigrations } from '../../src/infra/migrations/migrate.js';
import { freePort } from '../kit/network/free-port.js';
import { tellMissing } from '../kit/programs/missing.js';

/** Starts it and tells the tests by the environment where it is. @returns what stops it and removes its files */
export async function startTestInfra(): Promise<() => Promise<void>> {
  // Workers inherit it: folders of tests are in it too.
  const folder = fastFolder();
  removeLeft(folder);
  process.env.TMPDIR = mkdtempSync(join(folder, `sec-tester-tests-${process.pid}-`));
  chmodSync(process.env.TMPDIR, 0o711); // a PostgreSQL of another user has to pass
  const dataDir = process.env.TMPDIR;
  const postgres = await startEmbeddedPostgres({ dataDir, isDurable: false });
  const template = new URL(postgres.url);
  template.pathname = '/template_migrated';
  const admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  await admin.query('CREATE DATABASE template_migrated');
  await admin.end();
  await applyMigrations(template.href);
  // Servers under test have no more rights than in production.
  const role = { name: APP_ROLE, password: randomBytes(12).toString('hex') };
  await ensureAppRole(template.href, role);
  process.env.TEST_POSTGRES_URL = postgres.url;
  process.env.TEST_POSTGRES_APP_URL = urlAs(postgres.url, role);
  process.env.TEST_DATA_DIR = dataDir;
  process.env.TEST_OPENAPI = join(dataDir, 'openapi.json');
  writeFileSync(process.env.TEST_OPENAPI, JSON.stringify(parse(readFileSync('openapi.yaml', 'utf8'))));
  const redis = await startRedis();
  findChromium();
  return async () => {
    redis?.kill('SIGKILL');
    await postgres.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
}

/** In memory where there is room for a run's databases and programs may run from it: each server makes and drops one. */
function fastFolder(): string {
  const inMemory = '/dev/shm';
  const mounts = existsSync('/proc/mounts') ? readFileSync('/proc/mounts', 'utf8') : '';
  const options = new RegExp(`^tmpfs ${inMemory} tmpfs (\\S+)`, 'm').exec(mounts)?.[1];
  if (options === undefined || options.includes('noexec')) return tmpdir();
  const { bavail, bsize } = statfsSync(inMemory);
  return bavail * bsize > 4 * 2 ** 30 ? inMemory : tmpdir();
}

/** Removes the folders of runs that were interrupted: those in memory would fill it. */
function removeLeft(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = Number(/^sec-tester-tests-(\d+)-/.exec(name)?.[1] ?? process.pid);
    try {
      process.kill(pid, 0);
    } catch (error) {
      const isGone = (error as NodeJS.ErrnoException).code === 'ESRCH';
      if (isGone) rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
}

/** TEST_REDIS_URL, else a redis-server from the PATH, else none: the tests that need one say that they did not run. */
async function startRedis(): Promise<ChildProcess | undefined> {
  if (process.env.TEST_REDIS_URL) return undefined;
  if (spawnSync('redis-server', ['--version']).error !== undefined) {
    tellMissing('There is no redis-server on the PATH and no TEST_REDIS_URL.');
    return undefined;
  }
  const port = await freePort();
  const redis = spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    { stdio: 'ignore' },
  );
  process.env.TEST_REDIS_URL = `redis://127.0.0.1:${port}`;
  while (!(await listens(port))) {
    if (redis.exitCode !== null) throw new Error(`redis-server ended with ${redis.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return redis;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
  });
}

/** CHROMIUM_PATH, else where systems keep one, else none: the tests that need one say that they did not run. */
function findChromium(): void {
  const usual = [
    ...['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ];
  const found = process.env.CHROMIUM_PATH ?? usual.find((path) => existsSync(path));
  if (found === undefined) {
    tellMissing('There is no Chromium and no CHROMIUM_PATH.');
    return;
  }
  process.env.TEST_CHROMIUM = found;
}
