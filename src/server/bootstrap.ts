// From configuration to a listening server and back: database, migrations, keys, services, first admin, graceful stop.
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createHttpTerminator } from 'http-terminator';
import type { JWK } from 'jose';
import type { Logger } from 'pino';
import type { Config } from '../config/load.js';
import { defaultTiming, type Timing } from '../core/timeouts.js';
import { createTokens, generateSigningKey } from '../infra/credentials/jwt.js';
import { createPasswordHasher, type PasswordHasher } from '../infra/credentials/password-hasher.js';
import { startEmbeddedPostgres } from '../infra/embedded-postgres/server.js';
import { APP_ROLE, ensureAppRole, roleOf, urlAs } from '../infra/migrations/app-role.js';
import { applyMigrations, finishMigrations, migrationStatus } from '../infra/migrations/migrate.js';
import { assertMigrated } from '../infra/migrations/status.js';
import { createDatabase } from '../infra/postgres/database.js';
import { waitForDatabase } from '../infra/postgres/wait-until-ready.js';
import { createRedis } from '../infra/redis/connections.js';
import { createEvents } from '../infra/redis/message-bus.js';
import { createMetrics } from '../infra/telemetry/metrics.js';
import type { Tracing } from '../infra/telemetry/tracing.js';
import { type AppOptions, createApp } from './http-server.js';
import { startJobs } from './jobs.js';
import { createServices, type Services } from './services.js';
import { watch } from './watch.js';

const databaseWaitMs = 30_000;

/** A running server. */
export interface Running {
  port: number;
  services: Services;
  passwords: PasswordHasher;
  /** The first admin, when this start made it; the password only when it was generated. */
  firstAdmin: { email: string; generatedPassword?: string } | undefined;
  /** Stops taking requests, drains, closes everything; safe to call twice. */
  close(): Promise<void>;
}

/**
 * Starts everything that the configuration asks for.
 * @param now milliseconds since 1970
 * @throws Error with a message for people; everything that was started by then is stopped again
 */
export async function start(
  config: Config,
  log: Logger,
  now: () => number = Date.now,
  options: AppOptions = {},
): Promise<Running> {
  const closers: (() => Promise<unknown>)[] = [];
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= closeAll(closers, log);
    return closing;
  };
  const timing: Timing = { ...defaultTiming, ...options.timing };
  try {
    const metrics = createMetrics();
    if (config.isMetricsEnabled) metrics.watchProcess();
    const tracing = await beginTracing(config, log, timing.tracesMs);
    if (tracing !== undefined) closers.push(tracing.close);
    const ownerUrl =
      config.migrationDatabaseUrl ?? config.databaseUrl ?? (await embedded(config, log, closers));
    const databaseUrl = await migrate(ownerUrl, config, log);
    const redis =
      config.redisUrl === undefined ? undefined : createRedis(config.redisUrl, log, metrics, timing);
    if (redis !== undefined) closers.push(redis.close);
    const db = createDatabase({
      url: databaseUrl,
      poolMax: config.databasePoolMax,
      statementTimeoutMs: config.databaseStatementTimeoutMs,
      acquireTimeoutMs: config.databaseAcquireTimeoutMs,
      log,
      metrics,
    });
    closers.push(db.close);
    const bulk = {
      url: databaseUrl,
      statementTimeoutMs: timing.bulkStatementMs,
      connectTimeoutMs: config.databaseAcquireTimeoutMs,
    };
    const tokens = await createTokens({
      signingKeys: config.jwtSigningKeys ? [...config.jwtSigningKeys] : await ownKeys(config.dataDir),
      issuer: config.jwtIssuer,
      audience: config.jwtAudience,
      now,
    });
    const passwords = createPasswordHasher({
      ...config.argon2,
      queueMax: config.hashQueueMax,
      onRefusal: metrics.refusalsOf('hashing'),
      log,
    });
    closers.push(passwords.close);
    const events = createEvents(redis, log);
    const infra = { config, log, db, bulk, redis, events, tokens, passwords, metrics, tracing, now, timing };
    const services = createServices(infra);
    const firstAdmin = await makeFirstAdmin(services, config);
    const app = createApp(services, infra, options);
    const { server, endStreams } = app;
    if (config.isMetricsEnabled) watch(app, services, infra);
    const terminator = createHttpTerminator({ server, gracefulTerminationTimeout: config.shutdownTimeoutMs });
    await listen(server, config);
    const stopJobs = startJobs(services, infra);
    closers.push(async () => {
      services.health.stopping();
      // Ends kept connections between two requests, where closing the server would cut off one that is on its way.
      server.prependListener('request', (_request, response) => {
        response.shouldKeepAlive = false;
      });
      const drained = config.isProduction ? sleep(timing.drainMs) : undefined;
      await stopJobs();
      await endStreams();
      await drained;
      await terminator.terminate();
    });
    return { port: (server.address() as AddressInfo).port, services, passwords, firstAdmin, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Off, and not even loaded, unless OpenTelemetry's variables ask for it. */
async function beginTracing(config: Config, log: Logger, lastMs: number): Promise<Tracing | undefined> {
  const exporter = config.tracesExporter ?? (config.otlpEndpoint === undefined ? 'none' : 'otlp');
  if (config.isTracingDisabled || exporter === 'none') return undefined;
  const { otlpEndpoint: endpoint, otlpHeaders: headers, otelServiceName: serviceName } = config;
  const { tracesSampler: sampler, tracesSamplerArg: samplerArg } = config;
  const { createTracing } = await import('../infra/telemetry/tracing.js');
  return createTracing({ exporter, endpoint, headers, serviceName, sampler, samplerArg, log, lastMs });
}

async function closeAll(closers: (() => Promise<unknown>)[], log: Logger): Promise<void> {
  for (const closer of closers.reverse()) {
    await closer().catch((error: unknown) => log.warn({ event: 'close_failed', err: error }));
  }
}

async function embedded(config: Config, log: Logger, closers: (() => Promise<unknown>)[]): Promise<string> {
  const postgres = await startEmbeddedPostgres({
    dataDir: config.dataDir,
    isDurable: config.environment !== 'test',
    onExit: (reason) =>
      log.error({ event: 'embedded_database_ended', reason }, 'the embedded database ended'),
  });
  closers.push(postgres.stop);
  log.info({ event: 'embedded_database_started', directory: config.dataDir });
  return postgres.url;
}

/** @returns the URL to serve with: as a role that changes no table, where the server can make one or was given one */
async function migrate(ownerUrl: string, config: Config, log: Logger): Promise<string> {
  const { databaseUrl } = config;
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
  if (config.migrationDatabaseUrl !== undefined) await ensureAppRole(ownerUrl, roleOf(databaseUrl));
  return databaseUrl;
}

/** The signing key of an installation that was given none, made at its first start. */
async function ownKeys(dataDir: string): Promise<JWK[]> {
  const file = join(dataDir, 'jwt-signing-keys.json');
  const stored = await readFile(file, 'utf8').catch(() => undefined);
  if (stored !== undefined) return JSON.parse(stored) as JWK[];
  const keys = [await generateSigningKey()];
  await mkdir(dataDir, { recursive: true });
  await writeFile(file, JSON.stringify(keys), { mode: 0o600, flag: 'wx' });
  await chmod(file, 0o600);
  return keys;
}

/** While there are no users: from ADMIN_EMAIL and ADMIN_PASSWORD, or generated for the embedded database. */
async function makeFirstAdmin(services: Services, config: Config): Promise<Running['firstAdmin']> {
  const { adminEmail, adminPassword, databaseUrl } = config;
  if (!(await services.users.isEmpty())) return undefined;
  if (databaseUrl !== undefined && (adminEmail === undefined || adminPassword === undefined)) {
    throw new Error('There are no users yet: set ADMIN_EMAIL and ADMIN_PASSWORD to make the first admin.');
  }
  const email = adminEmail ?? 'admin@localhost.test';
  const generatedPassword = adminPassword === undefined ? randomBytes(18).toString('base64url') : undefined;
  const password = adminPassword ?? (generatedPassword as string);
  await services.users.create(null, { email, name: 'Administrator', role: 'ADMIN', password });
  return { email, ...(generatedPassword !== undefined && { generatedPassword }) };
}

async function listen(server: Server, { host, port }: Config): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE'
          ? `Port ${port} is already in use. Stop what uses it, or set PORT to another one.`
          : `Cannot listen on ${host}:${port}: ${error.message}`;
      reject(new Error(reason, { cause: error }));
    });
    server.listen({ host, port, backlog: 1024 }, resolve);
  });
}
