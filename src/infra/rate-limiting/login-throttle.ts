// Slows guessing down: failed attempts by key, with a temporary lock that grows. Locks hold across instances (Redis), while
// Redis is away (in the process), and after Redis has lost them (PostgreSQL).
import { createHash } from 'node:crypto';
import pLimit, { type LimitFunction } from 'p-limit';
import { AppError } from '../../core/errors.js';
import type { RedisConnections } from '../redis/connections.js';
import type { PrimaryLink } from '../workers/link.js';
import type { CounterOptions } from './attempt.js';
import { createAttemptCounter, type TakeStep } from './attempt-counter.js';
import type { DurableLocks } from './durable-locks.js';

export { lockMemorySeconds, longestLockSeconds } from './attempt-counter.js';

/** The rules of a throttle. */
export interface LoginThrottleOptions extends CounterOptions {
  /** Attempts that may wait for others with the same key. */
  queueMax: number;
  /** Where locks are kept when Redis loses them. */
  locks: DurableLocks;
  /** Called for every attempt that meets a lock or a full queue. */
  onRefusal?: (() => void) | undefined;
}

/** A throttle of attempts. */
export interface LoginThrottle {
  /**
   * One attempt. It counts from its beginning: of any number at once, no more get through than failures are allowed; the
   * others wait for their outcome. Success resets; INVALID_CREDENTIALS is a failure; any other error is neither.
   * @param work gets whether the attempt is allowed; if not, it must fail exactly as a wrong guess does
   * @param onLock called after a failure that locked the key, before the failure is reported
   * @throws UNAVAILABLE when too many wait
   */
  attempt<T>(
    account: string,
    work: (isAllowed: boolean) => Promise<T>,
    onLock?: () => Promise<void>,
  ): Promise<T>;
  /** Lifts a lock and forgets the failures: the owner has proved the ownership in another way. */
  lift(account: string): Promise<void>;
}

const waitMs = 25;
const longestWaitMs = 10_000;

/** Creates a throttle. */
export function createLoginThrottle(
  shared: RedisConnections | PrimaryLink | undefined,
  options: LoginThrottleOptions,
): LoginThrottle {
  const { maxFailures, queueMax, locks, onRefusal } = options;
  const take = createAttemptCounter(shared, options);
  const gates = new Map<string, LimitFunction>();
  let waiting = 0;
  return {
    async attempt(account, work, onLock) {
      const key = keyOf(account);
      if (waiting >= queueMax) {
        onRefusal?.();
        throw new AppError('UNAVAILABLE', { retryAfterSeconds: 5 });
      }
      const gate = gates.get(key) ?? pLimit(maxFailures);
      gates.set(key, gate);
      waiting += 1;
      try {
        return await gate(() => {
          waiting -= 1;
          return run(options, take, key, work, onLock);
        });
      } finally {
        if (gate.activeCount + gate.pendingCount === 0) gates.delete(key);
      }
    },
    async lift(account) {
      const key = keyOf(account);
      await take(key, 'proved');
      await locks.lift(key);
    },
  };
}

function keyOf(account: string): string {
  return createHash('sha256').update(account).digest('base64url');
}

async function run<T>(
  { now, locks, onRefusal }: LoginThrottleOptions,
  take: TakeStep,
  key: string,
  work: (isAllowed: boolean) => Promise<T>,
  onLock?: () => Promise<void>,
): Promise<T> {
  // Also where a lock is met already: every attempt costs the same statements.
  const stored = await locks.read(key);
  const isEntered = await enter(take, key);
  let step: 'proved' | 'failed' | 'left' = 'left';
  try {
    if (!isEntered || (stored !== undefined && stored.lockedUntil > now())) {
      onRefusal?.();
      return await work(false);
    }
    const result = await work(true);
    step = 'proved';
    if (stored !== undefined) await locks.lift(key);
    return result;
  } catch (error) {
    if (error instanceof AppError && error.code === 'INVALID_CREDENTIALS') step = 'failed';
    throw error;
  } finally {
    if (isEntered) await leave(take, locks, now, key, step, onLock);
  }
}

async function leave(
  take: TakeStep,
  locks: DurableLocks,
  now: () => number,
  key: string,
  step: 'proved' | 'failed' | 'left',
  onLock?: () => Promise<void>,
): Promise<void> {
  const { lockedUntil, failed } = await take(key, step);
  if (step !== 'failed' || lockedUntil <= now()) return;
  await locks.write(key, { failed, lockedUntil });
  await onLock?.();
}

/** Waits while attempts in progress use up what is left: they end in a lock, or make room. */
async function enter(take: TakeStep, key: string): Promise<boolean> {
  for (let waited = 0; waited < longestWaitMs; waited += waitMs) {
    const { answer } = await take(key, 'enter');
    if (answer !== 'busy') return answer === 'ok';
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  throw new AppError('UNAVAILABLE', { retryAfterSeconds: 5 });
}
