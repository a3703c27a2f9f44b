// Makes the database ready for the server: starts the embedded one, migrates, and gives the URL to serve with.
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from '../config/load.js';
import { startEmbeddedPostgres } from '../infra/embedded-postgres/server.js';
import { APP_ROLE, ensureAppRole, roleOf, urlAs } from '../infra/migrations/app-role.js';
import { applyMigrations, finishMigrations, migrationStatus } from '../infra/migrations/migrate.js';
import { assertMigrated } from '../infra/migrations/status.js';
import { openClient } from '../infra/postgres/connection/open.js';
import { missingLimits } from '../infra/postgres/connection/settings.js';
import { targetOf } from '../infra/postgres/connection/target.js';
import { waitForDatabase } from '../infra/postgres/connection/wait-until-ready.js';
import type { Closers } from './closers.js';

const databaseWaitMs = 30_000;

/**
 * Prepares the database that the configuration names, or the embedded one.
 * @returns the URL to serve with, of a role that changes no table, where the server can make one or was given one; and whether a
 * pooler lends connections by the transaction
 * @throws Error when the database does not answer within 30 seconds, or lacks migrations that the server may not apply
 */
export async function prepareDatabase(
  config: Config,
  log: Logger,
  closers: Closers,
): Promise<{ url: string; isShared: boolean }> {
  const url = await prepare(config, log, closers);
  return { url, isShared: await findLimits(config, url, log) };
}

async function prepare(config: Config, log: Logger, closers: Closers): Promise<string> {
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

/** Logs the limits that sessions behind a pooler lack. */
async function findLimits(config: Config, url: string, log: Logger): Promise<boolean> {
  if (config.databaseUrl === undefined || (await waitForDatabase(url, databaseWaitMs, log)) !== 'transaction')
    return false;
  const ms = config.databaseStatementTimeoutMs;
  const needs = { statementTimeoutMs: ms, idleInTransactionTimeoutMs: ms };
  const client = await openClient(url, needs);
  try {
    const statements = await missingLimits(client, targetOf(url), needs, 3000);
    if (statements !== '')
      log.warn(
        { event: 'database_limits_missing', statements },
        'The pooler does not pass limits on: run these statements as the owner of the role',
      );
  } finally {
    await client.end();
  }
  return true;
}

/** Connections of the pools of all workers, and beside them of imports (three each), exports and jobs. */
function connectionsOf({ workers, databasePoolMax, importsAtOnce }: Config): number {
  return Math.max(100, workers * (databasePoolMax + 3 * importsAtOnce + 10) + 20);
}

async function startEmbedded(config: Config, log: Logger, closers: Closers): Promise<string> {
  const postgres = await startEmbeddedPostgres({
    dataDir: config.dataDir,
    isDurable: config.environment !== 'test',
    maxConnections: connectionsOf(config),
    onExit: (reason) =>
      log.error({ event: 'embedded_database_ended', reason }, 'the embedded database ended'),
  });
  closers.add(postgres.stop);
  log.info({ event: 'embedded_database_started', directory: config.dataDir });
  return postgres.url;
}
