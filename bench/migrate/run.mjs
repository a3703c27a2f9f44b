// Upgrades a filled database of an earlier version while a server of that version serves and writes, and one of this version
// joins it: waits, errors, rates, sizes, and findings against a recount. node bench/migrate/run.mjs OLD_CHECKOUT
// [results] [seconds]
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { createClient } from '../client.mjs';
import { residentMb, startServer } from '../server.mjs';
import { fill, recount } from './fill.mjs';
import { startLoops, watchLocks } from './loops.mjs';

const [oldRoot, resultsWanted = '1000000', maxSeconds = 7200] = process.argv.slice(2);
if (oldRoot === undefined)
  throw new Error('Usage: run.mjs OLD_CHECKOUT [results] [seconds], the checkout being built');
const perExecution = 500;
const size = { executions: Math.ceil(Number(resultsWanted) / perExecution), perExecution, targets: 20 };
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = process.env.BENCH_DATA_DIR ?? fileURLToPath(new URL('../.data/migrate', import.meta.url));
mkdirSync(folder, { recursive: true });
const { startEmbeddedPostgres } = await import(join(root, 'dist/infra/embedded-postgres/server.js'));
const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'database') });
const urlOf = (name) => Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href;
const databaseUrl = urlOf('trial');
const closers = [() => postgres.stop()];
let phase = 'before';
const counted = `SELECT count(*)::int AS findings, count(*) FILTER (WHERE is_present)::int AS present,
  (SELECT sum(change)::int FROM finding_counts) AS counted FROM findings
  WHERE series_id IN (SELECT id FROM scan_series WHERE target LIKE 'target-%')`;
process.once('SIGTERM', () => process.exit(1));
try {
  await prepare();
  await trial();
} finally {
  for (const close of closers.reverse()) await close();
}

/** The filled database is kept; each trial gets a copy. */
async function prepare() {
  const admin = await connect(postgres.url);
  const filled = `filled_${size.executions}`;
  const { rowCount } = await admin.query('SELECT FROM pg_database WHERE datname = $1', [filled]);
  if (rowCount === 0) {
    await admin.query('DROP DATABASE IF EXISTS filling');
    await admin.query('CREATE DATABASE filling');
    const first = await startServer({
      root: oldRoot,
      dataDir: join(folder, 'old'),
      databaseUrl: urlOf('filling'),
    });
    await first.stop();
    const client = await connect(urlOf('filling'));
    await timed('filled', () => fill(client, size));
    await client.end();
    await admin.query(`ALTER DATABASE filling RENAME TO ${filled}`);
  }
  await admin.query('DROP DATABASE IF EXISTS trial');
  await admin.query(`CREATE DATABASE trial TEMPLATE ${filled} STRATEGY FILE_COPY`);
  await admin.end();
}

async function trial() {
  const db = await connect(databaseUrl);
  closers.push(() => db.end());
  const locks = await connect(databaseUrl);
  closers.push(() => locks.end());
  const old = await start(oldRoot, 'old');
  const stopOld = startLoops(await createClient(old), () => phase);
  const stopLocks = watchLocks(locks, () => phase);
  const sizes = { before: await megabytes(db) };
  await sleep(15_000);
  phase = 'migrating';
  await timed('migrate', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'dist/admin/migrate.js')], {
      env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl },
    });
    console.log(stdout.trim());
  });
  phase = 'settling';
  let server = await start(root, 'new');
  let stopNew = startLoops(await createClient(server), () => `${phase}, new`);
  const loops = [];
  const startedAt = performance.now();
  let isKilled = false;
  let peakMb = 0;
  for (let left = await unsettled(db), told = 0; left > 0; left = await unsettled(db)) {
    peakMb = Math.max(peakMb, residentMb(server.pid) || 0);
    const seconds = (performance.now() - startedAt) / 1000;
    if (seconds > maxSeconds) break;
    if (seconds - told > 20) {
      told = seconds;
      console.log(`${Math.round(seconds)} s: ${left} executions left, ${residentMb(server.pid)} MB`);
    }
    if (!isKilled && left < size.executions / 2) {
      isKilled = true;
      process.kill(server.pid, 'SIGKILL');
      await stopNew();
      server = await start(root, 'new');
      stopNew = startLoops(await createClient(server), () => `${phase}, new`);
    }
    await sleep(200);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  phase = 'after';
  await sleep(15_000);
  loops.push(...(await stopOld()), ...(await stopNew()));
  console.log('lock waits', JSON.stringify(await stopLocks()));
  console.table(loops);
  sizes.after = await megabytes(db);
  await db.query('VACUUM');
  sizes.vacuumed = await megabytes(db);
  const of = async (text) => (await db.query(text)).rows[0];
  console.log(
    'settled',
    JSON.stringify({
      seconds: Math.round(seconds),
      perSecond: Math.round(Number(resultsWanted) / seconds),
      peakMb,
      sizes,
    }),
  );
  console.log('recount', JSON.stringify(await of(recount)), 'findings', JSON.stringify(await of(counted)));
}

async function start(from, name) {
  const started = await startServer({
    root: from,
    dataDir: join(folder, name),
    databaseUrl,
    env: { MIGRATE_ON_START: 'false' },
  });
  closers.push(() => Promise.race([started.stop(), sleep(10_000)]));
  return started;
}

async function unsettled(db) {
  const { rows } = await db.query(`SELECT count(*)::int AS n FROM test_executions
    WHERE name LIKE 'Run %' AND finished_at IS NOT NULL AND run_number IS NULL`);
  return rows[0].n;
}

async function megabytes(db) {
  const { rows } = await db.query('SELECT round(pg_database_size(current_database()) / 1e6)::int AS size');
  return rows[0].size;
}

async function connect(connectionString) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return client;
}

async function timed(name, work) {
  const startedAt = performance.now();
  await work();
  console.log(`${name}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}
