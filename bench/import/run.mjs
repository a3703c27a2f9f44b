// Imports a SARIF log of many results into a new database, night after night, and copies the same rows with psql's \copy
// beside it: rates as ratios, memory above rest, bytes per result, and what others notice of an import and of a deletion.
// node bench/import/run.mjs [results] [nights]
import { execFileSync } from 'node:child_process';
import { createReadStream, createWriteStream, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import copy from 'pg-copy-streams';
import { machine } from '../report.mjs';
import { measureOthers, measureWaits } from './others.mjs';
import { writeSarif } from './sarif.mjs';
import { openStand } from './stand.mjs';

const count = Number(process.argv[2] ?? 100_000);
const nights = Number(process.argv[3] ?? 2);
const { folder, databaseUrl, server, db, signIn, close } = await openStand('import');
try {
  const file = join(folder, 'report.sarif');
  await writeSarif(file, count);
  print('machine', machine());
  print('report', { results: count, megabytes: round(statSync(file).size / 1e6) });
  const restMb = residentMb();
  const sizes = [await bytes()];
  const first = await importFile(file, 'bench', restMb);
  sizes.push(await bytes());
  print('first import', { ...first, bytesPerResult: Math.round((sizes[1] - sizes[0]) / count) });
  const second = await importFile(file, 'bench', restMb);
  sizes.push(await bytes());
  print('the same again', { ...second, bytesPerResult: Math.round((sizes[2] - sizes[1]) / count) });
  for (let night = 3; night <= nights; night += 1) await importFile(file, 'bench', restMb);
  print(`after ${nights} nights`, { bytesPerResult: Math.round(((await bytes()) - sizes[0]) / count) });
  console.table(await split());
  const copied = await copySame();
  print('COPY of the same rows', copied);
  const other = await importFile(file, 'other', restMb);
  const few = join(folder, 'few.sarif');
  await writeSarif(few, 1000);
  await importFile(few, 'kept', restMb);
  print('another target, beside the findings that are there', other);
  print('ratios', {
    'first import to COPY': round(copied.seconds / first.seconds),
    'again to first import': round(first.seconds / second.seconds),
    'beside as many findings to first import': round(first.seconds / other.seconds),
  });
  print(
    'W2 while a third target is imported',
    await measureOthers(server, await signIn(), () => importFile(file, 'third', restMb)),
  );
  print(
    'others while an execution with all results is deleted',
    await measureWaits(server, await signIn(), other.executionId, async () => {
      const id = other.executionId.slice(4);
      return (await db.query('SELECT 1 FROM test_executions WHERE id = $1', [id])).rows.length === 0;
    }),
  );
} finally {
  await close();
}

async function importFile(file, target, restMb) {
  const startedAt = performance.now();
  let peakMb = 0;
  const timer = setInterval(() => {
    peakMb = Math.max(peakMb, residentMb());
  }, 100);
  const headers = { Authorization: `Bearer ${await signIn()}` };
  const call = async (path, options = {}) => {
    const response = await fetch(`${server.url}${path}`, { ...options, headers });
    return response.json();
  };
  let receipt = await call(`/api/v1/imports?target=${target}&branch=main`, {
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
  const { executionId, state, added, newFindings, unchangedFindings, errorMessage } = receipt;
  if (state !== 'COMPLETED') throw new Error(`${state}: ${errorMessage}`);
  return {
    ...{ executionId, added, newFindings, unchangedFindings },
    ...{
      seconds,
      arrivedSeconds,
      perSecond: Math.round(count / seconds),
      mbAboveRest: round(peakMb - restMb),
    },
  };
}

/** The rows of both tables to files, then psql's \copy of them into empty tables with the same indexes. */
async function copySame() {
  let seconds = 0;
  for (const table of ['test_results', 'findings']) {
    const path = join(folder, `${table}.copy`);
    await pipeline(db.query(copy.to(`COPY ${table} TO STDOUT`)), createWriteStream(path));
    await db.query(`CREATE TABLE copy_of_${table} (LIKE ${table} INCLUDING ALL)`);
    const startedAt = performance.now();
    execFileSync('psql', [databaseUrl, '-qc', `\\copy copy_of_${table} from '${path}'`]);
    seconds += (performance.now() - startedAt) / 1000;
    await db.query(`DROP TABLE copy_of_${table}`);
  }
  return { seconds: round(seconds), perSecond: Math.round(count / seconds) };
}

/** Bytes for each result of the tables and indexes that take one or more. */
async function split() {
  const { rows } = await db.query(
    `SELECT relname AS name, round(pg_relation_size(oid) / $1::numeric)::int AS "bytesPerResult"
    FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'staged%'
      AND pg_relation_size(oid) >= $1 ORDER BY 2 DESC`,
    [count],
  );
  return rows;
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
