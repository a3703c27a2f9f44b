// Upgrades of a database that an earlier version goes on to serve, on a real PostgreSQL.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  applyMigrations,
  finishMigrations,
  migrationStatus,
  unfinishedMigrations,
} from '../../../src/infra/migrations/migrate.js';
import { until } from '../../kit/live.js';

const folder = 'prisma/migrations';
const before = '20261127231227';
const oldIndexes = [
  'test_results_cwe_ids_idx',
  'test_results_execution_id_id_idx',
  'test_results_execution_id_severity_id_idx',
  'test_results_fingerprint_id_idx',
  'test_results_rule_id_id_idx',
  'test_results_search_text_trgm_idx',
];
const history = `CREATE TABLE _prisma_migrations (id VARCHAR(36) PRIMARY KEY, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ,
  migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ, started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  applied_steps_count INTEGER NOT NULL DEFAULT 0)`;
const sqlOf = (name: string) => readFileSync(`${folder}/${name}/migration.sql`, 'utf8');
const insertExecution = `INSERT INTO test_executions (id, name, target, kind, created_at) VALUES (gen_random_uuid(), $1, 't', 'SAST', now())
  RETURNING id`;
const insertResult = `INSERT INTO test_results (id, execution_id, title, severity, cwe_ids, cve_ids, "references", tags, fingerprint,
  created_at) VALUES (gen_random_uuid(), $1, 'Old', 1, '{}', '{}', '{}', '{}', gen_random_uuid(), now())`;

const name = `upgrade_${process.pid}`;
const databaseUrl = Object.assign(new URL(process.env.TEST_POSTGRES_URL as string), {
  pathname: `/${name}`,
}).href;
const clients: pg.Client[] = [];

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  clients.push(client);
  return client;
}

async function indexesOf(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query(
    `SELECT indexname FROM pg_indexes WHERE tablename = 'test_results' AND indexname = ANY($1) ORDER BY 1`,
    [oldIndexes],
  );
  return rows.map(({ indexname }) => indexname);
}

let old: pg.Client;
beforeAll(async () => {
  const admin = await connect(process.env.TEST_POSTGRES_URL as string);
  await admin.query(`CREATE DATABASE ${name}`);
  old = await connect(databaseUrl);
  await old.query(history);
  for (const file of readdirSync(folder).sort()) {
    if (!/^\d{14}_/.test(file) || file >= before) continue;
    await old.query(sqlOf(file));
    await old.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at)
       VALUES (gen_random_uuid(), encode(sha256(convert_to($2, 'UTF8')), 'hex'), $1, now())`,
      [file, sqlOf(file)],
    );
  }
  const { rows } = await old.query(insertExecution, ['Before']);
  for (let n = 0; n < 2; n += 1) await old.query(insertResult, [rows[0].id]);
});
afterAll(() => Promise.all(clients.map((client) => client.end())));

it('lets an earlier version read and write while a migration waits for its lock and afterwards', async () => {
  const holder = await connect(databaseUrl);
  await holder.query('BEGIN');
  await holder.query('SELECT FROM test_results'); // locks the table against changes until it ends
  const migrating = applyMigrations(databaseUrl);
  await until(async () => {
    const { rowCount } = await old.query(
      `SELECT FROM pg_locks WHERE NOT granted AND relation = 'test_results'::regclass`,
    );
    return rowCount === 1;
  }, 'the migration waits');
  // Behind a migration that waited on, it would wait for the holder too.
  expect((await old.query('SELECT DISTINCT title FROM test_results')).rows).toEqual([{ title: 'Old' }]);
  await holder.query('COMMIT');
  expect(await migrating).toContain('20261127235800_own_result_indexes');
  const { rows } = await old.query(insertExecution, ['After']);
  await old.query(insertResult, [rows[0].id]);
  expect((await old.query('SELECT DISTINCT project_id, is_shared FROM test_executions')).rows).toEqual([
    { project_id: '00000000-0000-7000-8000-000000000001', is_shared: false },
  ]);
});

it('knows how new columns are filled, as plans depend on it', async () => {
  const { rows } = await old.query(
    `SELECT most_common_freqs[1]::float8 AS share FROM pg_stats WHERE tablename = 'test_results' AND attname = 'is_shared'`,
  );
  expect(rows).toEqual([{ share: 1 }]);
});

it('keeps the indexes that an earlier version reads until the upgrade is finished', async () => {
  expect(await indexesOf(old)).toEqual(oldIndexes);
  expect(await unfinishedMigrations(databaseUrl)).toEqual(oldIndexes);
  expect(await finishMigrations(databaseUrl)).toEqual(oldIndexes);
  expect(await indexesOf(old)).toEqual([]);
  expect(await unfinishedMigrations(databaseUrl)).toEqual([]);
});

it('runs a migration in steps again when the process ended halfway', async () => {
  for (const migration of ['20261127231227_projects_and_findings', '20261127235800_own_result_indexes']) {
    await old.query('DROP INDEX IF EXISTS test_results_own_rule_idx, test_results_open_content_idx');
    await old.query('UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = $1', [
      migration,
    ]);
    expect(await migrationStatus(databaseUrl)).toMatchObject({ repeatable: [migration] });
    expect(await applyMigrations(databaseUrl)).toEqual([migration]);
  }
  const { rowCount } = await old.query(
    `SELECT FROM pg_index WHERE indexrelid IN ('test_results_own_rule_idx'::regclass) AND indisvalid`,
  );
  expect(rowCount).toBe(1);
});

it('refuses to run again what may have been done by half', async () => {
  const [first] = readdirSync(folder).sort();
  await old.query('UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = $1', [first]);
  await expect(applyMigrations(databaseUrl)).rejects.toThrow(`Migration ${first} began and did not finish`);
  await old.query('UPDATE _prisma_migrations SET finished_at = now() WHERE finished_at IS NULL');
});

it('accepts a database that an earlier text of a migration was applied to, and no other text', async () => {
  const migration = '20261127235800_own_result_indexes';
  const [, replaced] = /^-- Replaces (\w+)$/m.exec(sqlOf(migration)) ?? [];
  const applied = 'UPDATE _prisma_migrations SET checksum = $2 WHERE migration_name = $1';
  await old.query(applied, [migration, replaced]);
  expect(await migrationStatus(databaseUrl)).toMatchObject({ edited: [], pending: [] });
  await old.query(applied, [migration, '0'.repeat(64)]);
  expect(await migrationStatus(databaseUrl)).toMatchObject({ edited: [migration] });
});

it('builds no index of a large table and changes none in a way that holds up an earlier version', () => {
  const large = '"(?:test_results|test_executions|execution_events|audit_events|users|findings)"';
  for (const file of readdirSync(folder).filter((each) => each >= '20261128020000' && /^\d/.test(each))) {
    const [whole = '', ...steps] = sqlOf(file).split(/^-- Step.*$/m);
    const build = `CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)[^;]* ON ${large}`;
    const faults = [
      new RegExp(`^(?:${build}|ALTER TABLE ${large})`, 'm').exec(whole),
      ...steps.map((step) => new RegExp(`^${build}`, 'm').exec(step)),
    ].flatMap((fault) => fault ?? []);
    expect({ file, faults }).toEqual({ file, faults: [] });
  }
});
