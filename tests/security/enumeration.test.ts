// Attack: telling from the answer whether an account exists, is locked or deactivated. ASVS 5.0: 6.3.8, 6.3.2.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestServer, type TestServer } from '../harness.js';
import { createPerson, password } from '../seed.js';
import { comparable, loginMutation } from '../session-kit.js';

const wrong = 'not the password at all';

describe('a failed sign-in', () => {
  let server: TestServer;
  const cases: Record<string, { email: string; word: string }> = {};
  beforeAll(async () => {
    server = await startTestServer({
      ...{ LOGIN_MAX_FAILURES: '5', LOGIN_LOCK_SECONDS: '900', TRUST_PROXY: '1' },
      RATE_LIMIT_ANONYMOUS_PER_MINUTE: '300',
    });
    const adminToken = await server.signIn();
    const [known, locked, off] = await Promise.all(
      (['VIEWER', 'ANALYST', 'VIEWER'] as const).map((role) => createPerson(server, adminToken, role)),
    );
    if (known === undefined || locked === undefined || off === undefined) throw new Error('no people');
    for (let index = 0; index < 5; index += 1) await rest(locked.email, wrong);
    await server.gql(
      'mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }',
      { id: off.id },
      adminToken,
    );
    const invited = { email: 'invited@people.test', name: 'Invited', role: 'VIEWER' };
    await server.gql(
      'mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } } }',
      { input: invited },
      adminToken,
    );
    Object.assign(cases, {
      unknown: { email: 'nobody@people.test', word: wrong },
      wrong: { email: known.email, word: wrong },
      'locked, wrong': { email: locked.email, word: wrong },
      'locked, right': { email: locked.email, word: password },
      deactivated: { email: off.email, word: password },
      'invited only': { email: invited.email, word: wrong },
    });
  });
  afterAll(() => server.close());

  let addresses = 0;
  const headers = () => {
    addresses += 1;
    return { 'x-forwarded-for': `10.9.${addresses}.1` };
  };
  const rest = (email: string, word: string) =>
    server.rest('POST', '/api/v1/auth/login', { body: { email, password: word }, headers: headers() });
  const gql = (email: string, word: string) =>
    server.gql(loginMutation, { input: { email, password: word } }, undefined, headers());

  it.each([
    ['REST', rest],
    ['GraphQL', gql],
  ])('looks the same whatever its reason, over %s', async (_name, send) => {
    const seen = new Map<string, string>();
    for (const [name, { email, word }] of Object.entries(cases)) {
      seen.set(name, JSON.stringify(comparable(await send(email, word))));
    }
    expect(seen.size).toBe(6);
    expect(new Set(seen.values()).size).toBe(1);
  });

  it.each(['admin', 'password', 'sec-tester', 'changeme'])(
    'is what default accounts get: %s',
    async (word) => {
      for (const email of ['admin@localhost.test', 'admin@example.com'])
        expect((await rest(email, word)).status).toBe(401);
    },
  );
});
