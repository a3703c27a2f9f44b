// Health of the server and what it stands on: bounded, shared checks, so that probes cannot load the database.
import type { Database } from '../../infra/database.js';
import type { RedisConnections } from '../../infra/redis.js';
import { sql } from '../../infra/sql.js';

const checkTimeoutMs = 1000;
const sharedForMs = 500;

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

export type HealthService = ReturnType<typeof createHealthService>;

export function createHealthService({
  db,
  redis,
  now,
}: {
  db: Database;
  redis: RedisConnections | undefined;
  now: () => number;
}) {
  const startedAt = now();
  let isStopping = false;

  const database = shared(() => timed(() => db.query(sql`SELECT 1`)));
  const cache = shared(async (): Promise<ComponentHealth> => {
    if (redis === undefined) return { status: 'unused', latencyMs: 0 };
    return timed(() => redis.client.ping());
  });

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

    /** Whether new requests should come here: the database answers and the server is not stopping. */
    isReady: async (): Promise<boolean> => !isStopping && (await database()).status === 'healthy',

    /** From now on not ready, so that load balancers look elsewhere. */
    stopping: (): void => {
      isStopping = true;
    },
  };
}

/** Runs a check at most once at a time and not again within half a second. */
function shared(check: () => Promise<ComponentHealth>): () => Promise<ComponentHealth> {
  let last: { at: number; result: Promise<ComponentHealth> } | undefined;
  return () => {
    const at = performance.now();
    if (last === undefined || at - last.at > sharedForMs) last = { at, result: check() };
    return last.result;
  };
}

async function timed(probe: () => Promise<unknown>): Promise<ComponentHealth> {
  const started = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), checkTimeoutMs);
  });
  const status = await Promise.race([probe(), timeout]).then(
    () => 'healthy' as const,
    () => 'unhealthy' as const,
  );
  clearTimeout(timer);
  return { status, latencyMs: Math.round((performance.now() - started) * 10) / 10 };
}
