// Puts up what measurements of imports need, a new database and a server on it, and takes both down again.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { admin, startServer } from '../server.mjs';

/** @param {string} name of the measurement, and of its folder and database */
export async function openStand(name) {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const folder = process.env.BENCH_DATA_DIR ?? fileURLToPath(new URL(`../.data/${name}`, import.meta.url));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { startEmbeddedPostgres } = await import(join(root, 'dist/infra/embedded-postgres/server.js'));
  const postgres = await startEmbeddedPostgres({
    dataDir: join(folder, 'database'),
    databaseName: `${name}_bench`,
  });
  const env = { IMPORT_MAX_BYTES: String(1e9) };
  const dataDir = join(folder, 'product');
  const server = await startServer({ root, dataDir, databaseUrl: postgres.url, env });
  const db = new pg.Client({ connectionString: postgres.url });
  await db.connect();
  return {
    ...{ folder, databaseUrl: postgres.url, server, db },
    /** Access token of the admin. */
    signIn: async () => {
      const response = await fetch(`${server.url}/api/v1/auth/login`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(admin),
      });
      return (await response.json()).accessToken;
    },
    close: async () => {
      await db.end();
      await server.stop();
      await postgres.stop();
    },
  };
}
