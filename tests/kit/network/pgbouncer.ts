// A PgBouncer in front of a test database, where one is installed.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { until } from '../live.js';
import { tellMissing } from '../programs/missing.js';
import { freePort } from './free-port.js';

const path = `${process.env.PATH}:/usr/sbin`;

/** Whether a PgBouncer is there for the tests that need one. */
export const hasPgBouncer =
  spawnSync('pgbouncer', ['--version'], { env: { ...process.env, PATH: path } }).error === undefined;

if (!hasPgBouncer) tellMissing('There is no pgbouncer.');

export interface PgBouncer {
  /** Of the same database, through PgBouncer. */
  url: string;
  stop: () => Promise<void>;
}

/** @param settings lines of pgbouncer.ini, beside the pool mode */
export async function startPgBouncer(
  databaseUrl: string,
  mode: 'session' | 'transaction' | 'statement',
  settings: string[] = [],
): Promise<PgBouncer> {
  const { hostname, port: serverPort, pathname, username, password } = new URL(databaseUrl);
  const name = pathname.slice(1);
  const folder = mkdtempSync(join(tmpdir(), 'sec-tester-pgbouncer-'));
  chmodSync(folder, 0o755);
  const port = await freePort();
  const file = join(folder, 'pgbouncer.ini');
  const lines = [
    '[databases]',
    `${name} = host=${hostname} port=${serverPort} user=${decodeURIComponent(username)} password=${decodeURIComponent(password)}`,
    '[pgbouncer]',
    ...['listen_addr = 127.0.0.1', `listen_port = ${port}`, 'auth_type = any', 'unix_socket_dir ='],
    ...[`pool_mode = ${mode}`, ...settings],
  ];
  writeFileSync(file, lines.join('\n'), { mode: 0o644 });
  // It refuses to run as root.
  const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const child: ChildProcess = spawn('pgbouncer', [file], {
    ...account,
    env: { PATH: path },
    stdio: 'ignore',
  });
  const url = `postgres://${username}:${password}@127.0.0.1:${port}/${name}`;
  await until(async () => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    const isUp = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => {});
    return isUp;
  }, 'a running PgBouncer');
  return {
    url,
    async stop() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
