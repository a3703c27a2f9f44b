// The event bus: within a process, and between two instances through Redis.
import { afterEach, describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { defaultTiming } from '../../../src/core/timeouts.js';
import { createRedis } from '../../../src/infra/redis/connections.js';
import { createEvents } from '../../../src/infra/redis/message-bus.js';
import { hasRedis } from '../../kit/harness.js';
import { until } from '../../kit/live.js';

const log = pino({ level: 'silent' });
const closers: (() => Promise<void>)[] = [];
afterEach(() => Promise.all(closers.splice(0).map((close) => close())));

/** An instance on the test's Redis. */
function instance() {
  const patient = { ...defaultTiming, redisAnswerMs: 60_000, redisSilenceMs: 60_000 };
  const redis = createRedis(process.env.TEST_REDIS_URL as string, log, undefined, patient);
  closers.push(redis.close);
  return createEvents(redis, log);
}

describe('the event bus of one process', () => {
  it('calls every handler of the topic at once, until it is stopped', () => {
    const events = createEvents(undefined, log);
    const heard: string[] = [];
    const stop = events.subscribe('user.changed', ({ userId }) => heard.push(`a ${userId}`));
    events.subscribe('user.changed', ({ userId }) => heard.push(`b ${userId}`));
    events.subscribe('session.ended', ({ sessionId }) => heard.push(`s ${sessionId}`));
    events.publish('user.changed', { userId: '1' });
    expect(heard).toEqual(['a 1', 'b 1']);
    stop();
    events.publish('user.changed', { userId: '2' });
    events.publish('session.ended', { sessionId: '3' });
    expect(heard.slice(2)).toEqual(['b 2', 's 3']);
  });

  it('lets a handler that throws harm neither the others nor the sender', () => {
    const events = createEvents(undefined, log);
    const heard: string[] = [];
    events.subscribe('user.changed', () => {
      throw new Error('on purpose');
    });
    events.subscribe('user.changed', ({ userId }) => heard.push(userId));
    expect(() => events.publish('user.changed', { userId: '1' })).not.toThrow();
    expect(heard).toEqual(['1']);
  });
});

(hasRedis ? describe : describe.skip)('the event bus of two instances', () => {
  it('brings what the other says, and its own messages only once', async () => {
    const [here, there] = [instance(), instance()];
    const heard = { here: [] as number[], there: [] as number[] };
    here.subscribe('execution.changed', ({ number }) => heard.here.push(number));
    there.subscribe('execution.changed', ({ number }) => heard.there.push(number));
    // Subscribing takes a moment, and nobody is told when it is done.
    await until(() => {
      here.publish('execution.changed', { executionId: 'e', number: 0 });
      return heard.there.length > 0;
    }, 'the subscription');
    heard.here.length = 0;
    for (let number = 1; number <= 50; number += 1)
      here.publish('execution.changed', { executionId: 'e', number });
    await until(() => heard.there.includes(50), 'the last one');
    const expected = Array.from({ length: 50 }, (_, index) => index + 1);
    expect(heard.here).toEqual(expected);
    expect(heard.there.filter((number) => number > 0)).toEqual(expected);
  });

  it('goes on within the process when Redis is away', async () => {
    const redis = createRedis('redis://127.0.0.1:1', log);
    closers.push(redis.close);
    const events = createEvents(redis, log);
    const heard: string[] = [];
    events.subscribe('key.ended', ({ apiKeyId }) => heard.push(apiKeyId));
    events.publish('key.ended', { apiKeyId: 'k' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).toEqual(['k']);
  });
});
