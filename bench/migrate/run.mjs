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
import { admin, residentMb, startServer } from '../server.mjs';
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
/** Afterwards the old server is stopped, and the upgrade finished. */
const oldServesSeconds = 60;
let phase = 'before';
let hasEnded = false;
const counted = `SELECT count(*)::int AS findings, count(*) FILTER (WHERE is_present)::int AS present,
  (SELECT sum(change)::int FROM finding_counts) AS counted_with_live FROM findings
  WHERE series_id IN (SELECT id FROM scan_series WHERE target LIKE 'target-%' AND tool <> 'import')`;
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
  await timed('migrate', () => migrate('deploy'));
  phase = 'settling';
  let server = await start(root, 'new');
  const importing = Promise.all(['fresh', 'target-7'].map((target) => importTo(server, target)));
  let stopNew = startLoops(await createClient(server), () => `${phase}, new`);
  const loops = [];
  const startedAt = performance.now();
  let isFinished = false;
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
    if (!isFinished && seconds > oldServesSeconds) {
      isFinished = true;
      loops.push(...(await stopOld()));
      await old.stop();
      phase = 'finishing';
      await timed('finish', () => migrate('finish'));
      phase = 'alone';
    }
    if (!isKilled && left < size.executions / 2) {
      isKilled = true;
      process.kill(server.pid, 'SIGKILL');
      loops.push(...(await stopNew()));
      phase = 'after kill -9';
      server = await start(root, 'new');
      stopNew = startLoops(await createClient(server), () => `${phase}, new`);
    }
    await sleep(200);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  phase = 'after';
  hasEnded = true;
  await sleep(15_000);
  loops.push(...(isFinished ? [] : await stopOld()), ...(await stopNew()));
  console.log('imports meanwhile', JSON.stringify(await importing));
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

/** A live import, of a target without and of one with executions that wait: how long it takes. */
async function importTo({ url }, target) {
  const startedAt = performance.now();
  const json = { 'Content-Type': 'application/json' };
  const signedIn = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify(admin),
  });
  const headers = { Authorization: `Bearer ${(await signedIn.json()).accessToken}` };
  const report = {
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'import' } }, results: [{ ruleId: 'x', message: { text: 'X' } }] }],
  };
  const query = new URLSearchParams({ target, wait: '0' });
  const sent = await fetch(`${url}/api/v1/imports?${query}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(report),
  });
  let receipt = await sent.json();
  while (receipt.state === 'RUNNING') {
    await sleep(500);
    const asked = await fetch(`${url}/api/v1/imports/${receipt.id}`, { headers }).catch(() => undefined);
    if (asked?.ok) receipt = await asked.json();
    else if (asked !== undefined || hasEnded) break;
  }
  return { target, state: receipt.state, seconds: Math.round((performance.now() - startedAt) / 1000) };
}

async function migrate(command) {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(root, 'dist/admin/migrate.js'), command],
    {
      env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl },
    },
  );
  console.log(stdout.trim());
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
