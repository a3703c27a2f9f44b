// The counters that the primary keeps for all workers, by the same rules as a server without workers keeps its own.
import { AppError } from '../../core/errors.js';
import { createRateLimiter, type RateLimiter } from '../rate-limiting/address-limiter.js';
import { createAttemptCounter, type TakeStep } from '../rate-limiting/attempt-counter.js';
import type { AddressLimit, Offered } from './calls.js';

/** Callers in a window that are counted one by one, as in a server without workers. */
const maxCallers = 200_000;

/** Creates the counters. The workers' options make each of them: all have the same. */
export function createSharedCounters(): Pick<Offered, 'attempt' | 'consume' | 'refund' | 'addRequests'> {
  const attempts = new Map<string, TakeStep>();
  const limiters = new Map<string, RateLimiter>();
  let requests = { window: 0, sums: new Map<string, number>() };

  const limiterOf = (limit: AddressLimit) =>
    getOrMake(limiters, limit.name, () => createRateLimiter(undefined, limit));

  return {
    attempt: (options, key, step) =>
      getOrMake(attempts, options.name, () => createAttemptCounter(undefined, { ...options, now: Date.now }))(
        key,
        step,
      ),
    consume: (limit, key) =>
      limiterOf(limit)
        .consume(key)
        .then(
          () => null,
          (refusal: unknown) =>
            refusal instanceof AppError ? (refusal.retryAfterSeconds ?? 1) * 1000 : null,
        ),
    refund: (limit, key) => limiterOf(limit).refund(key),
    addRequests(window, fresh) {
      if (window > requests.window) requests = { window, sums: new Map() };
      const isCurrent = window === requests.window;
      return Object.fromEntries(
        Object.entries(fresh).map(([caller, count]) => {
          const sum = (isCurrent ? (requests.sums.get(caller) ?? 0) : 0) + count;
          if (isCurrent && (requests.sums.has(caller) || requests.sums.size < maxCallers))
            requests.sums.set(caller, sum);
          return [caller, sum];
        }),
      );
    },
  };
}

function getOrMake<Value>(map: Map<string, Value>, name: string, make: () => Value): Value {
  const found = map.get(name) ?? make();
  map.set(name, found);
  return found;
}
