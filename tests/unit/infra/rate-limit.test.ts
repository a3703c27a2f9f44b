// Counters for limits: within a process, shared through Redis, and while Redis is away.
import { afterEach, describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import type { AppError } from '../../../src/core/errors.js';
import { defaultTiming } from '../../../src/core/timeouts.js';
import { createRateLimiter } from '../../../src/infra/rate-limiting/address-limiter.js';
import { createRedis } from '../../../src/infra/redis/connections.js';
import { hasRedis } from '../../kit/harness.js';
import { until } from '../../kit/live.js';

const log = pino({ level: 'silent' });
const patient = { ...defaultTiming, redisAnswerMs: 60_000, redisSilenceMs: 60_000 };
const closers: (() => Promise<void>)[] = [];
afterEach(() => Promise.all(closers.splice(0).map((close) => close())));

function connect(url: string) {
  const redis = createRedis(url, log, undefined, patient);
  closers.push(redis.close);
  return redis;
}

const options = (name: string) => ({ name, points: 3, windowSeconds: 60 });
/** How many of so many attempts are let through, and how the others are refused. */
async function attempt(limiters: { consume: (key: string) => Promise<void> }[], times: number, key = 'k') {
  const refusals: AppError[] = [];
  await Promise.all(
    Array.from({ length: times }, (_, index) =>
      limiters[index % limiters.length]?.consume(key).catch((error: AppError) => refusals.push(error)),
    ),
  );
  return { passed: times - refusals.length, refusals };
}

describe('a counter within the process', () => {
  it('lets so many through in a window, and says when it ends', async () => {
    const { passed, refusals } = await attempt([createRateLimiter(undefined, options('one'))], 10);
    expect(passed).toBe(3);
    for (const { code, retryAfterSeconds } of refusals) {
      expect(code).toBe('RATE_LIMITED');
      expect(retryAfterSeconds).toBeGreaterThan(0);
      expect(retryAfterSeconds).toBeLessThanOrEqual(60);
    }
  });

  it('counts each key for itself and gives back what the caller asks for', async () => {
    const limiter = createRateLimiter(undefined, options('two'));
    expect((await attempt([limiter], 5, 'a')).passed).toBe(3);
    expect((await attempt([limiter], 5, 'b')).passed).toBe(3);
    for (let times = 0; times < 4; times += 1) await limiter.refund('a');
    expect((await attempt([limiter], 5, 'a')).passed).toBe(2);
    expect((await attempt([limiter], 5, 'b')).passed).toBe(0);
    await expect(limiter.refund('never seen')).resolves.toBeUndefined();
  });
});

(hasRedis ? describe : describe.skip)('a counter in Redis', () => {
  it('is one for all instances, also for attempts at the same time', async () => {
    const name = `shared-${process.pid}-${Date.now()}`;
    const url = process.env.TEST_REDIS_URL as string;
    const connections = [connect(url), connect(url)];
    await until(() => connections.every(({ isReady }) => isReady()), 'Redis');
    const limiters = connections.map((redis) => createRateLimiter(redis, options(name)));
    expect((await attempt(limiters, 20)).passed).toBe(3);
    for (let times = 0; times < 18; times += 1) await limiters[0]?.refund('k');
    expect((await attempt(limiters, 20)).passed).toBe(1);
  });

  it('does not open up when Redis is away: each instance counts for itself', async () => {
    const limiter = createRateLimiter(connect('redis://127.0.0.1:1'), options('alone'));
    expect((await attempt([limiter], 10)).passed).toBe(3);
    for (let times = 0; times < 8; times += 1) await limiter.refund('k');
    expect((await attempt([limiter], 10)).passed).toBe(1);
  });
});
