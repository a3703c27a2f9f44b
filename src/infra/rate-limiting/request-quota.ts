// The number of requests that a caller may make in a minute. Each instance counts in the process, which costs no round trip;
// instances add up their counts through Redis twice a second, and workers through their primary fifty times.
import { AppError } from '../../core/errors.js';
import type { RedisConnections } from '../redis/connections.js';
import type { PrimaryLink } from '../workers/link.js';
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
  /** Counts one request of a user or SCIM token, by its id, or (null) of an address; undefined where there is no limit. */
  take(callerId: string | null, ip: string | null): Allowance | undefined;
}

interface Count {
  /** The count of all processes when it was last read. */
  shared: number;
  /** Requests counted here since. */
  fresh: number;
}

const windowMs = requestWindowSeconds * 1000;
const syncEveryMs = 500;
/** The primary is as near as the process itself. */
const syncWithPrimaryEveryMs = 20;
/** Callers in a window that are counted one by one; further ones share one count. */
const maxCallers = 200_000;

/** Creates the quota. Where nothing is shared, or while it is away, each process counts for itself. */
export function createRequestQuota(
  shared: RedisConnections | PrimaryLink | undefined,
  { perMinute, anonymousPerMinute, now, onRefusal }: RequestQuotaOptions,
): RequestQuota {
  let window = 0;
  let counts = new Map<string, Count>();
  let timer: NodeJS.Timeout | undefined;

  function scheduleSync(): void {
    if (shared === undefined || timer !== undefined) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        sync(shared, window, counts).catch(() => {});
      },
      'ask' in shared ? syncWithPrimaryEveryMs : syncEveryMs,
    ).unref();
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
    take(callerId, ip) {
      const limit = callerId === null ? anonymousPerMinute : perMinute;
      if (limit === 0) return undefined;
      const at = now();
      const current = Math.floor(at / windowMs);
      if (current !== window) {
        window = current;
        counts = new Map();
      }
      const count = countOf(callerId === null ? `ip:${addressKey(ip)}` : `user:${callerId}`);
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

/** Adds the fresh counts to the shared ones, and takes over the sums. */
async function sync(
  shared: RedisConnections | PrimaryLink,
  window: number,
  counts: ReadonlyMap<string, Count>,
): Promise<void> {
  const fresh: Record<string, number> = {};
  for (const [caller, count] of counts) if (count.fresh > 0) fresh[caller] = count.fresh;
  if (Object.keys(fresh).length === 0) return;
  const sums =
    'ask' in shared
      ? await shared.ask('addRequests', window, fresh)
      : await addInRedis(shared, window, Object.entries(fresh));
  for (const [caller, sum] of Object.entries(sums)) {
    const count = counts.get(caller);
    if (count === undefined) continue;
    count.shared = sum;
    count.fresh -= fresh[caller] ?? 0;
  }
}

/** @returns the sums of the callers that could be counted */
async function addInRedis(
  redis: RedisConnections,
  window: number,
  fresh: readonly (readonly [string, number])[],
): Promise<Record<string, number>> {
  if (!redis.isReady()) return {};
  const pipeline = redis.client.pipeline();
  for (const [caller, count] of fresh) {
    const key = `sec-tester:requests:${window}:${caller}`;
    pipeline.incrby(key, count).pexpire(key, 2 * windowMs);
  }
  const replies = await pipeline.exec();
  const sums: Record<string, number> = {};
  fresh.forEach(([caller], index) => {
    const [error, sum] = replies?.[index * 2] ?? [];
    if (error === null && typeof sum === 'number') sums[caller] = sum;
  });
  return sums;
}
