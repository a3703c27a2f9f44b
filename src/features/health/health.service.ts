// Health of the server and its components: bounded, shared checks, so that probes cannot load the database.
import type { Timing } from '../../core/timeouts.js';
import { createCache } from '../../infra/cache.js';
import type { Database } from '../../infra/postgres/database.js';
import type { ReplicaState } from '../../infra/postgres/replica/replica.js';
import { sql } from '../../infra/postgres/sql.js';
import type { RedisConnections } from '../../infra/redis/connections.js';
import type { Metrics } from '../../infra/telemetry/metrics.js';
import type { WorkerCount } from '../../infra/workers/calls.js';

const believedMs = 500;

/** A component. `unused` is Redis when there is none: its part is done within the process. */
export interface ComponentHealth<Details> {
  status: 'healthy' | 'unhealthy' | 'unused';
  latencyMs: number;
  /** For operators only: versions show anonymous callers which faults to try, and the pool how to fill it. */
  details?: Details;
}

export type DatabaseHealth = ComponentHealth<{
  version: string | null;
  /** Connections of this instance, and requests that wait for one. */
  pool: { max: number; total: number; idle: number; waiting: number };
  /** Absent without DATABASE_READ_URL. */
  replica?: ReplicaState;
}>;

/** Health of Redis, or of what replaces it in the process. */
export type RedisHealth = ComponentHealth<{ mode: 'redis' | 'in-process'; version: string | null }>;

/** The whole: degraded works, slower; unhealthy does not. */
export interface Health {
  status: 'healthy' | 'degraded' | 'unhealthy';
  uptimeSeconds: number;
  components: { database: DatabaseHealth; redis: RedisHealth };
  /** Processes that should serve, and that do; for operators, where there are several. */
  workers?: WorkerCount;
}

interface HealthServiceOptions {
  db: Database;
  redis: RedisConnections | undefined;
  /** Absent where there is one process. */
  workers: (() => WorkerCount) | undefined;
  now: () => number;
  metrics: Metrics | undefined;
  timing: Timing;
}

/** Outcome of a check; the version is null when there was no answer. */
interface Checked {
  health: { status: ComponentHealth<never>['status']; latencyMs: number };
  version: string | null;
}

/** Checks what the server depends on. */
export type HealthService = ReturnType<typeof createHealthService>;

/** Creates the service; it keeps a check for a moment, so that frequent probes cost nothing. */
export function createHealthService({
  db,
  redis: connections,
  workers,
  now,
  metrics,
  timing: { healthMs },
}: HealthServiceOptions) {
  const startedAt = now();
  let isStopping = false;
  const checks = createCache<Checked>({ name: 'health', max: 2, ttlMs: believedMs, metrics });

  async function database(isDetailed = false): Promise<DatabaseHealth> {
    const { health, version } = await checks('database', () => timed(() => databaseVersion(db), healthMs));
    const replica = db.replica?.state();
    const details = { version, pool: db.poolState(), ...(replica !== undefined && { replica }) };
    return { ...health, ...(isDetailed && { details }) };
  }

  async function redis(isDetailed = false): Promise<RedisHealth> {
    const { health, version } = await checks('redis', async () => {
      if (connections === undefined) return { health: { status: 'unused', latencyMs: 0 }, version: null };
      return timed(connections.check, healthMs);
    });
    const mode = connections === undefined ? 'in-process' : 'redis';
    return { ...health, ...(isDetailed && { details: { mode, version } }) };
  }

  return {
    /** @param isDetailed whether the asker may see versions and the use of the pool */
    database,
    redis,

    async overall(isDetailed = false): Promise<Health> {
      const [databaseHealth, redisHealth] = await Promise.all([database(isDetailed), redis(isDetailed)]);
      const count = workers?.();
      const isSlower =
        redisHealth.status === 'unhealthy' ||
        db.replica?.state().state === 'away' ||
        (count !== undefined && count.running < count.configured);
      const status = databaseHealth.status === 'unhealthy' ? 'unhealthy' : isSlower ? 'degraded' : 'healthy';
      return {
        status,
        uptimeSeconds: Math.floor((now() - startedAt) / 1000),
        components: { database: databaseHealth, redis: redisHealth },
        ...(isDetailed && count !== undefined && { workers: count }),
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
  const [row] = await db.query<{ version: string; isReadOnly: boolean }>(sql`
    SELECT current_setting('server_version') AS version,
      current_setting('transaction_read_only') = 'on' AS "isReadOnly"`);
  if (row?.isReadOnly === true) throw new Error('the database only reads');
  return row?.version ?? null;
}

async function timed(probe: () => Promise<string | null>, longestMs: number): Promise<Checked> {
  const started = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), longestMs);
  });
  const [status, version] = await Promise.race([probe(), timeout]).then(
    (found) => ['healthy', found] as const,
    () => ['unhealthy', null] as const,
  );
  clearTimeout(timer);
  return { health: { status, latencyMs: Math.round((performance.now() - started) * 10) / 10 }, version };
}
