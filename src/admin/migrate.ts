// The command line of migrations: deploy, finish, status and new; infra/migrations/migrate.ts runs them.
import { randomBytes } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { urlOfDatabase } from '../config/database-url.js';
import { type Env, loadConfig } from '../config/load.js';
import { findRunningPostgres } from '../infra/embedded-postgres/running.js';
import { startEmbeddedPostgres } from '../infra/embedded-postgres/server.js';
import { grantToAppRole, roleOf } from '../infra/migrations/app-role.js';
import {
  applyMigrations,
  createMigration,
  finishMigrations,
  migrationStatus,
  unfinishedMigrations,
} from '../infra/migrations/migrate.js';
import { assertMigrated } from '../infra/migrations/status.js';
import { openClient } from '../infra/postgres/connection/open.js';

type Print = (text: string) => void;

const USAGE = `Usage: migrate [deploy | finish | status | new NAME]
  deploy    apply the pending migrations (the default)
  finish    after an upgrade, once no instance of an earlier version runs: drop the indexes that only those read
  status    list applied and pending migrations; exit code 1 when the database is not up to date
  new NAME  write a migration with the difference between the migrations and prisma/schema.prisma
The database is MIGRATION_DATABASE_URL, else DATABASE_URL, or without both the embedded one in DATA_DIR. With both,
deploy also lets the role of DATABASE_URL do what the server needs; npm run db:roles creates it.`;

// A migration needs no other setting: a wrong or missing one must not stop it.
const SETTINGS_READ = [
  'MIGRATION_DATABASE_URL',
  'MIGRATION_DATABASE_URL_FILE',
  'DATABASE_URL',
  'DATABASE_URL_FILE',
  'DATA_DIR',
];

/**
 * Runs one command.
 * @param args the words after the program's name
 * @param env names to text, usually the process's own
 * @param print takes the text, one or more lines
 * @returns the exit code: 0 when all is well, 1 when the database is not up to date or the command failed,
 *   2 when there is no such command
 */
export async function migrate(args: string[], env: Env, print: Print): Promise<0 | 1 | 2> {
  const [command = 'deploy', ...rest] = args;
  const isKnown =
    command === 'new' ? rest.length === 1 : ['deploy', 'finish', 'status'].includes(command) && !rest.length;
  if (!isKnown) {
    print(USAGE);
    return 2;
  }
  try {
    const given = SETTINGS_READ.map((name) => [name, env[name]]);
    const { migrationDatabaseUrl, databaseUrl: serverUrl, dataDir } = loadConfig(Object.fromEntries(given));
    const databaseUrl = migrationDatabaseUrl ?? serverUrl;
    if (command === 'new') return await writeNew(rest[0] ?? '', databaseUrl, print);
    const run = { deploy, finish, status }[command as 'deploy' | 'finish' | 'status'];
    if (databaseUrl) {
      const code = await run(databaseUrl, print);
      if (command === 'deploy' && migrationDatabaseUrl && serverUrl)
        await grantAgain(migrationDatabaseUrl, serverUrl, print);
      return code;
    }
    // Reading disturbs no server that has the database running; migrations are for one that is stopped.
    const running = command === 'status' ? await findRunningPostgres(dataDir) : undefined;
    if (running !== undefined) return await status(running, print);
    return await withEmbedded(dataDir, true, async (url) => {
      const code = await run(url, print);
      return command === 'deploy' ? finish(url, print) : code; // no other version has it open
    });
  } catch (error) {
    print(`Failed: ${wordsOf(error)}`);
    return 1;
  }
}

async function deploy(databaseUrl: string, print: Print): Promise<0> {
  const applied = await applyMigrations(databaseUrl);
  if (applied.length === 0) print('Nothing to apply: the database is up to date.');
  for (const name of applied) print(`Applied ${name}`);
  await adviseToFinish(databaseUrl, print);
  return 0;
}

async function finish(databaseUrl: string, print: Print): Promise<0> {
  for (const name of await finishMigrations(databaseUrl)) print(`Dropped ${name}`);
  return 0;
}

async function adviseToFinish(databaseUrl: string, print: Print): Promise<void> {
  if ((await unfinishedMigrations(databaseUrl)).length > 0)
    print('Once no instance of an earlier version runs: sec-tester-api migrate finish');
}

/** New tables are nobody's but their owner's. */
async function grantAgain(ownerUrl: string, serverUrl: string, print: Print): Promise<void> {
  const { name } = roleOf(serverUrl);
  if (name === roleOf(ownerUrl).name) return;
  if (await grantToAppRole(ownerUrl, name)) print(`The role ${name} may do what the server needs.`);
  else print(`There is no role ${name} yet: make it with npm run db:roles.`);
}

async function status(databaseUrl: string, print: Print): Promise<0 | 1> {
  const found = await migrationStatus(databaseUrl);
  const marks: [string, string[]][] = [
    ['applied', found.applied.filter((name) => !found.edited.includes(name))],
    ['edited', found.edited],
    ['failed', found.failed],
    ['pending', found.pending],
    ['unknown', found.unknown],
  ];
  for (const [mark, names] of marks) for (const name of names) print(`${mark.padEnd(8)} ${name}`);
  try {
    assertMigrated(found);
    print('The database is up to date.');
    await adviseToFinish(databaseUrl, print);
    return 0;
  } catch (error) {
    print(wordsOf(error));
    return 1;
  }
}

async function writeNew(name: string, databaseUrl: string | undefined, print: Print): Promise<0> {
  const write = (url: string): Promise<string | null> => createMigration(name, url);
  const folder = databaseUrl
    ? await withShadowDatabase(databaseUrl, write)
    : await withTemporaryServer(write);
  if (folder === null) print('No difference: the migrations already make what prisma/schema.prisma says.');
  else print(`Wrote prisma/migrations/${folder}/migration.sql: read it, then npm run migrate.`);
  return 0;
}

async function withEmbedded<T>(
  dataDir: string,
  isDurable: boolean,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const server = await startEmbeddedPostgres({ dataDir, isDurable });
  try {
    return await work(server.url);
  } finally {
    await server.stop();
  }
}

async function withTemporaryServer<T>(work: (url: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sec-tester-shadow-'));
  try {
    return await withEmbedded(folder, false, work);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** An empty database beside the given one, for as long as the work takes. */
async function withShadowDatabase<T>(databaseUrl: string, work: (url: string) => Promise<T>): Promise<T> {
  const name = `sec_tester_shadow_${randomBytes(6).toString('hex')}`;
  const client = await openClient(databaseUrl);
  try {
    await client.query(`CREATE DATABASE ${name} TEMPLATE template0`);
    return await work(urlOfDatabase(databaseUrl, name));
  } finally {
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`).catch(() => undefined);
    await client.end().catch(() => undefined);
  }
}

/** The message of an error; a refused connection has none, but an error for each address. */
function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && !error.message) return error.errors.map(wordsOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await migrate(process.argv.slice(2), process.env, console.log);
}
