// Atomic counters shared by all instances (Redis) or within the process; the latter also insures against Redis's loss.
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../../core/errors.js';
import type { RedisConnections } from '../redis/connections.js';
import { addressKey, addressRangeKey } from './address-key.js';

interface LimiterOptions {
  /** Names the counter. */
  name: string;
  /** How many are let through in a window. */
  points: number;
  windowSeconds: number;
  /** Told of every attempt that is refused. */
  onRefusal?: (() => void) | undefined;
}

/** A counter as the services see it. */
export interface RateLimiter {
  /** Counts one attempt, atomically. @throws RATE_LIMITED with the seconds until the window ends */
  consume(key: string): Promise<void>;
  /** Takes one attempt back: it proved to be no guess. */
  refund(key: string): Promise<void>;
}

/** Makes a counter; with Redis all instances share it, and while Redis is down each counts for itself. */
export function createRateLimiter(redis: RedisConnections | undefined, options: LimiterOptions): RateLimiter {
  const settings = {
    keyPrefix: `sec-tester:limit:${options.name}`,
    points: options.points,
    duration: options.windowSeconds,
  };
  const memory = new RateLimiterMemory(settings);
  const limiter =
    redis === undefined
      ? memory
      : new RateLimiterRedis({
          ...settings,
          storeClient: redis.client,
          insuranceLimiter: memory,
          rejectIfRedisNotReady: true,
        });

  return {
    async consume(key) {
      try {
        await limiter.consume(key);
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) throw refusal;
        options.onRefusal?.();
        throw new AppError('RATE_LIMITED', {
          retryAfterSeconds: Math.max(1, Math.ceil(refusal.msBeforeNext / 1000)),
        });
      }
    },
    async refund(key) {
      await limiter.reward(key).catch(() => {}); // the window is over soon
    },
  };
}

/** Addresses in a range share more attempts than each has: a range is as cheap to rent as an address. */
export const rangeFactor = 4;

/** Attempts that are not known to be good, by address and by range of addresses. */
export interface AddressBudget {
  /**
   * Counts one attempt; whoever proves to be no guesser gets it back.
   * @returns how to give it back
   * @throws RATE_LIMITED
   */
  spend(ip: string | null | undefined): Promise<() => Promise<void>>;
}

export function createAddressBudget(
  redis: RedisConnections | undefined,
  { name, points, windowSeconds, onRefusal }: LimiterOptions,
): AddressBudget {
  const addresses = createRateLimiter(redis, {
    ...{ name: `${name}-address`, points, windowSeconds, onRefusal },
  });
  const ranges = createRateLimiter(redis, {
    ...{ name: `${name}-range`, points: points * rangeFactor, windowSeconds, onRefusal },
  });
  return {
    async spend(ip) {
      const address = addressKey(ip);
      const range = addressRangeKey(ip);
      await addresses.consume(address);
      await ranges.consume(range);
      return async () => {
        await Promise.all([addresses.refund(address), ranges.refund(range)]);
      };
    },
  };
}
