// Counts attempts by address, atomically: in Redis for all instances, in the primary for all workers of a server, or in the process
// while those are away.
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../../core/errors.js';
import type { RedisConnections } from '../redis/connections.js';
import type { PrimaryLink } from '../workers/link.js';
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

/** Creates a counter. All instances share it through Redis, or workers through their primary; else each counts for itself. */
export function createRateLimiter(
  shared: RedisConnections | PrimaryLink | undefined,
  options: LimiterOptions,
): RateLimiter {
  const settings = {
    keyPrefix: `sec-tester:limit:${options.name}`,
    points: options.points,
    duration: options.windowSeconds,
  };
  const memory = new RateLimiterMemory(settings);
  const limiter =
    shared === undefined
      ? memory
      : 'ask' in shared
        ? limiterOfPrimary(shared, options, memory)
        : new RateLimiterRedis({
            ...settings,
            storeClient: shared.client,
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

function limiterOfPrimary(
  primary: PrimaryLink,
  { name, points, windowSeconds }: LimiterOptions,
  insurance: RateLimiterMemory,
): Pick<RateLimiterMemory, 'consume' | 'reward'> {
  const limit = { name, points, windowSeconds };
  return {
    async consume(key) {
      const leftMs = await primary.ask('consume', limit, String(key)).catch(() => undefined);
      if (leftMs === undefined) return insurance.consume(key);
      const outcome = new RateLimiterRes(0, leftMs ?? 0);
      if (leftMs !== null) throw outcome;
      return outcome;
    },
    async reward(key) {
      await primary.ask('refund', limit, String(key));
      return new RateLimiterRes();
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
  shared: RedisConnections | PrimaryLink | undefined,
  { name, points, windowSeconds, onRefusal }: LimiterOptions,
): AddressBudget {
  const addresses = createRateLimiter(shared, {
    name: `${name}-address`,
    points,
    windowSeconds,
    onRefusal,
  });
  const ranges = createRateLimiter(shared, {
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
