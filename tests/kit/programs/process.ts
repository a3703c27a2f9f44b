// Processes of their own for the tests that kill them: a server from dist, a redis-server.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { type Calls, callsTo } from '../calls.js';
import { admin, createTestDatabase } from '../harness.js';
import { until } from '../live.js';
import { freePort } from '../network/free-port.js';
import { build } from './build.js';

/** A server in a process of its own; the same port, database and keys at every start. */
export interface ServerProcess extends Calls {
  dataDir: string;
  /** What it has printed. */
  output: () => string;
  start: () => Promise<void>;
  /** Sends the signal and gives the exit code (null after SIGKILL). */
  stop: (signal: NodeJS.Signals) => Promise<number | null>;
  remove: () => Promise<void>;
}

export async function createServerProcess(env: Record<string, string> = {}): Promise<ServerProcess> {
  await build();
  const dataDir = mkdtempSync(join(tmpdir(), 'sec-tester-process-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const settings = {
    ...{ NODE_ENV: 'test', PORT: String(port), DATA_DIR: dataDir, LOG_LEVEL: 'warn' },
    ...{ ARGON2_MEMORY_KIB: '8', ARGON2_ITERATIONS: '1' },
    ...{ DATABASE_ACQUIRE_TIMEOUT_MS: '60000', DATABASE_STATEMENT_TIMEOUT_MS: '60000' },
    ...{ ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password },
    DATABASE_URL: env.DATABASE_URL ?? (await createTestDatabase()),
  };
  const { end, ...calls } = callsTo(url, settings.DATABASE_URL);
  let child: ChildProcess | undefined;
  let output = '';
  const stop = async (signal: NodeJS.Signals) => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    child.kill(signal);
    const [code] = await once(child, 'exit');
    return code;
  };
  return {
    ...calls,
    dataDir,
    output: () => output,
    stop,
    async start() {
      child = spawn(process.execPath, ['dist/main.js'], {
        env: { PATH: process.env.PATH, ...settings, ...env },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      child.stdout?.on('data', (chunk) => {
        output += chunk;
      });
      const isUp = () =>
        fetch(`${url}/api/v1/health/live`).then(
          ({ ok }) => ok,
          () => false,
        );
      await until(isUp, 'a running server');
    },
    async remove() {
      await stop('SIGKILL');
      await end();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** A Redis that a test stops and starts again. */
export interface RedisProcess {
  url: string;
  port: number;
  start: () => Promise<void>;
  kill: () => Promise<void>;
}

const plain = (port: number): string[] => [
  ...['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
];

/** @param more further options of redis-server, or all of them by the port */
export async function createRedisProcess(
  more: string[] | ((port: number) => string[]) = [],
): Promise<RedisProcess> {
  const port = await freePort();
  const options = Array.isArray(more) ? [...plain(port), ...more] : more(port);
  let child: ChildProcess | undefined;
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    async start() {
      child = spawn('redis-server', options, { stdio: 'ignore' });
      const isUp = async () => {
        const client = new Redis(port, {
          lazyConnect: true,
          enableReadyCheck: false,
          retryStrategy: () => null,
        });
        client.on('error', () => {});
        const answer = await client.connect().then(
          () => client.ping(),
          () => '',
        );
        client.disconnect();
        return answer === 'PONG';
      };
      await until(isUp, 'a running Redis');
    },
    async kill() {
      if (child === undefined || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
