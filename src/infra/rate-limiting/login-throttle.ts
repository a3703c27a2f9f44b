// Guessing made slow: failed attempts by key, with a temporary lock that grows. Atomic over all instances (Redis),
// and within the process while Redis is away.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import pLimit, { type LimitFunction } from 'p-limit';
import { AppError } from '../../core/errors.js';
import type { RedisConnections } from '../redis/connections.js';

/** Longest lock: whoever owns the account must get in again without help. */
export const longestLockSeconds = 15 * 60;
/** After so long without an attempt everything is forgotten. */
export const lockMemorySeconds = 12 * 60 * 60;

interface AttemptLockOptions {
  /** Names the counters. */
  name: string;
  /** Failures that bring the first lock; never more attempts than this are under way at a time. */
  maxFailures: number;
  /** Length of the first lock; each further failure doubles it. */
  lockSeconds: number;
  /** Attempts that may wait for others on the same key. */
  queueMax: number;
  now: () => number;
  /** Told of every attempt that meets a lock or a full queue. */
  onRefusal?: (() => void) | undefined;
}

/** A lock as the services see it. */
export interface AttemptLock {
  /**
   * One attempt. It counts from its beginning, so however many come at once, no more are let through than failures
   * are allowed; the rest wait for the outcome of those. Success resets; INVALID_CREDENTIALS is a failure; any other
   * error is neither.
   * @param work is told whether the attempt is allowed; if not it must fail exactly as a wrong guess does
   * @param onLock called after a failure that locked the key, before the failure is told
   * @throws UNAVAILABLE when too many wait
   */
  attempt<T>(key: string, work: (isAllowed: boolean) => Promise<T>, onLock?: () => Promise<void>): Promise<T>;
}

interface State {
  failed: number;
  pending: number;
  lockedUntil: number;
  at: number;
}

type Step = 'enter' | 'proved' | 'failed' | 'left';
type Answer = 'ok' | 'locked' | 'busy';
interface Taken {
  answer: Answer;
  lockedUntil: number;
}

/** An attempt that was never ended (its instance died) counts no longer. */
const staleMs = 60_000;
const waitMs = 25;
const longestWaitMs = 10_000;

// The same rules as `advance` below.
const script = `
local step, now, max = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local lock, longest, memory, stale = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local s = redis.call('HMGET', KEYS[1], 'failed', 'pending', 'lockedUntil', 'at')
local failed, pending, lockedUntil, at = tonumber(s[1]) or 0, tonumber(s[2]) or 0, tonumber(s[3]) or 0, tonumber(s[4]) or 0
if now - at >= memory then failed, pending, lockedUntil = 0, 0, 0 end
if now - at >= stale then pending = 0 end
if step == 'enter' then
  if lockedUntil > now then return {'locked', failed, lockedUntil} end
  if pending > 0 and failed + pending >= max then return {'busy', failed, lockedUntil} end
  pending = pending + 1
else
  pending = math.max(0, pending - 1)
  if step == 'proved' then failed, lockedUntil = 0, 0 end
  if step == 'failed' then
    failed = failed + 1
    if failed >= max then lockedUntil = now + math.min(lock * 2 ^ math.min(failed - max, 30), longest) end
  end
end
if failed + pending == 0 then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'failed', failed, 'pending', pending, 'lockedUntil', lockedUntil, 'at', now)
  redis.call('PEXPIRE', KEYS[1], memory)
end
return {'ok', failed, lockedUntil}
`;

export function createAttemptLock(
  redis: RedisConnections | undefined,
  { name, maxFailures, lockSeconds, queueMax, now, onRefusal }: AttemptLockOptions,
): AttemptLock {
  const memoryMs = lockMemorySeconds * 1000;
  const lockMs = lockSeconds * 1000;
  const longestMs = Math.max(longestLockSeconds * 1000, lockMs);
  // What this instance knows: all there is without Redis, and what it goes on with when Redis is lost.
  const known = new LRUCache<string, State>({ max: 100_000 });
  const gates = new Map<string, LimitFunction>();
  let waiting = 0;

  function advance(key: string, step: Step): Taken {
    const at = now();
    const before = known.get(key) ?? { failed: 0, pending: 0, lockedUntil: 0, at };
    let { failed, pending, lockedUntil } = before;
    if (at - before.at >= memoryMs) failed = pending = lockedUntil = 0;
    if (at - before.at >= staleMs) pending = 0;
    if (step === 'enter') {
      if (lockedUntil > at) return { answer: 'locked', lockedUntil };
      if (pending > 0 && failed + pending >= maxFailures) return { answer: 'busy', lockedUntil };
      pending += 1;
    } else {
      pending = Math.max(0, pending - 1);
      if (step === 'proved') failed = lockedUntil = 0;
      if (step === 'failed') {
        failed += 1;
        const isFull = failed >= maxFailures;
        if (isFull) lockedUntil = at + Math.min(lockMs * 2 ** Math.min(failed - maxFailures, 30), longestMs);
      }
    }
    if (failed + pending === 0) known.delete(key);
    else known.set(key, { failed, pending, lockedUntil, at });
    return { answer: 'ok', lockedUntil };
  }

  async function take(key: string, step: Step): Promise<Taken> {
    if (redis?.isReady() !== true) return advance(key, step);
    const at = now();
    try {
      const [answer, failed, lockedUntil] = (await redis.client.eval(
        script,
        1,
        `sec-tester:attempts:${name}:${key}`,
        ...[step, at, maxFailures, lockMs, longestMs, memoryMs, staleMs],
      )) as [Answer, number, number];
      if (failed === 0) known.delete(key);
      else known.set(key, { failed, pending: 0, lockedUntil, at });
      return { answer, lockedUntil };
    } catch {
      return advance(key, step);
    }
  }

  /** Waits while attempts under way use up what is left; they end in a lock, or make room. */
  async function enter(key: string): Promise<boolean> {
    for (let waited = 0; waited < longestWaitMs; waited += waitMs) {
      const { answer } = await take(key, 'enter');
      if (answer !== 'busy') return answer === 'ok';
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
    throw new AppError('UNAVAILABLE', { retryAfterSeconds: 5 });
  }

  async function run<T>(
    key: string,
    work: (isAllowed: boolean) => Promise<T>,
    onLock?: () => Promise<void>,
  ): Promise<T> {
    if (!(await enter(key))) {
      onRefusal?.();
      return work(false);
    }
    let step: Step = 'left';
    try {
      const result = await work(true);
      step = 'proved';
      return result;
    } catch (error) {
      if (error instanceof AppError && error.code === 'INVALID_CREDENTIALS') step = 'failed';
      throw error;
    } finally {
      const { lockedUntil } = await take(key, step);
      if (step === 'failed' && lockedUntil > now()) await onLock?.();
    }
  }

  return {
    async attempt(account, work, onLock) {
      const key = createHash('sha256').update(account).digest('base64url');
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
          return run(key, work, onLock);
        });
      } finally {
        if (gate.activeCount + gate.pendingCount === 0) gates.delete(key);
      }
    },
  };
}
