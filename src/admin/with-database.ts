// Connects the commands that read a database to it, beside a server that runs or without one. Migrations have their own way.
import pg from 'pg';
import { findRunningPostgres } from '../infra/embedded-postgres/running.js';
import { startEmbeddedPostgres } from '../infra/embedded-postgres/server.js';

/**
 * Works with a client of DATABASE_URL, or else of the embedded database, which is started unless a server has it running.
 * @param work gets the connected client, which is closed afterwards
 * @throws Error when the database cannot be reached or started
 */
export async function withDatabase<T>(
  { databaseUrl, dataDir }: { databaseUrl?: string; dataDir: string },
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const reachable = databaseUrl ?? (await findRunningPostgres(dataDir));
  const server = reachable === undefined ? await startEmbeddedPostgres({ dataDir }) : undefined;
  const client = new pg.Client({
    connectionString: reachable ?? server?.url,
    connectionTimeoutMillis: 10_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
    await server?.stop();
  }
}
