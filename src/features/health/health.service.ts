// Health of the server and what it stands on: bounded, shared checks, so that probes cannot load the database.
import { createCache } from '../../infra/cache.js';
import type { Database } from '../../infra/database.js';
import type { Metrics } from '../../infra/metrics.js';
import type { RedisConnections } from '../../infra/redis.js';
import { sql } from '../../infra/sql.js';

const checkTimeoutMs = 1000;
const believedMs = 500;

/** A component. `unused` is Redis when there is none: its part is done within the process. */
export interface ComponentHealth {
  status: 'healthy' | 'unhealthy' | 'unused';
  latencyMs: number;
}

/** The whole: degraded works, slower; unhealthy does not. */
export interface Health {
  status: 'healthy' | 'degraded' | 'unhealthy';
  uptimeSeconds: number;
  components: { database: ComponentHealth; redis: ComponentHealth };
}

/** What only operators are told, beside a component's health. */
export interface DatabaseDetails {
  version: string | null;
  /** Connections of this instance, and requests that wait for one. */
  pool: { max: number; total: number; idle: number; waiting: number };
}

/** Whether instances share Redis, or this one does its part within the process. */
export interface RedisDetails {
  mode: 'redis' | 'in-process';
  version: string | null;
}

interface HealthServiceOptions {
  db: Database;
  redis: RedisConnections | undefined;
  now: () => number;
  metrics: Metrics | undefined;
}

/** A check's outcome with the version it found; the version is kept when a later check fails. */
interface Checked {
  health: ComponentHealth;
  version: string | null;
}

export type HealthService = ReturnType<typeof createHealthService>;

export function createHealthService({ db, redis, now, metrics }: HealthServiceOptions) {
  const startedAt = now();
  let isStopping = false;
  const checks = createCache<Checked>({ name: 'health', max: 2, ttlMs: believedMs, metrics });

  const checkDatabase = () => checks('database', () => timed(() => databaseVersion(db)));
  const checkRedis = () =>
    checks('redis', async () => {
      if (redis === undefined) return { health: { status: 'unused', latencyMs: 0 }, version: null };
      return timed(redis.version);
    });
  const database = async (): Promise<ComponentHealth> => (await checkDatabase()).health;
  const cache = async (): Promise<ComponentHealth> => (await checkRedis()).health;

  return {
    database,
    redis: cache,

    async overall(): Promise<Health> {
      const [databaseHealth, redisHealth] = await Promise.all([database(), cache()]);
      const status =
        databaseHealth.status === 'unhealthy'
          ? 'unhealthy'
          : redisHealth.status === 'unhealthy'
            ? 'degraded'
            : 'healthy';
      return {
        status,
        uptimeSeconds: Math.floor((now() - startedAt) / 1000),
        components: { database: databaseHealth, redis: redisHealth },
      };
    },

    /** For operators: versions would tell a stranger which faults to try. */
    async details(): Promise<{ database: DatabaseDetails; redis: RedisDetails }> {
      const [{ version }, { version: redisVersion }] = await Promise.all([checkDatabase(), checkRedis()]);
      return {
        database: { version, pool: db.poolState() },
        redis: { mode: redis === undefined ? 'in-process' : 'redis', version: redisVersion },
      };
    },

    /** Whether new requests should come here: the database answers and the server is not stopping. */
    isReady: async (): Promise<boolean> => !isStopping && (await database()).status === 'healthy',

    /** From now on not ready, so that load balancers look elsewhere. */
    stopping: (): void => {
      isStopping = true;
    },
  };
}

async function databaseVersion(db: Database): Promise<string | null> {
  const [row] = await db.query<{ version: string }>(sql`SELECT current_setting('server_version') AS version`);
  return row?.version ?? null;
}

async function timed(probe: () => Promise<string | null>): Promise<Checked> {
  const started = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), checkTimeoutMs);
  });
  const [status, version] = await Promise.race([probe(), timeout]).then(
    (found) => ['healthy', found] as const,
    () => ['unhealthy', null] as const,
  );
  clearTimeout(timer);
  return { health: { status, latencyMs: Math.round((performance.now() - started) * 10) / 10 }, version };
}
