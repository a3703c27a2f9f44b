// A PostgreSQL that a fault may kill, freeze and start again on the same port; from the binaries that npm installs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { locateBinaries } from '../../dist/infra/embedded-postgres/binaries.js';
import { createDataDirectory } from '../../dist/infra/embedded-postgres/data-directory.js';
import { resolveServerUser } from '../../dist/infra/embedded-postgres/system-user.js';
import { clock, freePort, until } from './time.mjs';

const password = 'faults-only';

/** Makes and starts one; `url` names its only database. */
export async function startPostgres() {
  const folder = mkdtempSync(join(tmpdir(), 'sec-tester-faults-pg-'));
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  const data = join(folder, 'postgres');
  const account = await resolveServerUser(data);
  const binaries = await locateBinaries(account, join(folder, 'cache'));
  await createDataDirectory(data, binaries, { user: account, password, isDurable: true });
  const port = await freePort();
  const urlOf = (database, role = 'sec_tester', secret = password) =>
    `postgresql://${role}:${secret}@127.0.0.1:${port}/${database}`;
  let child;

  /** Starts it; resolves with the moment at which it first took a connection. */
  async function start() {
    const settings = [
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      'max_connections=200',
      'jit=off',
    ];
    child = spawn(
      binaries.postgres,
      ['-D', '/proc/self/cwd', '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
      {
        cwd: data,
        env: { LC_ALL: 'C', TZ: 'UTC', PATH: process.env.PATH },
        stdio: 'ignore',
        ...(process.getuid?.() === 0 && { uid: account.uid, gid: account.gid }),
      },
    );
    await until(() => accepts(urlOf('postgres')), 'PostgreSQL takes connections', 30_000, 5);
    return clock();
  }

  /** Each backend is a process with a session of its own, so all are named. */
  const processes = () => [child.pid, ...childrenOf(child.pid)];
  const signalAll = (signal) => {
    for (const pid of processes()) {
      try {
        process.kill(pid, signal);
      } catch {} // it has ended meanwhile
    }
  };

  /** SIGKILL to all of it at once, as when the machine dies. */
  async function kill() {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    signalAll('SIGKILL');
    await gone;
  }

  await start();
  await run(urlOf('postgres'), 'CREATE DATABASE faults');
  return {
    start,
    kill,
    /** Stops every process of it; connections stay open and say nothing. */
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
    url: urlOf('faults'),
    /** Plain SQL as a superuser; gives the rows. */
    sql: (text, values) => run(urlOf('faults'), text, values),
    /** A connection of its own, to hold locks with. */
    connect: async () => {
      const client = new pg.Client({ connectionString: urlOf('faults') });
      client.on('error', () => {});
      await client.connect();
      return client;
    },
    async remove() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function accepts(url) {
  return run(url, 'SELECT 1').then(
    () => true,
    () => false,
  );
}

async function run(url, text, values) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query(text, values)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

function childrenOf(parent) {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return Number(fields[1]) === parent ? [Number(name)] : [];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}
