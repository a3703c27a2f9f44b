// Connects the commands that read a database to it, beside a server that runs or without one. Migrations have their own way.
import type pg from 'pg';
import { findRunningPostgres } from '../infra/embedded-postgres/running.js';
import { startEmbeddedPostgres } from '../infra/embedded-postgres/server.js';
import { openClient } from '../infra/postgres/connection/open.js';
import { detectPooling } from '../infra/postgres/connection/pooler.js';

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
  let client: pg.Client | undefined;
  try {
    const url = reachable ?? (server?.url as string);
    if ((await detectPooling(url, 10_000)) === 'transaction')
      throw new Error('This command needs PostgreSQL itself: let DATABASE_URL lead past the pooler.');
    client = await openClient(url);
    return await work(client);
  } finally {
    await client?.end().catch(() => undefined);
    await server?.stop();
  }
}
