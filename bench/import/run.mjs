// Imports a SARIF log of many results into a new database, twice, and copies the same rows with COPY beside it: rates as
// ratios, memory above rest, and bytes per result. node bench/import/run.mjs [results]
import { createReadStream, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import copy from 'pg-copy-streams';
import { admin, startServer } from '../server.mjs';
import { writeSarif } from './sarif.mjs';

const count = Number(process.argv[2] ?? 100_000);
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = process.env.BENCH_DATA_DIR ?? fileURLToPath(new URL('../.data/import', import.meta.url));
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const { startEmbeddedPostgres } = await import(join(root, 'dist/infra/embedded-postgres/server.js'));
const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'database') });
const client = new pg.Client({ connectionString: postgres.url });
await client.connect();
await client.query('CREATE DATABASE import_bench');
await client.end();
const databaseUrl = Object.assign(new URL(postgres.url), { pathname: '/import_bench' }).href;
const server = await startServer({ root, dataDir: join(folder, 'product'), databaseUrl });
const db = new pg.Client({ connectionString: databaseUrl });
await db.connect();
try {
  const file = join(folder, 'report.sarif');
  await writeSarif(file, count);
  print('report', { results: count, megabytes: round(statSync(file).size / 1e6) });
  const restMb = residentMb();
  const sizes = [await bytes()];
  const first = await importFile(file, restMb);
  sizes.push(await bytes());
  const second = await importFile(file, restMb);
  sizes.push(await bytes());
  const copied = await copySame();
  print('first import', { ...first, bytesPerResult: Math.round((sizes[1] - sizes[0]) / count) });
  print('the same again', { ...second, bytesPerResult: Math.round((sizes[2] - sizes[1]) / count) });
  print('COPY of the same rows', copied);
  print('ratios', {
    'first import to COPY': round(copied.seconds / first.seconds),
    'again to first import': round(first.seconds / second.seconds),
  });
} finally {
  await db.end();
  await server.stop();
  await postgres.stop();
}

async function signIn() {
  const response = await fetch(`${server.url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(admin),
  });
  return (await response.json()).accessToken;
}

async function importFile(file, restMb) {
  const startedAt = performance.now();
  let peakMb = 0;
  const timer = setInterval(() => {
    peakMb = Math.max(peakMb, residentMb());
  }, 100);
  const call = async (path, options = {}) => {
    const response = await fetch(`${server.url}${path}`, {
      ...options,
      headers: { Authorization: `Bearer ${await signIn()}` },
    });
    return response.json();
  };
  let receipt = await call('/api/v1/imports?target=bench&branch=main', {
    method: 'POST',
    body: createReadStream(file),
    duplex: 'half',
  });
  if (receipt.id === undefined) throw new Error(JSON.stringify(receipt));
  const arrivedSeconds = round((performance.now() - startedAt) / 1000);
  while (receipt.state === 'RUNNING') {
    await new Promise((resolve) => setTimeout(resolve, 100));
    receipt = await call(`/api/v1/imports/${receipt.id}`);
  }
  clearInterval(timer);
  const seconds = round((performance.now() - startedAt) / 1000);
  const { state, added, newFindings, unchangedFindings, errorMessage } = receipt;
  return {
    ...{ state, added, newFindings, unchangedFindings, ...(errorMessage && { errorMessage }) },
    ...{
      seconds,
      arrivedSeconds,
      perSecond: Math.round(count / seconds),
      mbAboveRest: round(peakMb - restMb),
    },
  };
}

/** The rows of both tables to files, then COPY of them into empty tables with the same indexes. */
async function copySame() {
  let seconds = 0;
  for (const table of ['test_results', 'findings']) {
    const path = join(folder, `${table}.copy`);
    const { createWriteStream } = await import('node:fs');
    await pipeline(db.query(copy.to(`COPY ${table} TO STDOUT`)), createWriteStream(path));
    await db.query(`CREATE TABLE copy_of_${table} (LIKE ${table} INCLUDING ALL)`);
    const startedAt = performance.now();
    await pipeline(createReadStream(path), db.query(copy.from(`COPY copy_of_${table} FROM STDIN`)));
    seconds += (performance.now() - startedAt) / 1000;
  }
  return { seconds: round(seconds), perSecond: Math.round(count / seconds) };
}

async function bytes() {
  await db.query('VACUUM staged_results, staged_matches, staged_sightings');
  const { rows } = await db.query(`SELECT sum(pg_total_relation_size(oid))::float8 AS size FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'staged%'`);
  return rows[0].size;
}

function residentMb() {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024;
}

function round(value) {
  return Math.round(value * 100) / 100;
}

function print(name, figures) {
  console.log(name, JSON.stringify(figures));
}
