// The database for development: the one of DATABASE_URL, the embedded one that runs, or that one started. After a build.
import { findRunningPostgres } from '../dist/infra/embedded-postgres/running.js';
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
  const running = await findRunningPostgres(dataDir);
  if (running) return { url: running, where: `${dataDir} (running)`, isEmbedded: true, close: none };
  const { url, stop } = await startEmbeddedPostgres({ dataDir });
  return { url, where: dataDir, isEmbedded: true, close: stop };
}
