// The number of requests that a caller may make in a minute. Each instance counts in the process, which costs no round trip;
// instances add up their counts through Redis twice a second.
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { RedisConnections } from '../redis/connections.js';
import { addressKey } from './address-key.js';

/** The length of a window. Windows begin with the minute of the clock. */
export const requestWindowSeconds = 60;

interface RequestQuotaOptions {
  /** Requests of a user in a window, by all sessions and API keys together; 0 for no limit. */
  perMinute: number;
  /** Requests without sign-in from an address in a window; 0 for no limit. */
  anonymousPerMinute: number;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Called for every request that is refused. */
  onRefusal?: (() => void) | undefined;
}

/** The quota of a caller after a request, for the RateLimit headers. */
export interface Allowance {
  limit: number;
  remaining: number;
  resetSeconds: number;
  /** RATE_LIMITED when the request exceeds the quota. */
  refusal: AppError | undefined;
}

/** Counts requests by caller. */
export interface RequestQuota {
  /** Whether there is no limit at all. */
  isOff: boolean;
  /** Counts one request of a user, or (null) of an address; undefined where there is no limit. */
  take(viewer: Viewer | null, ip: string | null): Allowance | undefined;
}

interface Count {
  /** The count of all instances when it was last read from Redis. */
  shared: number;
  /** Requests counted here since. */
  fresh: number;
}

const windowMs = requestWindowSeconds * 1000;
const syncEveryMs = 500;
/** Callers in a window that are counted one by one; further ones share one count. */
const maxCallers = 200_000;

/** Creates the quota. Without Redis, or while it is away, each instance counts for itself. */
export function createRequestQuota(
  redis: RedisConnections | undefined,
  { perMinute, anonymousPerMinute, now, onRefusal }: RequestQuotaOptions,
): RequestQuota {
  let window = 0;
  let counts = new Map<string, Count>();
  let timer: NodeJS.Timeout | undefined;

  function scheduleSync(): void {
    if (redis === undefined || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      sync(redis, window, counts).catch(() => {});
    }, syncEveryMs).unref();
  }

  function countOf(caller: string): Count {
    const key = counts.size < maxCallers || counts.has(caller) ? caller : 'others';
    let count = counts.get(key);
    if (count === undefined) {
      count = { shared: 0, fresh: 0 };
      counts.set(key, count);
    }
    return count;
  }

  return {
    isOff: perMinute === 0 && anonymousPerMinute === 0,
    take(viewer, ip) {
      const limit = viewer === null ? anonymousPerMinute : perMinute;
      if (limit === 0) return undefined;
      const at = now();
      const current = Math.floor(at / windowMs);
      if (current !== window) {
        window = current;
        counts = new Map();
      }
      const count = countOf(viewer === null ? `ip:${addressKey(ip)}` : `user:${viewer.userId}`);
      const used = count.shared + count.fresh;
      const resetSeconds = Math.max(1, Math.ceil(((current + 1) * windowMs - at) / 1000));
      if (used >= limit) {
        onRefusal?.();
        const refusal = new AppError('RATE_LIMITED', { retryAfterSeconds: resetSeconds });
        return { limit, remaining: 0, resetSeconds, refusal };
      }
      count.fresh += 1;
      scheduleSync();
      return { limit, remaining: limit - used - 1, resetSeconds, refusal: undefined };
    },
  };
}

/** Adds the fresh counts to those in Redis, and takes over the sums. */
async function sync(
  redis: RedisConnections,
  window: number,
  counts: ReadonlyMap<string, Count>,
): Promise<void> {
  const dirty = [...counts].filter(([, { fresh }]) => fresh > 0);
  if (!redis.isReady() || dirty.length === 0) return;
  const pipeline = redis.client.pipeline();
  const sent = dirty.map(([caller, count]) => {
    const key = `sec-tester:requests:${window}:${caller}`;
    pipeline.incrby(key, count.fresh).pexpire(key, 2 * windowMs);
    return { count, fresh: count.fresh };
  });
  const replies = await pipeline.exec();
  sent.forEach(({ count, fresh }, index) => {
    const [error, total] = replies?.[index * 2] ?? [];
    if (error !== null || typeof total !== 'number') return;
    count.shared = total;
    count.fresh -= fresh;
  });
}
