// The bench's database: the embedded PostgreSQL or a given one, a database per size, migrated and filled once.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { addResults } from './peers/add-results.mjs';
import { seed } from './seed.mjs';
import { startServer } from './server.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const dataDir = process.env.BENCH_DATA_DIR ?? fileURLToPath(new URL('.data', import.meta.url));

/**
 * Starts PostgreSQL, or takes the one of BENCH_DATABASE_URL, and gives databases of it by size.
 * @returns {{ filled: (size: Size, tell: Function) => Promise<{ url: string, coldReadyMs?: number }>, stop: () => Promise<void> }}
 * @typedef {{ users: number, executions: number, results: number }} Size
 */
export async function openDatabases() {
  const server = await startPostgres();
  return {
    /** A database of this size; its first start, which migrates, is timed. */
    async filled(size, tell) {
      const url = await ensureDatabase(server.url, `bench_${size.executions}_${size.results}`);
      let coldReadyMs;
      if (!(await isMigrated(url))) {
        tell(`making a database of ${size.executions} executions and ${size.results} results`);
        const first = await startServer({ root, dataDir: join(dataDir, 'product'), databaseUrl: url });
        coldReadyMs = first.readyMs;
        await first.stop();
      }
      await seed(url, size, tell);
      await addFunction(url);
      return { url, coldReadyMs };
    },
    /** A migrated database of this name, which the caller fills. */
    async empty(name) {
      const url = await ensureDatabase(server.url, name);
      if (!(await isMigrated(url)))
        await (await startServer({ root, dataDir: join(dataDir, 'product'), databaseUrl: url })).stop();
      return url;
    },
    stop: () => server.stop(),
  };
}

/** Executions, results and users of a scale: 1 is 20,000, 1,000,000 and 1,000. */
export function sizeOf({ scale = 1, executions = 20_000 * scale, results = 1_000_000 * scale }) {
  return { executions, results, users: Math.max(100, Math.round(executions / 20)) };
}

async function startPostgres() {
  const given = process.env.BENCH_DATABASE_URL;
  if (given !== undefined) return { url: given, stop: async () => {} };
  const folder = join(dataDir, 'database');
  await mkdir(folder, { recursive: true });
  const path = join(root, 'dist/infra/embedded-postgres/server.js');
  if (!existsSync(path)) throw new Error('The server is not built: npm run build');
  const { startEmbeddedPostgres } = await import(path);
  return startEmbeddedPostgres({ dataDir: folder });
}

async function ensureDatabase(serverUrl, name) {
  await withClient(serverUrl, async (client) => {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${name}`);
    // The same for all who are measured, whatever they set themselves.
    await client.query(`ALTER DATABASE ${name} SET jit = off`);
    await client.query(`ALTER DATABASE ${name} SET timezone = 'UTC'`);
  });
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

function isMigrated(url) {
  return withClient(url, async (client) => {
    const { rows } = await client.query(`SELECT to_regclass('users') IS NOT NULL AS is_there`);
    return rows[0].is_there && (await client.query('SELECT 1 FROM users LIMIT 1')).rowCount === 1;
  });
}

/** The write as a function, for PostGraphile, which makes its mutations of such. */
function addFunction(url) {
  return withClient(url, (client) =>
    client.query(`
      DROP SCHEMA IF EXISTS bench CASCADE;
      CREATE SCHEMA bench;
      CREATE TYPE bench.added AS (added int, duplicates int);
      CREATE FUNCTION bench.add_results(execution_id uuid, results json) RETURNS bench.added LANGUAGE sql VOLATILE
        SET search_path = public, pg_temp AS $sql$ ${addResults} $sql$`),
  );
}

async function withClient(url, work) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
