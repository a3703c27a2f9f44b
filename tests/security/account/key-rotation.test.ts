// Keys that sign tokens are replaced while the service is used: no request fails while both are known, and afterwards the
// old one is worth nothing. ASVS 5.0: 13.3.4, 9.1.3.
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, expect, it } from '@jest/globals';
import { decodeProtectedHeader } from 'jose';
import { createTestDatabase, startTestServer, type TestServer } from '../../kit/harness.js';
import { meWith, openSession, refresh, type Tokens } from '../../kit/session.js';

const keyOf = (kid: string) => ({
  ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }),
  kid,
});
const [old, fresh] = [keyOf('old'), keyOf('fresh')];

const running: TestServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});

/** Instances on one database, one per list of keys. */
async function instances(...keys: object[][]): Promise<TestServer[]> {
  const DATABASE_URL = await createTestDatabase();
  for (const list of keys)
    running.push(await startTestServer({ DATABASE_URL, JWT_SIGNING_KEYS: JSON.stringify(list) }));
  return [...running];
}

const kidOf = (token: string) => decodeProtectedHeader(token).kid;

it('no request fails while instances change over one by one, as docs/security.md describes', async () => {
  // What a rolling change runs side by side: publish the new key, then sign with it, then drop the old one.
  const [before, published, signing] = (await instances([old], [old, fresh], [fresh, old])) as [
    ...[TestServer, TestServer, TestServer],
  ];
  // First step: only instances of [old] and [old, fresh] run.
  const first = [await openSession(before), await openSession(published)];
  for (const { accessToken } of first) {
    expect(kidOf(accessToken)).toBe('old');
    for (const server of [before, published]) expect(await meWith(server, accessToken)).toBe('200');
  }
  // Second step: [old, fresh] beside [fresh, old]. Every token of either is good at both, and refreshes at both.
  const failures: string[] = [];
  const pair = [published, signing];
  const workers = [...first, await openSession(signing)].map(async (start, worker) => {
    let tokens: Tokens = start;
    for (let round = 0; round < 10; round += 1) {
      for (const server of pair) {
        const outcome = await meWith(server, tokens.accessToken);
        if (outcome !== '200') failures.push(outcome);
      }
      const answer = await refresh(pair[(worker + round) % 2] as TestServer, tokens.refreshToken);
      if (answer.status === 200) tokens = answer.body;
      else failures.push(`refresh ${answer.status}`);
    }
    return tokens;
  });
  const last = await Promise.all(workers);
  expect(failures).toEqual([]);
  // Whoever refreshes at an instance that signs with the new key has a token of it.
  for (const { refreshToken } of last) {
    const { accessToken } = (await refresh(signing, refreshToken)).body as Tokens;
    expect(kidOf(accessToken)).toBe('fresh');
  }
});

it('a retired key is worth nothing, at any endpoint; the sessions go on with tokens of the new one', async () => {
  const [both, alone] = (await instances([fresh, old], [fresh])) as [TestServer, TestServer];
  const [oldOnly] = [
    await startTestServer({ DATABASE_URL: both.databaseUrl, JWT_SIGNING_KEYS: JSON.stringify([old]) }),
  ];
  running.push(oldOnly);
  const aged = await openSession(oldOnly);
  expect(await meWith(both, aged.accessToken)).toBe('200');
  expect(await meWith(alone, aged.accessToken)).toBe('401 UNAUTHENTICATED');
  expect((await refresh(alone, aged.refreshToken)).status).toBe(401);
  const renewed = (await refresh(both, aged.refreshToken)).body as Tokens;
  expect(await meWith(alone, renewed.accessToken)).toBe('200');
});

it('the public keys are published, private parts are not', async () => {
  const [server] = (await instances([fresh, old])) as [TestServer];
  const { body, headers } = await server.rest('GET', '/.well-known/jwks.json');
  expect(body.keys.map(({ kid }: { kid: string }) => kid)).toEqual(['fresh', 'old']);
  expect(JSON.stringify(body)).not.toContain('"d"');
  expect(headers.get('cache-control')).toContain('max-age=');
});
