// One server from the build, in production mode, as a process of its own: started, signalled, asked for its memory.
import { spawn } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { call } from './client.mjs';
import { freePort, until } from './time.mjs';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const probe = fileURLToPath(new URL('probe.cjs', import.meta.url));
export const admin = { email: 'admin@faults.test', password: 'walnut ferry 6204 lagoon tile' };

/** A private signing key as a JWK. */
export function signingKey() {
  const { privateKey } = generateKeyPairSync('ed25519');
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'EdDSA' };
}

/**
 * An instance that is not started yet; the same port at every start.
 * @param {{ databaseUrl: string, redisUrl?: string, keys: object[], env?: Record<string, string>, node?: string }} options
 */
export async function createInstance({ databaseUrl, redisUrl, keys, env = {}, node = process.execPath }) {
  const folder = mkdtempSync(join(tmpdir(), 'sec-tester-faults-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const logFile = join(folder, 'stdout.log');
  let child;
  let ended;

  /** @param {{ env?: Record<string, string>, stdio?: unknown[] }} changes for this start */
  async function start({ env: more = {}, stdout } = {}) {
    const log = openSync(logFile, 'a');
    child = spawn(node, ['--enable-source-maps', '--expose-gc', '--require', probe, main], {
      stdio: ['ignore', stdout ?? log, log, 'ipc'],
      env: {
        PATH: process.env.PATH,
        ...{ NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), DATA_DIR: folder },
        ...{ DATABASE_URL: databaseUrl, MIGRATE_ON_START: 'true', JWT_SIGNING_KEYS: JSON.stringify(keys) },
        ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
        ...{ ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password },
        // Most faults are about something else than the limits; they count, but let all through.
        ...{ RATE_LIMIT_PER_MINUTE: '1000000', RATE_LIMIT_ANONYMOUS_PER_MINUTE: '1000000' },
        ...env,
        ...more,
      },
    });
    ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    let isOver = false;
    ended.then(() => {
      isOver = true;
    });
    await until(
      async () => {
        if (isOver)
          throw new Error(`The server did not start:\n${readFileSync(logFile, 'utf8').slice(-2000)}`);
        return (await call(url, { path: '/api/v1/health/ready' })).status === 200;
      },
      'a ready server',
      60_000,
      20,
    );
  }

  async function ask(what, value) {
    child.send({ ask: what, value });
    for (;;) {
      const [answer] = await once(child, 'message');
      if (answer.told === what) return answer.value;
    }
  }

  return {
    url,
    start,
    ask,
    pid: () => child.pid,
    child: () => child,
    isRunning: () => child?.exitCode === null && child.signalCode === null,
    signal: (name) => child.kill(name),
    /** Exit code and signal, once it has ended. */
    ended: () => ended,
    residentMb: () =>
      Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024,
    /** Lines of its log so far; what is no JSON is left out. */
    logs: () =>
      readFileSync(logFile, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line)),
    async remove() {
      if (child?.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await ended;
      }
      if (process.env.KEEP_LOGS === undefined) rmSync(folder, { recursive: true, force: true });
      else console.error(`log kept: ${logFile}`);
    },
  };
}
