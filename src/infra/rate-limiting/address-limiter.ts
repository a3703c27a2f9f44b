// Counts attempts by address, atomically: in Redis for all instances, or in the process while Redis is away.
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../../core/errors.js';
import type { RedisConnections } from '../redis/connections.js';
import { addressKey, addressRangeKey } from './address-key.js';

interface LimiterOptions {
  /** Names the counter. */
  name: string;
  /** Attempts that are allowed in a window. */
  points: number;
  windowSeconds: number;
  /** Called for every attempt that is refused. */
  onRefusal?: (() => void) | undefined;
}

/** An atomic counter. */
export interface RateLimiter {
  /** Counts one attempt, atomically. @throws RATE_LIMITED with the seconds until the window ends */
  consume(key: string): Promise<void>;
  /** Takes one attempt back, because it was not a guess. */
  refund(key: string): Promise<void>;
}

/** Creates a counter. All instances share it through Redis; while Redis is down each counts for itself. */
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
      await limiter.reward(key).catch(() => {}); // the window ends soon anyway
    },
  };
}

/** The attempts of a range of addresses, in multiples of those of one address: a range is as cheap to rent as an address. */
export const rangeFactor = 4;

/** Unproven attempts by address and by range of addresses. */
export interface AddressBudget {
  /**
   * Counts one attempt.
   * @returns gives the attempt back, for a caller that proved not to be guessing
   * @throws RATE_LIMITED
   */
  spend(ip: string | null | undefined): Promise<() => Promise<void>>;
}

/** Creates a budget of attempts by address; see {@link AddressBudget}. */
export function createAddressBudget(
  redis: RedisConnections | undefined,
  { name, points, windowSeconds, onRefusal }: LimiterOptions,
): AddressBudget {
  const addresses = createRateLimiter(redis, {
    name: `${name}-address`,
    points,
    windowSeconds,
    onRefusal,
  });
  const ranges = createRateLimiter(redis, {
    name: `${name}-range`,
    points: points * rangeFactor,
    windowSeconds,
    onRefusal,
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
