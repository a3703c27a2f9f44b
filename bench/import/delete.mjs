// Imports a SARIF log of many results, deletes its execution, and measures the longest request and the longest wait for a lock of
// others until the last of its rows is gone, beside the same requests before.
// node bench/import/delete.mjs [results]
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { machine } from '../report.mjs';
import { measureWaits } from './others.mjs';
import { writeSarif } from './sarif.mjs';
import { openStand } from './stand.mjs';

const count = Number(process.argv[2] ?? 100_000);
const { folder, databaseUrl, server, db, signIn, close } = await openStand('delete');
try {
  const [all, few] = [join(folder, 'all.sarif'), join(folder, 'few.sarif')];
  await writeSarif(all, count);
  await writeSarif(few, 1000);
  print('machine', machine());
  await importFile(few, 'kept');
  const large = await importFile(all, 'large');
  print('import', { results: count, seconds: large.seconds });
  const isGone = async () => {
    const { rows } = await db.query('SELECT 1 FROM test_executions WHERE id = $1', [large.id.slice(4)]);
    return rows.length === 0;
  };
  const waits = watchLocks();
  const figures = await measureWaits(server, await signIn(), large.id, isGone);
  print('others while the execution is deleted', { ...figures, longestLockWaitMs: await waits.stop() });
  const { rows } = await db.query(`SELECT (SELECT count(*)::int FROM test_results) AS results,
    (SELECT count(*)::int FROM findings) AS findings, (SELECT sum(change)::int FROM finding_counts) AS counted`);
  print('left', rows[0]);
} finally {
  await close();
}

/** Samples every 10 ms how long a statement of others than the deletion has waited for a lock. */
function watchLocks() {
  let longest = 0;
  let isOver = false;
  const watching = (async () => {
    const sampler = new pg.Client({ connectionString: databaseUrl });
    sampler.on('error', () => {}); // the database stops when the measurement fails
    await sampler.connect();
    while (!isOver) {
      const { rows } = await sampler.query(`
        SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart) * 1000), 0)::float8 AS ms
        FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
        WHERE NOT granted AND application_name NOT LIKE '%import'`);
      longest = Math.max(longest, rows[0].ms);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await sampler.end();
  })();
  return {
    stop: async () => {
      isOver = true;
      await watching;
      return Math.round(longest);
    },
  };
}

async function importFile(file, target) {
  const startedAt = performance.now();
  const headers = { Authorization: `Bearer ${await signIn()}` };
  const call = async (path, options = {}) =>
    (await fetch(`${server.url}${path}`, { ...options, headers })).json();
  const body = { method: 'POST', body: createReadStream(file), duplex: 'half' };
  let receipt = await call(`/api/v1/imports?target=${target}&branch=main`, body);
  while (receipt.state === 'RUNNING') {
    await new Promise((resolve) => setTimeout(resolve, 200));
    receipt = await call(`/api/v1/imports/${receipt.id}`);
  }
  if (receipt.state !== 'COMPLETED') throw new Error(JSON.stringify(receipt));
  return { id: receipt.executionId, seconds: Math.round((performance.now() - startedAt) / 1000) };
}

function print(name, figures) {
  console.log(name, JSON.stringify(figures));
}
