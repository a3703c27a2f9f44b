// What workers of one server share through their primary: calls in both directions, exact counts, messages.
import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import type { AppError } from '../../../src/core/errors.js';
import { createRateLimiter } from '../../../src/infra/rate-limiting/address-limiter.js';
import { createAttemptCounter } from '../../../src/infra/rate-limiting/attempt-counter.js';
import { createRequestQuota } from '../../../src/infra/rate-limiting/request-quota.js';
import { createEvents } from '../../../src/infra/redis/message-bus.js';
import { createSharedCounters } from '../../../src/infra/workers/counters.js';
import { type Channel, createPeer, type Functions } from '../../../src/infra/workers/ipc.js';
import type { PrimaryLink } from '../../../src/infra/workers/link.js';
import { until } from '../../kit/live.js';

/** Both ends of a channel; what goes through it is JSON, as between processes. */
function channels(): [Channel, Channel] {
  const ends = [new EventEmitter(), new EventEmitter()] as const;
  const end = (own: EventEmitter, other: EventEmitter): Channel => ({
    send(message, done) {
      const text = JSON.stringify(message);
      setImmediate(() => {
        other.emit('message', JSON.parse(text));
        done(null);
      });
    },
    receive: (handler) => void own.on('message', handler),
  });
  return [end(ends[0], ends[1]), end(ends[1], ends[0])];
}

/** Workers of one primary, each with a bus of its own. */
function workers(count: number): PrimaryLink[] {
  const counters = createSharedCounters();
  const buses = Array.from({ length: count }, () => new EventEmitter());
  return buses.map((bus, index) => {
    const [own, primary] = channels();
    createPeer(primary, {
      ...counters,
      publish(topic: string, message: unknown) {
        for (const other of buses) if (other !== buses[index]) other.emit(topic, message);
      },
    } as Functions);
    const { ask, tell } = createPeer<never>(own, {}) as unknown as PrimaryLink;
    return {
      ...{ ask, tell, database: { url: '', isShared: false }, onMetrics: () => {} },
      workers: () => ({ configured: count, running: count }),
      messages: {
        publish: async (topic, message) => tell('publish', topic, message),
        subscribe: async (topic, handler) => bus.on(topic, handler).listenerCount(topic),
      },
    };
  });
}

describe('calls between processes', () => {
  it('are answered with a result or a fault, in any order', async () => {
    const [one, other] = channels();
    const gates = new Map<number, (value: number) => void>();
    createPeer(other, {
      later: (number: number) => new Promise<number>((resolve) => gates.set(number, resolve)),
      fail: () => {
        throw new Error('it is broken');
      },
    });
    const peer = createPeer<{ later: (n: number) => number; fail: () => void; none: () => void }>(one, {});
    const answers = [1, 2].map((number) => peer.ask('later', number));
    await until(() => gates.size === 2, 'both calls');
    gates.get(2)?.(20);
    gates.get(1)?.(10);
    expect(await Promise.all(answers)).toEqual([10, 20]);
    await expect(peer.ask('fail')).rejects.toThrow('it is broken');
    await expect(peer.ask('none')).rejects.toThrow('there is no none');
  });

  it('fail at once where the channel is closed, and where the other process takes nothing', async () => {
    const closed = createPeer<{ any: () => void }>(
      { send: (_, done) => done(new Error('closed')), receive: () => {} },
      {},
    );
    await expect(closed.ask('any')).rejects.toThrow('closed');
    expect(() => closed.tell('any')).not.toThrow();
    const stuck = createPeer<{ any: () => void }>({ send: () => {}, receive: () => {} }, {});
    for (let sent = 0; sent < 10_000; sent += 1) stuck.tell('any');
    await expect(stuck.ask('any')).rejects.toThrow('takes no messages');
  });
});

describe('workers', () => {
  it('count attempts by address as one', async () => {
    const limiters = workers(3).map((link) =>
      createRateLimiter(link, { name: 'x', points: 10, windowSeconds: 60 }),
    );
    const refusals: AppError[] = [];
    await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        limiters[index % 3]?.consume('key').catch((error: AppError) => refusals.push(error)),
      ),
    );
    expect(refusals).toHaveLength(20);
    expect(refusals[0]).toMatchObject({ code: 'RATE_LIMITED' });
    await limiters[0]?.refund('key');
    for (let times = 0; times < 21; times += 1) await limiters[1]?.refund('key');
    await expect(limiters[2]?.consume('key')).resolves.toBeUndefined();
  });

  it('count failures by account as one, and meet the lock of the other', async () => {
    const rules = { name: 'login', maxFailures: 3, lockSeconds: 60, now: Date.now };
    const [one, other] = workers(2).map((link) => createAttemptCounter(link, rules));
    if (one === undefined || other === undefined) throw new Error('two workers');
    const fail = async (take: typeof one) => {
      expect((await take('a', 'enter')).answer).toBe('ok');
      return take('a', 'failed');
    };
    await fail(one);
    await fail(other);
    expect((await fail(one)).lockedUntil).toBeGreaterThan(Date.now());
    expect((await other('a', 'enter')).answer).toBe('locked');
    expect((await one('b', 'enter')).answer).toBe('ok');
  });

  it('add up the requests of a caller', async () => {
    const quotas = workers(2).map((link) =>
      createRequestQuota(link, { perMinute: 0, anonymousPerMinute: 10, now: () => 90_000_000 }),
    );
    for (let times = 0; times < 5; times += 1)
      for (const quota of quotas) expect(quota.take(null, '192.0.2.1')?.refusal).toBeUndefined();
    for (const quota of quotas)
      await until(() => quota.take(null, '192.0.2.1')?.refusal?.code === 'RATE_LIMITED', 'a refusal by each');
    expect(quotas[0]?.take(null, '192.0.2.2')?.refusal).toBeUndefined();
  });

  it('go on counting by themselves when the primary does not answer', async () => {
    const [link] = workers(1);
    const lost = { ...link, ask: () => Promise.reject(new Error('gone')) } as unknown as PrimaryLink;
    const limiter = createRateLimiter(lost, { name: 'x', points: 1, windowSeconds: 60 });
    await limiter.consume('key');
    await expect(limiter.consume('key')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    const take = createAttemptCounter(lost, { name: 'x', maxFailures: 1, lockSeconds: 60, now: Date.now });
    await take('a', 'enter');
    expect((await take('a', 'failed')).failed).toBe(1);
    expect((await take('a', 'enter')).answer).toBe('locked');
  });

  it('hear what another one publishes, and their own messages once', async () => {
    const log = pino({ level: 'silent' });
    const buses = workers(3).map((link) => createEvents(undefined, log, link));
    const heard = buses.map((bus) => {
      const messages: string[] = [];
      bus.subscribe('session.ended', ({ sessionId }) => messages.push(sessionId));
      return messages;
    });
    buses[1]?.publish('session.ended', { sessionId: 'one' });
    await until(() => heard.every(({ length }) => length > 0), 'all to hear');
    buses[2]?.publish('session.ended', { sessionId: 'two' });
    await until(() => heard.every((messages) => messages.includes('two')), 'all to hear again');
    expect(heard).toEqual([
      ['one', 'two'],
      ['one', 'two'],
      ['one', 'two'],
    ]);
  });
});
