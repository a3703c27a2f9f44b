// How many requests each caller makes in a minute. Counting is in the process and costs no round trip; instances
// tell each other their counts through Redis twice a second.

import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { RedisConnections } from '../redis/connections.js';
import { addressKey } from './address-key.js';

/** The length of a window; windows begin with the minute of the clock. */
export const requestWindowSeconds = 60;

interface RequestMeterOptions {
  /** Requests of a user or key in a window; 0 for no limit. */
  perMinute: number;
  /** Requests without sign-in of an address in a window; 0 for no limit. */
  anonymousPerMinute: number;
  now: () => number;
  /** Told of every request that is refused. */
  onRefusal?: (() => void) | undefined;
}

/** Where a caller stands, for the RateLimit headers. */
export interface Allowance {
  limit: number;
  remaining: number;
  resetSeconds: number;
  /** RATE_LIMITED when the request is one too many. */
  refusal: AppError | undefined;
}

interface Count {
  /** What all instances had counted when they last told each other. */
  shared: number;
  /** What was counted here since. */
  fresh: number;
}

export type RequestMeter = ReturnType<typeof createRequestMeter>;

const syncEveryMs = 500;
/** Callers in a window that are counted one by one; those beyond share one count. */
const maxCallers = 200_000;

export function createRequestMeter(
  redis: RedisConnections | undefined,
  { perMinute, anonymousPerMinute, now, onRefusal }: RequestMeterOptions,
) {
  const windowMs = requestWindowSeconds * 1000;
  let window = 0;
  let counts = new Map<string, Count>();
  let timer: NodeJS.Timeout | undefined;

  async function sync(): Promise<void> {
    const dirty = [...counts].filter(([, { fresh }]) => fresh > 0);
    if (redis === undefined || !redis.isReady() || dirty.length === 0) return;
    const pipeline = redis.client.pipeline();
    const told = dirty.map(([caller, count]) => {
      const key = `sec-tester:requests:${window}:${caller}`;
      pipeline.incrby(key, count.fresh).pexpire(key, 2 * windowMs);
      return { count, fresh: count.fresh };
    });
    const answers = await pipeline.exec();
    told.forEach(({ count, fresh }, index) => {
      const [error, total] = answers?.[index * 2] ?? [];
      if (error !== null || typeof total !== 'number') return;
      count.shared = total;
      count.fresh -= fresh;
    });
  }

  function scheduleSync(): void {
    if (redis === undefined || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      sync().catch(() => {}); // without Redis each instance counts for itself
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
    /** Whether nothing is counted at all. */
    isOff: perMinute === 0 && anonymousPerMinute === 0,

    /** Counts one request of a user, a key or (null) an address; undefined where there is no limit. */
    take(viewer: Viewer | null, ip: string | null): Allowance | undefined {
      const limit = viewer === null ? anonymousPerMinute : perMinute;
      if (limit === 0) return undefined;
      const at = now();
      const current = Math.floor(at / windowMs);
      if (current !== window) {
        window = current;
        counts = new Map();
      }
      const caller =
        viewer === null
          ? `ip:${addressKey(ip)}`
          : viewer.apiKeyId
            ? `key:${viewer.apiKeyId}`
            : `user:${viewer.userId}`;
      const count = countOf(caller);
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
