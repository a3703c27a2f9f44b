// Attack: telling from the answer, or from the work behind it, whether an account exists, is locked or deactivated.
// ASVS 5.0: 6.3.8, 6.3.2, 16.3.1. Times are measured by bench/enumeration.mjs.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startTestServer, type TestServer } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { createPerson, password } from '../../kit/seed.js';
import { comparable, loginMutation } from '../../kit/session.js';

const wrong = 'not the password at all';

describe('a failed sign-in', () => {
  let server: TestServer;
  let adminToken: string;
  const cases: Record<string, { email: string; word: string }> = {};
  beforeAll(async () => {
    server = await startTestServer({
      ...{ LOGIN_MAX_FAILURES: '5', LOGIN_LOCK_SECONDS: '900', TRUST_PROXY: '1' },
      RATE_LIMIT_ANONYMOUS_PER_MINUTE: '300',
    });
    adminToken = await server.signIn();
    const [known, locked, off] = await Promise.all(
      (['VIEWER', 'ANALYST', 'VIEWER'] as const).map((role) => createPerson(server, adminToken, role)),
    );
    if (known === undefined || locked === undefined || off === undefined) throw new Error('no people');
    for (let index = 0; index < 5; index += 1) await rest(locked.email, wrong);
    (
      await server.gql(
        'mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }',
        { id: off.id },
        adminToken,
      )
    ).expectData();
    const invited = { email: 'invited@people.test', name: 'Invited', role: 'VIEWER' };
    (await server.change('createUser', invited, 'user { id }', adminToken)).expectData();
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
  ])('looks the same for each reason, over %s', async (_name, send) => {
    const seen = new Map<string, string>();
    for (const [name, { email, word }] of Object.entries(cases)) {
      seen.set(name, JSON.stringify(comparable(await send(email, word))));
    }
    expect(seen.size).toBe(6);
    expect(new Set(seen.values()).size).toBe(1);
  });

  it.each([
    ['REST', rest],
    ['GraphQL', gql],
  ])('costs the same work for each reason, over %s: hashes and statements', async (_name, send) => {
    const verify = jest.spyOn(server.passwords, 'verify');
    const work = new Map<string, string>();
    for (const [name, { email, word }] of Object.entries(cases)) {
      verify.mockClear();
      const { headers } = await send(email, word);
      const id = headers.get('x-correlation-id');
      const line = () => server.logs.find((entry) => entry.event === 'request' && entry.correlationId === id);
      await until(() => line() !== undefined, 'the request in the log');
      work.set(name, `${verify.mock.calls.length} hashes, ${line()?.dbQueries} statements`);
    }
    verify.mockRestore();
    expect(work.size).toBe(6);
    expect([...new Set(work.values())]).toEqual([expect.stringMatching(/^1 hashes, [1-9]\d* statements$/)]);
  });

  it.each(['known', 'unknown'])('that locks is recorded, for an account that is %s', async (kind) => {
    const { email } =
      kind === 'known'
        ? await createPerson(server, adminToken, 'VIEWER')
        : { email: `nobody-${kind}@people.test` };
    const locks = () =>
      server.sql(
        "SELECT outcome, actor_label, target_type, changes FROM audit_events WHERE action = 'auth.lock' AND id > $1",
        [last],
      );
    const [{ id: last } = { id: '' }] = await server.sql<{ id: string }>(
      'SELECT id FROM audit_events ORDER BY id DESC LIMIT 1',
    );
    for (let index = 0; index < 4; index += 1) await rest(email, wrong);
    expect(await locks()).toEqual([]);
    await rest(email, wrong);
    const event = {
      outcome: 'DENIED',
      actor_label: kind === 'known' ? email : 'unknown account',
      target_type: kind === 'known' ? 'User' : null,
      changes: { guessed: 'sign_in' },
    };
    expect(await locks()).toEqual([event]);
    await rest(email, wrong); // refused by the lock: no further one begins
    expect(await locks()).toEqual([event]);
    expect(server.logs.some((line) => line.event === 'authn_login_lock' && line.level === 'warn')).toBe(true);
  });

  it.each(['admin', 'password', 'sec-tester', 'changeme'])(
    'is what default accounts get: %s',
    async (word) => {
      for (const email of ['admin@localhost.test', 'admin@example.com'])
        expect((await rest(email, word)).status).toBe(401);
    },
  );
});
