// Counts failed attempts by key, with a lock that grows: atomic over all instances through Redis or over the workers of a server
// in its primary, and within the process while those are away. When a lock must outlive Redis is login-throttle.ts's concern.
import { LRUCache } from 'lru-cache';
import { entryLimit } from '../entry-limit.js';
import type { RedisConnections } from '../redis/connections.js';
import type { PrimaryLink } from '../workers/link.js';
import type { CounterOptions, Step, Taken } from './attempt.js';

/** Longest lock: the owner of an account must get in again without help. */
export const longestLockSeconds = 15 * 60;
/** After this time without an attempt, everything is forgotten. */
export const lockMemorySeconds = 12 * 60 * 60;

interface State {
  failed: number;
  pending: number;
  lockedUntil: number;
  at: number;
}

/** An attempt that never ended (its instance died) counts no longer. */
const staleMs = 60_000;

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

/** Takes a step of an attempt with a key. */
export type TakeStep = (key: string, step: Step) => Promise<Taken>;

/** Creates the counters of a name. */
export function createAttemptCounter(
  shared: RedisConnections | PrimaryLink | undefined,
  options: CounterOptions,
): TakeStep {
  const { maxFailures, lockSeconds, now } = options;
  const lockMs = lockSeconds * 1000;
  const longestMs = Math.max(longestLockSeconds * 1000, lockMs);
  // All that this process has when nothing is shared, and what it continues with when that is lost.
  const states = new LRUCache<string, State>(entryLimit(100_000));
  const rules = { maxFailures, lockMs, longestMs, memoryMs: lockMemorySeconds * 1000 };
  return async (key, step) => {
    const at = now();
    try {
      const taken = await takeShared(shared, options, rules, key, step, at);
      if (taken === undefined) return advance(states, rules, key, step, at);
      const { failed, lockedUntil } = taken;
      if (failed === 0) states.delete(key);
      else states.set(key, { failed, pending: 0, lockedUntil, at });
      return taken;
    } catch {
      return advance(states, rules, key, step, at);
    }
  };
}

/** Takes a step where others see it; undefined where there is no such place at the moment. */
async function takeShared(
  shared: RedisConnections | PrimaryLink | undefined,
  { name, maxFailures, lockSeconds }: CounterOptions,
  { lockMs, longestMs, memoryMs }: Rules,
  key: string,
  step: Step,
  at: number,
): Promise<Taken | undefined> {
  if (shared === undefined) return undefined;
  if ('ask' in shared) return shared.ask('attempt', { name, maxFailures, lockSeconds }, key, step);
  if (!shared.isReady()) return undefined;
  const [answer, failed, lockedUntil] = (await shared.client.eval(
    script,
    1,
    `sec-tester:attempts:${name}:${key}`,
    ...[step, at, maxFailures, lockMs, longestMs, memoryMs, staleMs],
  )) as [Taken['answer'], number, number];
  return { answer, lockedUntil, failed };
}

interface Rules {
  maxFailures: number;
  lockMs: number;
  longestMs: number;
  memoryMs: number;
}

function advance(
  states: LRUCache<string, State>,
  { maxFailures, lockMs, longestMs, memoryMs }: Rules,
  key: string,
  step: Step,
  at: number,
): Taken {
  const before = states.get(key) ?? { failed: 0, pending: 0, lockedUntil: 0, at };
  let { failed, pending, lockedUntil } = before;
  if (at - before.at >= memoryMs) failed = pending = lockedUntil = 0;
  if (at - before.at >= staleMs) pending = 0;
  if (step === 'enter') {
    if (lockedUntil > at) return { answer: 'locked', lockedUntil, failed };
    if (pending > 0 && failed + pending >= maxFailures) return { answer: 'busy', lockedUntil, failed };
    pending += 1;
  } else {
    pending = Math.max(0, pending - 1);
    if (step === 'proved') failed = lockedUntil = 0;
    if (step === 'failed') {
      failed += 1;
      if (failed >= maxFailures)
        lockedUntil = at + Math.min(lockMs * 2 ** Math.min(failed - maxFailures, 30), longestMs);
    }
  }
  if (failed + pending === 0) states.delete(key);
  else states.set(key, { failed, pending, lockedUntil, at });
  return { answer: 'ok', lockedUntil, failed };
}
