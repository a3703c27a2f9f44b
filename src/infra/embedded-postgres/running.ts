// Finds an embedded PostgreSQL that another process of this machine has running, for tools that work beside a server.
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { EMBEDDED_ROLE } from './data-directory.js';
import { isAlive, isPostmasterOf } from './lock.js';

/**
 * Finds the server by PostgreSQL's own lock file, which has its process and port.
 * @param dataDir folder with `postgres/` and `postgres-password`
 * @param databaseName the database of the address
 * @returns its connection string with the password (never log it), or undefined when none runs
 */
export async function findRunningPostgres(
  dataDir: string,
  databaseName = 'sec_tester',
): Promise<string | undefined> {
  const folder = await realpath(dataDir).catch(() => dataDir);
  const read = (path: string) => readFile(join(folder, path), 'utf8').catch(() => '');
  const [pidText, , , port, , , , status] = (await read('postgres/postmaster.pid')).split('\n');
  const pid = Number(pidText);
  if (!(pid > 0) || status?.trim() !== 'ready' || !isAlive(pid)) return undefined;
  if (!(await isPostmasterOf(pid, join(folder, 'postgres')))) return undefined;
  const password = (await read('postgres-password')).trim();
  return `postgresql://${EMBEDDED_ROLE}:${password}@127.0.0.1:${port}/${databaseName}`;
}
