// Starts and stops the built server in production mode, and reads its memory; nothing is measured here but readiness.
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const admin = { email: 'admin@bench.test', password: 'walnut ferry 6204 lagoon tile' };
const readyWithinMs = 60_000;

/**
 * @param {{ root: string, dataDir: string, databaseUrl: string | undefined, env?: Record<string, string> }} options
 */
export async function startServer({ root, dataDir, databaseUrl, env = {} }) {
  mkdirSync(dataDir, { recursive: true });
  const port = Number(env.PORT ?? (await freePort()));
  const url = `http://127.0.0.1:${port}`;
  const log = openSync(join(dataDir, 'server.log'), 'w');
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['--enable-source-maps', join(root, 'dist/main.js')], {
    stdio: ['ignore', log, log],
    env: {
      PATH: process.env.PATH,
      ...(process.env.NODE_OPTIONS && { NODE_OPTIONS: process.env.NODE_OPTIONS }),
      ...{
        NODE_ENV: 'production',
        HOST: '127.0.0.1',
        PORT: String(port),
        DATA_DIR: dataDir,
        LOG_LEVEL: 'info',
      },
      ...{ ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password },
      // What is measured is the server, not its limits.
      ...{ RATE_LIMIT_PER_MINUTE: '0', RATE_LIMIT_ANONYMOUS_PER_MINUTE: '0' },
      ...(databaseUrl !== undefined && {
        ...{ DATABASE_URL: databaseUrl, MIGRATE_ON_START: 'true', JWT_SIGNING_KEYS: signingKeys() },
      }),
      ...(process.env.BENCH_REDIS_URL && { REDIS_URL: process.env.BENCH_REDIS_URL }),
      // All subscribers are one user at one address.
      ...{
        STREAMS_MAX_PER_USER: '100000',
        WEBSOCKETS_MAX_PER_USER: '100000',
        WEBSOCKETS_MAX_PER_ADDRESS: '100000',
      },
      ...env,
    },
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const kill = () => child.kill('SIGTERM');
  process.once('exit', kill); // a bench that is interrupted leaves no server behind
  ended.then(() => process.off('exit', kill));
  let hasEnded = false;
  ended.then(() => {
    hasEnded = true;
  });
  while (!(await isReady(url))) {
    if (hasEnded)
      throw new Error(`The server did not start:\n${readFileSync(join(dataDir, 'server.log'), 'utf8')}`);
    if (performance.now() - startedAt > readyWithinMs) {
      child.kill('SIGKILL');
      throw new Error('The server was not ready in time');
    }
    await sleep(10);
  }
  return {
    url,
    port,
    pid: child.pid,
    readyMs: performance.now() - startedAt,
    databaseUrl: () => databaseUrl ?? embeddedUrl(dataDir),
    /** Of the Node process alone, without PostgreSQL. */
    residentMb: () => residentMb(child.pid),
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Resident memory of a process in MB; where /proc is missing, NaN. */
export function residentMb(pid) {
  const path = `/proc/${pid}/status`;
  if (!existsSync(path)) return Number.NaN;
  return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(path, 'utf8'))?.[1]) / 1024);
}

/** Time of the processor that a process has taken, in ms, user and system; where /proc is missing, NaN. */
export function cpuMs(pid) {
  const path = `/proc/${pid}/stat`;
  if (!existsSync(path)) return Number.NaN;
  const fields = readFileSync(path, 'utf8').split(') ').at(-1).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10; // ticks of 10 ms on Linux
}

async function isReady(url) {
  const answer = await fetch(`${url}/api/v1/health/ready`).catch(() => undefined);
  return answer?.ok === true;
}

/** The embedded PostgreSQL's address, as its own files tell it. */
function embeddedUrl(dataDir) {
  const port = readFileSync(join(dataDir, 'postgres/postmaster.pid'), 'utf8').split('\n')[3];
  const password = readFileSync(join(dataDir, 'postgres-password'), 'utf8').trim();
  return `postgresql://sec_tester:${password}@127.0.0.1:${port}/sec_tester`;
}

function signingKeys() {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return JSON.stringify([{ ...jwk, kid: 'bench' }]);
}

export function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
