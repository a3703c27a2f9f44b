// The migrations on disk: prisma/migrations and prisma/schema.prisma, in the forms that history and Prisma's engine need.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SchemaFile } from './schema-engine.js';

const PRISMA_DIR = fileURLToPath(new URL('../../../prisma/', import.meta.url));
const MIGRATIONS_DIR = join(PRISMA_DIR, 'migrations');
const LOCK_FILE = 'migration_lock.toml';
const LOCK_TEXT = '# Which database the migrations are for; Prisma reads it.\nprovider = "postgresql"\n';

/** One migration: the name of its folder and its SQL. */
export interface MigrationFile {
  name: string;
  sql: string;
}

/** All migrations in order; none where the folder does not exist. */
export async function readMigrations(): Promise<MigrationFile[]> {
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

/**
 * SHA-256 of a migration as Prisma computes it: of the text as it is, and with either line ending, which Git may change. A line
 * "-- Replaces …" adds that of an earlier text which led to the same tables.
 */
export function checksumsOf(sql: string): string[] {
  const unix = sql.replace(/\r\n/g, '\n');
  const own = [sql, unix, unix.replace(/\n/g, '\r\n')].map((text) =>
    createHash('sha256').update(text).digest('hex'),
  );
  return [
    ...own,
    ...[...unix.matchAll(/^-- Replaces ([0-9a-f]{64})$/gm)].map(([, replaced = '']) => replaced),
  ];
}

/** All migrations as Prisma's engine takes them. */
export async function listForEngine() {
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

/** prisma/schema.prisma. */
export async function readSchema(): Promise<SchemaFile> {
  const path = join(PRISMA_DIR, 'schema.prisma');
  return { path, content: await readFile(path, 'utf8') };
}

/** Writes a new migration, and the lock file beside it. */
export async function writeMigration({ name, sql }: MigrationFile, lockText: string): Promise<void> {
  await mkdir(join(MIGRATIONS_DIR, name), { recursive: true });
  await writeFile(join(MIGRATIONS_DIR, name, 'migration.sql'), sql);
  await writeFile(join(MIGRATIONS_DIR, LOCK_FILE), lockText);
}
