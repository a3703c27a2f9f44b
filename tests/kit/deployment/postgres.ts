// Clusters of an installed PostgreSQL with its tools, and standbys of them; the embedded one brings no tools.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { until } from '../live.js';
import { freePort } from '../network/free-port.js';
import { tellMissing } from '../programs/missing.js';

const isRoot = process.getuid?.() === 0;
const idOf = (flag: string) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);

/** The account that PostgreSQL runs as: it refuses to run as root. */
export const account = isRoot ? { uid: idOf('-u'), gid: idOf('-g') } : {};

/** Where the newest installed PostgreSQL has its programs; undefined without one. */
export const postgresBin = findBin();
if (postgresBin === undefined) tellMissing('There is no PostgreSQL with its tools (Debian: postgresql).');

function findBin(): string | undefined {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = versions.map((version) => `${root}/${version}/bin`);
  return Number.isNaN(account.uid) ? undefined : folders.find((folder) => existsSync(`${folder}/initdb`));
}

/** A folder of PostgreSQL's account. */
export function folderOfPostgres(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sec-tester-cluster-'));
  chmodSync(folder, 0o755);
  if (account.uid !== undefined && account.gid !== undefined) chownSync(folder, account.uid, account.gid);
  return folder;
}

export interface Cluster {
  port: number;
  /** Of a database, as a role; `postgres` is the superuser, and every role is trusted. */
  url: (database: string, role?: string) => string;
  sql: <Row extends pg.QueryResultRow>(text: string, database?: string) => Promise<Row[]>;
  kill: (signal?: NodeJS.Signals) => Promise<void>;
  /** Starts it again at the same place. */
  start: () => Promise<void>;
  remove: () => Promise<void>;
}

/** @param primary the cluster that this one is a standby of */
export async function startCluster({ primary }: { primary?: Cluster } = {}): Promise<Cluster> {
  const home = folderOfPostgres();
  const data = join(home, 'data');
  const port = await freePort();
  const run = (program: string, args: string[]) =>
    promisify(execFile)(`${postgresBin}/${program}`, args, { ...account, cwd: '/', env: { LC_ALL: 'C' } });
  if (primary === undefined)
    await run('initdb', [
      '-D',
      data,
      '-U',
      'postgres',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
      '-N',
    ]);
  else
    await run('pg_basebackup', [
      '-D',
      data,
      '-R',
      '-X',
      'stream',
      '-c',
      'fast',
      '-d',
      primary.url('postgres'),
    ]);
  const url = (database: string, role = 'postgres') => `postgresql://${role}:x@127.0.0.1:${port}/${database}`;
  const options = ['listen_addresses=127.0.0.1', 'fsync=off', 'max_connections=200'];
  let child: ChildProcess | undefined;
  const cluster: Cluster = {
    port,
    url,
    sql: (text, database = 'postgres') => query(url(database), text),
    async kill(signal = 'SIGKILL') {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await once(child, 'exit');
    },
    async start() {
      const args = [
        '-D',
        data,
        '-p',
        String(port),
        '-k',
        home,
        ...options.flatMap((option) => ['-c', option]),
      ];
      child = spawn(`${postgresBin}/postgres`, args, { ...account, cwd: '/', stdio: 'ignore' });
      await untilReady(url('postgres'));
    },
    async remove() {
      await cluster.kill('SIGQUIT');
      rmSync(home, { recursive: true, force: true });
    },
  };
  await cluster.start();
  return cluster;
}

/** Waits for a PostgreSQL that answers. */
export async function untilReady(url: string): Promise<void> {
  const answers = () =>
    query(url, 'SELECT 1').then(
      () => true,
      () => false,
    );
  await until(answers, 'a running PostgreSQL');
}

async function query<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}
