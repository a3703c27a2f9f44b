// Exports the results of one execution in every format, beside psql's COPY TO of the same rows: seconds as ratios, and memory
// above rest. node bench/export.mjs [results] [--keep]; with --keep the database stays for the next run.
import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createGzip } from 'node:zlib';
import pg from 'pg';
import { writeSarif } from './import/sarif.mjs';
import { machine } from './report.mjs';
import { admin, startServer } from './server.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    keep: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    formats: { type: 'string', default: 'sarif,csv,ndjson' },
  },
});
const count = Number(positionals[0] ?? 100_000);
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = process.env.BENCH_DATA_DIR ?? fileURLToPath(new URL('.data/export', import.meta.url));
const isSeeded = existsSync(join(folder, `seeded-${count}`));
if (!isSeeded) rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const { startEmbeddedPostgres } = await import(join(root, 'dist/infra/embedded-postgres/server.js'));
const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'database') });
const databaseUrl = Object.assign(new URL(postgres.url), { pathname: '/export_bench' }).href;
const { joinedTexts, storedTexts } = await import(join(root, 'dist/infra/postgres/stored-texts.js'));
const texts = storedTexts('result');
/** The rows and columns that an export reads, in its order. Many results share texts, which are stored once. */
const rows = `SELECT result.id, result.finding_id, result.title, ${texts.description}, result.severity, finding.severity, result.rule_id,
    ${texts.cweIds}, ${texts.cveIds}, ${texts.vulnerabilityIds}, result.cvss_vector, result.cvss_score, result.location,
    result.evidence, ${texts.remediation}, ${texts.references}, ${texts.tags}, finding.triage, finding.triage_reason,
    finding.triage_comment, finding.accepted_until, finding.first_seen_at, finding.due_at
  FROM test_results AS result LEFT JOIN findings AS finding ON finding.id = result.finding_id ${joinedTexts.text}
  ORDER BY result.id`;
let server;
try {
  if (!isSeeded) await seed();
  server = await startServer({ root, dataDir: join(folder, 'product'), databaseUrl });
  console.log(machine());
  await measure();
} finally {
  await server?.stop();
  await postgres.stop();
  if (!options.keep) rmSync(folder, { recursive: true, force: true });
}

async function seed() {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query('CREATE DATABASE export_bench');
  await client.end();
  const seeding = await startServer({ root, dataDir: join(folder, 'product'), databaseUrl });
  const file = join(folder, 'report.sarif');
  await writeSarif(file, count);
  const call = await signIn(seeding);
  let receipt = await (
    await call('/api/v1/imports?target=bench&branch=main', {
      method: 'POST',
      body: createReadStream(file).pipe(createGzip({ level: 1 })),
      duplex: 'half',
    })
  ).json();
  while (receipt.state === 'RUNNING') {
    await sleep(200);
    receipt = await (await call(`/api/v1/imports/${receipt.id}`)).json();
  }
  if (receipt.added !== count) throw new Error(JSON.stringify(receipt));
  rmSync(file);
  await seeding.stop();
  const db = new pg.Client({ connectionString: databaseUrl });
  await db.connect();
  await db.query('VACUUM ANALYZE');
  await db.end();
  createWriteStream(join(folder, `seeded-${count}`)).end();
}

async function measure() {
  const db = new pg.Client({ connectionString: databaseUrl });
  await db.connect();
  const { rows: executions } = await db.query('SELECT id FROM test_executions LIMIT 1');
  await db.end();
  const path = `/api/v1/executions/exe_${executions[0].id}/export?format=`;
  const call = await signIn(server);
  await copy(); // the pages are in memory for all
  const restMb = server.residentMb();
  console.log('rest', restMb, 'MB');
  for (let round = 0; round < Number(options.rounds); round += 1) {
    const copied = await copy();
    console.log('COPY TO', seconds(copied));
    for (const format of options.formats.split(',')) {
      const exported = await exportTo(call, path + format);
      console.log(
        format.padEnd(8),
        ...[seconds(exported.took), 'ratio', (copied / exported.took).toFixed(2)],
        ...['MB', (exported.bytes / 1e6).toFixed(0), 'above rest', exported.peakMb - restMb, 'MB'],
      );
    }
  }
}

/** psql in a process of its own, as people export; the rows go to a file. */
async function copy() {
  const file = join(folder, 'copied');
  const startedAt = performance.now();
  const sql = `\\copy (${rows.replace(/\s+/g, ' ')}) TO '${file}'`;
  const child = spawn('psql', [databaseUrl, '-q', '-c', sql], { stdio: ['ignore', 'inherit', 'inherit'] });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error('psql failed');
  return performance.now() - startedAt;
}

async function exportTo(call, path) {
  const file = join(folder, 'exported');
  let peakMb = 0;
  const timer = setInterval(() => {
    peakMb = Math.max(peakMb, server.residentMb());
  }, 100);
  const startedAt = performance.now();
  const { body, status } = await call(path);
  if (status !== 200) throw new Error(`status ${status}`);
  await pipeline(Readable.fromWeb(body), createWriteStream(file));
  const took = performance.now() - startedAt;
  clearInterval(timer);
  const bytes = statSync(file).size;
  rmSync(file);
  return { took, peakMb, bytes };
}

async function signIn({ url }) {
  const response = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(admin),
  });
  const { accessToken } = await response.json();
  return (path, init = {}) =>
    fetch(url + path, { ...init, headers: { Authorization: `Bearer ${accessToken}` } });
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`;
}
