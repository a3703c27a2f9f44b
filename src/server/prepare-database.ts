// Makes the database ready for the server: starts the embedded one, migrates, and gives the URL to serve with.
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from '../config/load.js';
import { startEmbeddedPostgres } from '../infra/embedded-postgres/server.js';
import { APP_ROLE, ensureAppRole, roleOf, urlAs } from '../infra/migrations/app-role.js';
import { applyMigrations, finishMigrations, migrationStatus } from '../infra/migrations/migrate.js';
import { assertMigrated } from '../infra/migrations/status.js';
import { waitForDatabase } from '../infra/postgres/wait-until-ready.js';
import type { Closers } from './closers.js';

const databaseWaitMs = 30_000;

/**
 * Prepares the database that the configuration names, or the embedded one.
 * @returns the URL to serve with: of a role that changes no table, where the server can make one or was given one
 * @throws Error when the database does not answer within 30 seconds, or lacks migrations that the server may not apply
 */
export async function prepareDatabase(config: Config, log: Logger, closers: Closers): Promise<string> {
  const { databaseUrl, migrationDatabaseUrl } = config;
  const ownerUrl = migrationDatabaseUrl ?? databaseUrl ?? (await startEmbedded(config, log, closers));
  const mayMigrate = config.migrateOnStart || databaseUrl === undefined;
  const url = mayMigrate ? ownerUrl : databaseUrl;
  await waitForDatabase(url, databaseWaitMs, log);
  if (!mayMigrate) {
    assertMigrated(await migrationStatus(url));
    return url;
  }
  const applied = await applyMigrations(url);
  if (applied.length > 0) log.info({ event: 'migrated', migrations: applied });
  if (databaseUrl === undefined) {
    await finishMigrations(ownerUrl);
    // The embedded database is this process's alone: a password for as long as it runs.
    const role = { name: APP_ROLE, password: randomBytes(24).toString('base64url') };
    await ensureAppRole(ownerUrl, role);
    return urlAs(ownerUrl, role);
  }
  if (migrationDatabaseUrl !== undefined) await ensureAppRole(ownerUrl, roleOf(databaseUrl));
  return databaseUrl;
}

async function startEmbedded(config: Config, log: Logger, closers: Closers): Promise<string> {
  const postgres = await startEmbeddedPostgres({
    dataDir: config.dataDir,
    isDurable: config.environment !== 'test',
    onExit: (reason) =>
      log.error({ event: 'embedded_database_ended', reason }, 'the embedded database ended'),
  });
  closers.add(postgres.stop);
  log.info({ event: 'embedded_database_started', directory: config.dataDir });
  return postgres.url;
}
