// The database's migrations by Prisma's own history table: told, applied, written; none is defined here.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

const PRISMA_DIR = fileURLToPath(new URL('../../../prisma/', import.meta.url));
const MIGRATIONS_DIR = join(PRISMA_DIR, 'migrations');
const LOCK_FILE = 'migration_lock.toml';
const LOCK_TEXT = '# Which database the migrations are for; Prisma reads it.\nprovider = "postgresql"\n';
const NO_FILTERS = { externalTables: [], externalEnums: [] };

// Held around looking and applying: of several starts at once the first applies, the rest find it done.
// Not Prisma's own number (72707369): the engine takes that one itself, in another session.
const ADVISORY_LOCK = 5_204_271_918;
const LOCK_WAIT_MS = 120_000;

/** The migrations on disk against those in the database, by name, each in order. */
export interface MigrationStatus {
  applied: string[];
  pending: string[];
  /** In the database, not on disk: the database is ahead of this version. */
  unknown: string[];
  /** Applied with another text than the file has now. */
  edited: string[];
  /** Started and never finished. */
  failed: string[];
}

interface MigrationFile {
  name: string;
  sql: string;
}

interface HistoryRow {
  migration_name: string;
  checksum: string;
  is_finished: boolean;
}

/**
 * Compares the files with the database by plain SQL. Without Prisma's table everything is pending.
 * @throws Error of the driver when the database cannot be reached
 */
export async function migrationStatus(databaseUrl: string): Promise<MigrationStatus> {
  return withClient(databaseUrl, readStatus);
}

/**
 * Applies what is pending. Several instances may do so at once: one applies, the others wait for it.
 * @returns the names applied, none when there was nothing to do
 * @throws Error when the database is ahead, was edited or holds a failed migration, or when one fails now
 */
export async function applyMigrations(databaseUrl: string): Promise<string[]> {
  return withClient(databaseUrl, async (client) => {
    await client.query(`SET lock_timeout = ${LOCK_WAIT_MS}`);
    await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK]);
    const status = await readStatus(client);
    assertNotDiverged(status);
    if (status.pending.length === 0) return [];
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
 * Passes only when files and database agree.
 * @throws Error that says what to do
 */
export function assertMigrated(status: MigrationStatus): void {
  assertNotDiverged(status);
  if (status.pending.length === 0) return;
  const advice = 'run npm run migrate (or start with MIGRATE_ON_START=true)';
  throw new Error(`The database lacks ${count(status.pending)}: ${status.pending.join(', ')}; ${advice}`);
}

function assertNotDiverged({ unknown, edited, failed }: MigrationStatus): void {
  const faults: string[] = [];
  for (const name of failed) {
    const mark = `UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '${name}'`;
    const advice = `undo by hand what it left, if anything, then let it run again with: ${mark}`;
    faults.push(`Migration ${name} began and did not finish; ${advice}`);
  }
  if (unknown.length > 0) {
    const advice = 'start the newer version, or restore a backup of the older database';
    faults.push(`The database is ahead of this version: it has ${unknown.join(', ')}; ${advice}.`);
  }
  for (const name of edited) {
    faults.push(
      `Migration ${name} was edited after it was applied; restore its file and write a new one instead.`,
    );
  }
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

/**
 * Writes the difference between the migrations and prisma/schema.prisma as a new migration.
 * @param name in the folder's name after the time, in lower case with underscores
 * @param shadowDatabaseUrl an empty database, in which the migrations are replayed
 * @returns the folder's name, or null when there is no difference
 */
export async function createMigration(name: string, shadowDatabaseUrl: string): Promise<string | null> {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 100);
  if (!slug) throw new Error(`"${name}" is no name for a migration: use letters and digits`);
  const [schema, migrationsList] = await Promise.all([readSchema(), listForEngine()]);
  const { withSchemaEngine } = await import('./schema-engine.js');
  const script = await withSchemaEngine(shadowDatabaseUrl, schema, async (engine) => {
    const from = { tag: 'migrations' as const, ...migrationsList };
    const to = { tag: 'schemaDatamodel' as const, files: [schema] };
    const difference = await engine.diff({ from, to, script: true, exitCode: true, filters: NO_FILTERS });
    return difference.exitCode === 0 ? null : difference.stdout;
  });
  if (!script) return null;
  const folder = `${new Date().toISOString().replace(/\D/g, '').slice(0, 14)}_${slug}`;
  await mkdir(join(MIGRATIONS_DIR, folder), { recursive: true });
  await writeFile(join(MIGRATIONS_DIR, folder, 'migration.sql'), script);
  await writeFile(join(MIGRATIONS_DIR, LOCK_FILE), migrationsList.lockfile.content);
  return folder;
}

async function withClient<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 });
  // A connection lost between two statements is told by the next one.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end();
  }
}

async function readStatus(client: pg.Client): Promise<MigrationStatus> {
  const files = await readMigrations();
  const table = await client.query<{ exists: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS exists`,
  );
  const history = table.rows[0]?.exists ? await readHistory(client) : [];
  const finished = new Map(history.filter((row) => row.is_finished).map((row) => [row.migration_name, row]));
  const unfinished = history.filter((row) => !row.is_finished).map((row) => row.migration_name);
  const onDisk = new Set(files.map(({ name }) => name));
  const isApplied = ({ name }: MigrationFile): boolean => finished.has(name);
  const isEdited = ({ name, sql }: MigrationFile): boolean => {
    const row = finished.get(name);
    return row !== undefined && !checksumsOf(sql).includes(row.checksum);
  };
  const names = (list: MigrationFile[]): string[] => list.map(({ name }) => name);
  return {
    applied: names(files.filter(isApplied)),
    pending: names(files.filter((file) => !isApplied(file) && !unfinished.includes(file.name))),
    unknown: [...finished.keys()].filter((name) => !onDisk.has(name)),
    edited: names(files.filter(isEdited)),
    failed: unfinished,
  };
}

async function readHistory(client: pg.Client): Promise<HistoryRow[]> {
  const { rows } = await client.query<HistoryRow>(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS is_finished
       FROM _prisma_migrations
      WHERE rolled_back_at IS NULL
      ORDER BY migration_name, started_at`,
  );
  return rows;
}

/** SHA-256 as Prisma takes it: of the text as it is, and, as Git may change them, with either line ending. */
function checksumsOf(sql: string): string[] {
  const unix = sql.replace(/\r\n/g, '\n');
  return [sql, unix, unix.replace(/\n/g, '\r\n')].map((text) =>
    createHash('sha256').update(text).digest('hex'),
  );
}

async function readMigrations(): Promise<MigrationFile[]> {
  const entries = await readdir(MIGRATIONS_DIR, { withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const read = async (name: string): Promise<MigrationFile> => ({
    name,
    sql: await readFile(join(MIGRATIONS_DIR, name, 'migration.sql'), 'utf8'),
  });
  return Promise.all(names.sort().map(read));
}

async function listForEngine() {
  const lockfile = await readFile(join(MIGRATIONS_DIR, LOCK_FILE), 'utf8').catch(() => LOCK_TEXT);
  const migrations = await readMigrations();
  return {
    baseDir: MIGRATIONS_DIR,
    lockfile: { path: LOCK_FILE, content: lockfile },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value: sql } },
    })),
  };
}

async function readSchema(): Promise<{ path: string; content: string }> {
  const path = join(PRISMA_DIR, 'schema.prisma');
  return { path, content: await readFile(path, 'utf8') };
}

function count(names: string[]): string {
  return names.length === 1 ? 'one migration' : `${names.length} migrations`;
}
