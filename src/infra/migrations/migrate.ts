// Applies and writes the database's migrations, with Prisma's own history table and engine.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { openClient } from '../postgres/connection/open.js';
import { detectPooling } from '../postgres/connection/pooler.js';
import { listForEngine, readSchema, writeMigration } from './files.js';
import { dropLeftovers, listLeftovers } from './finish.js';
import { assertMigrated, assertNotDiverged, type MigrationStatus, readStatus } from './status.js';

const NO_FILTERS = { externalTables: [], externalEnums: [] };

// Held while the status is read and migrations are applied: of several starts at once the first applies them, and the others
// find them applied. It differs from Prisma's own lock (72707369), which the engine takes in another session.
const ADVISORY_LOCK = 5_204_271_918;
/** Building indexes on large tables takes minutes, which other starts wait for. */
const LOCK_WAIT_MS = 3_600_000;
const LOCK_POLL_MS = 250;

/**
 * Compares the files with the database by plain SQL.
 * @throws Error of the driver when the database cannot be reached
 */
export async function migrationStatus(databaseUrl: string): Promise<MigrationStatus> {
  return withClient(databaseUrl, readStatus);
}

/**
 * Applies pending migrations. Several instances may call it at once: one applies, the others wait for it.
 * @returns the names of the migrations applied; none when nothing was pending
 * @throws Error when the database is ahead, was edited or holds a failed migration, or when a migration fails
 */
export async function applyMigrations(databaseUrl: string): Promise<string[]> {
  return withLock(databaseUrl, async (client) => {
    const status = await readStatus(client);
    assertNotDiverged(status);
    if (status.pending.length + status.repeatable.length === 0) return [];
    // One that was ended halfway, as by a restart of the machine, runs again.
    if (status.repeatable.length > 0)
      await client.query(
        'UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = ANY($1) AND finished_at IS NULL',
        [status.repeatable],
      );
    const [schema, migrationsList] = await Promise.all([readSchema(), listForEngine()]);
    const { withSchemaEngine } = await import('./schema-engine.js');
    try {
      return await withSchemaEngine(databaseUrl, schema, async (engine) => {
        const applied = await engine.applyMigrations({ migrationsList, filters: NO_FILTERS });
        return applied.appliedMigrationNames;
      });
    } catch (cause) {
      const { failed } = await readStatus(client);
      const what = failed[0] ? `Migration ${failed[0]} failed` : 'The migrations were not applied';
      throw new Error(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  });
}

/**
 * Writes the difference between the migrations and prisma/schema.prisma as a new migration.
 * @param name for the folder, after the time: becomes lower case with underscores
 * @param shadowDatabaseUrl an empty database, in which the migrations are replayed
 * @returns the folder's name, or null when there is no difference
 */
export async function createMigration(name: string, shadowDatabaseUrl: string): Promise<string | null> {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 100);
  if (!slug) throw new Error(`"${name}" is not a name for a migration: use letters and digits`);
  const [schema, migrationsList] = await Promise.all([readSchema(), listForEngine()]);
  const { withSchemaEngine } = await import('./schema-engine.js');
  const sql = await withSchemaEngine(shadowDatabaseUrl, schema, async (engine) => {
    const from = { tag: 'migrations' as const, ...migrationsList };
    const to = { tag: 'schemaDatamodel' as const, files: [schema] };
    const difference = await engine.diff({ from, to, script: true, exitCode: true, filters: NO_FILTERS });
    return difference.exitCode === 0 ? null : difference.stdout;
  });
  if (!sql) return null;
  const folder = `${new Date().toISOString().replace(/\D/g, '').slice(0, 14)}_${slug}`;
  await writeMigration({ name: folder, sql }, migrationsList.lockfile.content);
  return folder;
}

/**
 * Asks again and again: a statement that waits for a lock holds a snapshot, which the building of indexes beside running
 * transactions would wait for in turn.
 */
async function takeLock(client: pg.Client): Promise<void> {
  const endsAt = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    const { rows } = await client.query<{ isMine: boolean }>('SELECT pg_try_advisory_lock($1) AS "isMine"', [
      ADVISORY_LOCK,
    ]);
    if (rows[0]?.isMine === true) return;
    if (Date.now() > endsAt) throw new Error('Another process has been applying migrations for an hour.');
    await sleep(LOCK_POLL_MS);
  }
}

/**
 * Drops what only earlier versions need. Call it once none of their instances runs.
 * @returns the names of the indexes dropped
 */
export async function finishMigrations(databaseUrl: string): Promise<string[]> {
  return withLock(databaseUrl, async (client) => {
    assertMigrated(await readStatus(client));
    return dropLeftovers(client);
  });
}

/** The objects that {@link finishMigrations} would drop. */
export async function unfinishedMigrations(databaseUrl: string): Promise<string[]> {
  return withClient(databaseUrl, listLeftovers);
}

/**
 * Works as the one process that migrates.
 * @throws Error behind a pooler that lends connections by the transaction: sessions hold no lock there
 */
async function withLock<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  if ((await detectPooling(databaseUrl, 10_000)) === 'transaction')
    throw new Error('Migrations need PostgreSQL itself: let MIGRATION_DATABASE_URL lead past the pooler.');
  return withClient(databaseUrl, async (client) => {
    await takeLock(client);
    return work(client);
  });
}

async function withClient<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await openClient(databaseUrl, { applicationName: 'sec-tester-api migrate' });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
