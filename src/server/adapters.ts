// Creates the adapters of a process: telemetry, the prepared database, Redis, token keys and password hashing.
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JWK } from 'jose';
import type { Logger } from 'pino';
import type { Config } from '../config/load.js';
import type { Timing } from '../core/timeouts.js';
import { createTokens, generateSigningKey, type Tokens } from '../infra/credentials/jwt.js';
import { createPasswordHasher } from '../infra/credentials/password-hasher.js';
import type { Infra } from '../infra/infra.js';
import { createDatabase } from '../infra/postgres/database.js';
import { createRedis } from '../infra/redis/connections.js';
import { createEvents } from '../infra/redis/message-bus.js';
import { createMetrics } from '../infra/telemetry/metrics.js';
import type { Tracing } from '../infra/telemetry/tracing.js';
import type { Closers } from './closers.js';
import { prepareDatabase } from './prepare-database.js';

/**
 * Creates the adapters in the order in which they need each other, and adds each to the closers.
 * @throws Error with a message for people
 */
export async function createAdapters(
  {
    config,
    log,
    now,
    timing,
    primary,
  }: Pick<Infra, 'config' | 'log' | 'now' | 'primary'> & { timing: Timing },
  closers: Closers,
): Promise<Infra> {
  const own = createMetrics();
  const metrics = primary === undefined ? own : { ...own, print: () => primary.ask('metrics') };
  if (config.isMetricsEnabled) metrics.watchProcess();
  const tracing = await createTracing(config, log, timing.tracesMs);
  if (tracing !== undefined) closers.add(tracing.close);
  const { url, isShared } = primary?.database ?? (await prepareDatabase(config, log, closers));
  primary?.onMetrics(metrics.read);
  const { redisUrl, databaseStatementTimeoutMs, databaseAcquireTimeoutMs, databaseReadUrl: readUrl } = config;
  const redis = redisUrl === undefined ? undefined : createRedis(redisUrl, log, metrics, timing);
  if (redis !== undefined) closers.add(redis.close);
  const db = createDatabase({
    url,
    poolMax: config.databasePoolMax,
    statementTimeoutMs: databaseStatementTimeoutMs,
    acquireTimeoutMs: databaseAcquireTimeoutMs,
    replica: readUrl === undefined ? undefined : { readUrl, readWaitMs: config.databaseReadWaitMs },
    log,
    metrics,
  });
  closers.add(db.close);
  const tokens = await createTokensOf(config, now);
  const passwords = createPasswordHasher({
    ...config.argon2,
    queueMax: config.hashQueueMax,
    processes: config.workers,
    onRefusal: metrics.refusalsOf('hashing'),
    log,
  });
  closers.add(passwords.close);
  const bulk = {
    url,
    statementTimeoutMs: timing.bulkStatementMs,
    connectTimeoutMs: databaseAcquireTimeoutMs,
    isShared,
  };
  const events = createEvents(redis, log, primary);
  return { config, log, db, bulk, redis, primary, events, tokens, passwords, metrics, tracing, now, timing };
}

/** Loads tracing only when OpenTelemetry's variables ask for it. */
async function createTracing(config: Config, log: Logger, lastMs: number): Promise<Tracing | undefined> {
  const exporter = config.tracesExporter ?? (config.otlpEndpoint === undefined ? 'none' : 'otlp');
  if (config.isTracingDisabled || exporter === 'none') return undefined;
  const { otlpEndpoint: endpoint, otlpHeaders: headers, otelServiceName: serviceName } = config;
  const { tracesSampler: sampler, tracesSamplerArg: samplerArg } = config;
  const tracing = await import('../infra/telemetry/tracing.js');
  return tracing.createTracing({
    exporter,
    endpoint,
    headers,
    serviceName,
    sampler,
    samplerArg,
    log,
    lastMs,
  });
}

/** The tokens of the configuration's keys, or else of those in the data directory, made at the first start. */
export async function createTokensOf(config: Config, now: () => number): Promise<Tokens> {
  const { jwtSigningKeys: given, jwtIssuer: issuer, jwtAudience: audience } = config;
  const signingKeys = given ? [...given] : await storedSigningKeys(config.dataDir);
  return createTokens({ signingKeys, issuer, audience, now });
}

/** The keys in the data directory, for an installation that was given none; generated at its first start. */
async function storedSigningKeys(dataDir: string): Promise<JWK[]> {
  const file = join(dataDir, 'jwt-signing-keys.json');
  const stored = await readFile(file, 'utf8').catch(() => undefined);
  if (stored !== undefined) return JSON.parse(stored) as JWK[];
  const keys = [await generateSigningKey()];
  await mkdir(dataDir, { recursive: true });
  await writeFile(file, JSON.stringify(keys), { mode: 0o600, flag: 'wx' });
  await chmod(file, 0o600);
  return keys;
}
