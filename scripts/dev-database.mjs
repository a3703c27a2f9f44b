// The database for development: the one of DATABASE_URL, the embedded one that runs, or that one started. After a build.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EMBEDDED_ROLE } from '../dist/infra/embedded-postgres/data-directory.js';
import { isAlive } from '../dist/infra/embedded-postgres/lock.js';
import { startEmbeddedPostgres } from '../dist/infra/embedded-postgres/server.js';

/**
 * Finds the database as its owner.
 * @returns {Promise<{ url: string, where: string, isEmbedded: boolean, close: () => Promise<void> }>} `where` is for people, without the password
 */
export async function openDevDatabase() {
  const { env } = process;
  const given = env.MIGRATION_DATABASE_URL || env.DATABASE_URL;
  const none = async () => {};
  if (given) {
    const { host, pathname } = new URL(given);
    return { url: given, where: `${host}${pathname}`, isEmbedded: false, close: none };
  }
  const dataDir = env.DATA_DIR || '.data';
  const running = await runningEmbedded(dataDir);
  if (running) return { url: running, where: `${dataDir} (running)`, isEmbedded: true, close: none };
  const { url, stop } = await startEmbeddedPostgres({ dataDir });
  return { url, where: dataDir, isEmbedded: true, close: stop };
}

/** Its address, when a server has it running; PostgreSQL's own lock file tells the process and the port. */
async function runningEmbedded(dataDir) {
  const read = (path) => readFile(join(dataDir, path), 'utf8').catch(() => '');
  const [pid, , , port, , , , status] = (await read('postgres/postmaster.pid')).split('\n');
  if (!(Number(pid) > 0) || !isAlive(Number(pid)) || status?.trim() !== 'ready') return undefined;
  const password = (await read('postgres-password')).trim();
  return `postgresql://${EMBEDDED_ROLE}:${password}@127.0.0.1:${port}/sec_tester`;
}
