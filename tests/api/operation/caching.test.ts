// What is cached is right on every instance, with Redis and without.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, hasRedis, startTestServer, type TestServer } from '../../kit/harness.js';
import { sleep, until } from '../../kit/live.js';
import { readMetrics, sampleValue } from '../../kit/metrics.js';
import { createRedisProxy, type RedisProxy } from '../../kit/network/redis-proxy.js';
import { createExecution, createPerson, type Person } from '../../kit/seed.js';
import { meWith } from '../../kit/session.js';

(hasRedis ? describe : describe.skip)('two instances', () => {
  let proxy: RedisProxy;
  let one: TestServer;
  let two: TestServer;
  let adminToken: string;
  let analyst: Person;
  let executionId: string;
  beforeAll(async () => {
    proxy = await createRedisProxy(14);
    const shared = { DATABASE_URL: await createTestDatabase(), METRICS: 'true' };
    const keys = { JWT_SIGNING_KEYS: await signingKeys() };
    // Longer than any test: a new name comes by being told of, or not at all.
    const options = { timing: { believeProfileMs: 86_400_000 } };
    one = await startTestServer({ ...shared, ...keys, REDIS_URL: proxy.url }, options);
    two = await startTestServer({ ...shared, ...keys, REDIS_URL: proxy.url }, options);
    adminToken = await one.signIn();
    analyst = await createPerson(one, adminToken, 'ANALYST');
    executionId = await createExecution(one, analyst.token);
  });
  afterAll(async () => {
    await Promise.all([one.close(), two.close()]);
    await proxy.close();
  });

  const nameAt = async (server: TestServer): Promise<string> => {
    const query = 'query($id: ID!) { execution(id: $id) { createdBy { name } } }';
    return (await server.gql(query, { id: executionId }, adminToken)).expectData().execution.createdBy.name;
  };
  const rename = (name: string) =>
    one.change('updateUser', { id: analyst.id, name }, 'user { id }', adminToken);

  it('see a change of the other at once, though both had the old value in their caches', async () => {
    // Messages from before Redis is subscribed to are lost.
    let count = 0;
    await until(async () => {
      count += 1;
      await nameAt(two);
      (await rename(`First ${count}`)).expectData();
      await sleep(50);
      return (await nameAt(two)) === `First ${count}`;
    }, 'the first new name');
    for (let turn = 0; turn < 5; turn += 1) {
      const name = `Name ${turn}`;
      await Promise.all([nameAt(one), nameAt(two)]);
      (await rename(name)).expectData();
      expect(await nameAt(one)).toBe(name);
      await until(async () => (await nameAt(two)) === name, 'the new name on the other instance');
    }
    const samples = await readMetrics(two);
    expect(sampleValue(samples, 'cache_requests_total', { cache: 'user', result: 'hit' })).toBeGreaterThan(0);
  });

  it('are right within the time a value is believed when Redis is away', async () => {
    expect(await meWith(two, analyst.token)).toBe('200');
    proxy.cut();
    try {
      const deactivate = 'mutation($id: ID!) { deactivateUser(id: $id) { user { status } } }';
      (await one.gql(deactivate, { id: analyst.id }, adminToken)).expectData();
      expect(await meWith(one, analyst.token)).toBe('401 TOKEN_REVOKED');
      await until(
        async () => (await meWith(two, analyst.token)) === '401 TOKEN_REVOKED',
        'the end of belief',
      );
    } finally {
      proxy.mend();
    }
  });
});

async function signingKeys(): Promise<string> {
  const { generateSigningKey } = await import('../../../src/infra/credentials/jwt.js');
  return JSON.stringify([await generateSigningKey()]);
}
