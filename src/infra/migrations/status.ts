// Compares the migrations on disk with those in the database, by Prisma's own history table.
import type pg from 'pg';
import { checksumsOf, type MigrationFile, readMigrations } from './files.js';
import { isRepeatable } from './steps.js';

/** The migrations on disk against those in the database, by name, each list in order. */
export interface MigrationStatus {
  applied: string[];
  pending: string[];
  /** In the database but not on disk: the database is ahead of this version. */
  unknown: string[];
  /** Applied with another text than the file has now. */
  edited: string[];
  /** Begun and not finished. */
  failed: string[];
  /** Of the failed ones: may be run again as they are. */
  repeatable: string[];
}

interface HistoryRow {
  migration_name: string;
  checksum: string;
  is_finished: boolean;
}

/** Reads the status. Without Prisma's table everything is pending. */
export async function readStatus(client: pg.Client): Promise<MigrationStatus> {
  const files = await readMigrations();
  const history = await readHistory(client);
  const finished = new Map(history.filter((row) => row.is_finished).map((row) => [row.migration_name, row]));
  const failed = history.filter((row) => !row.is_finished).map((row) => row.migration_name);
  const repeatable = files.filter(({ name, sql }) => failed.includes(name) && isRepeatable(sql));
  const onDisk = new Set(files.map(({ name }) => name));
  const isApplied = ({ name }: MigrationFile): boolean => finished.has(name);
  const isEdited = ({ name, sql }: MigrationFile): boolean => {
    const row = finished.get(name);
    return row !== undefined && !checksumsOf(sql).includes(row.checksum);
  };
  const names = (list: MigrationFile[]): string[] => list.map(({ name }) => name);
  return {
    applied: names(files.filter(isApplied)),
    pending: names(files.filter((file) => !isApplied(file) && !failed.includes(file.name))),
    unknown: [...finished.keys()].filter((name) => !onDisk.has(name)),
    edited: names(files.filter(isEdited)),
    failed,
    repeatable: names(repeatable),
  };
}

async function readHistory(client: pg.Client): Promise<HistoryRow[]> {
  const table = await client.query<{ exists: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS exists`,
  );
  if (!table.rows[0]?.exists) return [];
  const { rows } = await client.query<HistoryRow>(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS is_finished
       FROM _prisma_migrations
      WHERE rolled_back_at IS NULL
      ORDER BY migration_name, started_at`,
  );
  return rows;
}

/**
 * Accepts only a database that agrees with the files.
 * @throws Error that says what to do
 */
export function assertMigrated(status: MigrationStatus): void {
  assertNotDiverged(status);
  const pending = [...status.repeatable, ...status.pending];
  if (pending.length === 0) return;
  const count = pending.length === 1 ? 'one migration' : `${pending.length} migrations`;
  const advice = 'run npm run migrate (or start with MIGRATE_ON_START=true)';
  throw new Error(`The database lacks ${count}: ${pending.join(', ')}; ${advice}`);
}

/**
 * Accepts only a database that pending migrations can be applied to.
 * @throws Error that says what to do when it is ahead, was edited, or holds a failed migration
 */
export function assertNotDiverged({ unknown, edited, failed, repeatable }: MigrationStatus): void {
  const stuck = failed.filter((name) => !repeatable.includes(name));
  const faults = stuck.map((name) => {
    const mark = `UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '${name}'`;
    return `Migration ${name} began and did not finish; undo its changes by hand, if any, then let it run again with: ${mark}`;
  });
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
