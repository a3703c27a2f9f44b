// Atomic counters shared by all instances (Redis) or within the process; the latter also insures against Redis's loss.
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../core/errors.js';
import type { RedisConnections } from './redis.js';

interface LimiterOptions {
  /** Names the counter. */
  name: string;
  /** How many are let through in a window. */
  points: number;
  windowSeconds: number;
}

/** A counter as the services see it. */
export interface RateLimiter {
  /** Counts one attempt, atomically. @throws RATE_LIMITED with the seconds until the window ends */
  consume(key: string): Promise<void>;
  /** Forgets what was counted. */
  reset(key: string): Promise<void>;
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
        throw new AppError('RATE_LIMITED', {
          retryAfterSeconds: Math.max(1, Math.ceil(refusal.msBeforeNext / 1000)),
        });
      }
    },
    async reset(key) {
      await Promise.allSettled([limiter.delete(key), memory.delete(key)]);
    },
  };
}
