// How often one may try to sign in: by account, by address, and what the refusal gives away.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { admin, hasRedis, startTestServer, type TestServer } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { createPerson, password } from '../../kit/seed.js';
import { comparable, tryGqlLogin, tryLogin } from '../../kit/session.js';

const wrong = 'not the password at all';

describe('an account with too many failures', () => {
  let server: TestServer;
  let adminToken: string;
  beforeAll(async () => {
    server = await startTestServer({
      LOGIN_MAX_FAILURES: '3',
      LOGIN_LOCK_SECONDS: '60',
      TRUST_PROXY: '1',
    });
    adminToken = await server.signIn();
  });
  afterAll(() => server.close());

  let addresses = 0;
  /** Signs in from an address of its own each time, so that only the account counts. */
  const attempt = (email: string, word: string) => {
    addresses += 1;
    return server.rest('POST', '/api/v1/auth/login', {
      body: { email, password: word },
      headers: { 'x-forwarded-for': `192.0.2.${addresses}` },
    });
  };

  it('is locked for a while, answers as for a wrong password, and forgets', async () => {
    const { email } = await createPerson(server, adminToken, 'VIEWER');
    const ordinary = await attempt(email, wrong);
    for (const _ of [1, 2]) await attempt(email, wrong);
    const locked = await attempt(email, password);
    expect(locked.status).toBe(401);
    expect(comparable(locked)).toEqual(comparable(ordinary));
    server.clock.advance(61_000);
    expect((await attempt(email, password)).status).toBe(200);
  });

  it('is the same account in any case of its e-mail, over REST and GraphQL', async () => {
    const { email } = await createPerson(server, adminToken, 'VIEWER');
    await attempt(email, wrong);
    await attempt(email.toUpperCase(), wrong);
    (await tryGqlLogin(server, email, wrong)).expectError('INVALID_CREDENTIALS');
    (await tryGqlLogin(server, email, password)).expectError('INVALID_CREDENTIALS');
  });

  it('does not lock another account', async () => {
    const { email } = await createPerson(server, adminToken, 'VIEWER');
    for (const _ of [1, 2, 3, 4]) await attempt(email, wrong);
    expect((await attempt(admin.email, admin.password)).status).toBe(200);
  });

  it('starts again after a successful sign-in', async () => {
    const { email } = await createPerson(server, adminToken, 'VIEWER');
    for (const _ of [1, 2, 3]) {
      await attempt(email, wrong);
      await attempt(email, wrong);
      expect((await attempt(email, password)).status).toBe(200);
    }
  });

  it('is never tried more often than allowed, however many attempts come at once', async () => {
    const { email } = await createPerson(server, adminToken, 'VIEWER');
    await Promise.all(Array.from({ length: 10 }, () => attempt(email, wrong)));
    expect((await attempt(email, password)).status).toBe(401);
  });
});

describe('an address with too many attempts', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ LOGIN_MAX_FAILURES: '1', TRUST_PROXY: '1' });
  });
  afterAll(() => server.close());

  const from = (address: string, email: string) =>
    server.rest('POST', '/api/v1/auth/login', {
      body: { email, password: wrong },
      headers: { 'x-forwarded-for': address },
    });

  it('must wait, over REST and GraphQL alike, and others need not', async () => {
    const address = '198.51.100.7';
    for (let number = 0; number < 10; number += 1) {
      expect((await from(address, `nobody-${number}@people.test`)).status).toBe(401);
    }
    const refused = await from(address, 'nobody-11@people.test');
    expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED', status: 429 } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    const graphql = await server.gql(
      'mutation { login(input: { email: "nobody@people.test", password: "x" }) { expiresIn } }',
      {},
      undefined,
      { 'x-forwarded-for': address },
    );
    graphql.expectError('RATE_LIMITED');
    expect(graphql.status).toBe(429);
    expect(Number(graphql.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect((await from('198.51.100.8', 'nobody@people.test')).status).toBe(401);
  });

  it('is the one that the trusted proxy saw, not what the client claims', async () => {
    for (let number = 0; number < 10; number += 1) {
      await from(`203.0.113.${number}, 198.51.100.9`, `someone-${number}@people.test`);
    }
    expect((await from('203.0.113.99, 198.51.100.9', 'someone@people.test')).status).toBe(429);
  });

  it('is the socket’s where no proxy is trusted', async () => {
    const direct = await startTestServer({ LOGIN_MAX_FAILURES: '1' });
    try {
      const attempts = Array.from({ length: 11 }, (_, number) =>
        direct.rest('POST', '/api/v1/auth/login', {
          body: { email: `x${number}@people.test`, password: wrong },
          headers: { 'x-forwarded-for': `203.0.113.${number}` },
        }),
      );
      const statuses = (await Promise.all(attempts)).map(({ status }) => status);
      expect(statuses.filter((status) => status === 429)).toHaveLength(1);
    } finally {
      await direct.close();
    }
  });
});

describe('with as many sign-ins as may wait', () => {
  it('another one must come later, before anything is read or counted for it', async () => {
    const server = await startTestServer({ HASH_QUEUE_MAX: '1', LOGIN_MAX_FAILURES: '1' });
    const turns = [];
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    try {
      while (server.passwords.queueLength() === 0) turns.push(server.passwords.inTurn(() => held));
      for (let index = 0; index < 20; index += 1) {
        const refused = await tryLogin(server, admin.email, wrong);
        expect(refused).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
        expect(refused.headers.get('retry-after')).toBe('5');
      }
      const lines = () =>
        server.logs.filter(({ event, path }) => event === 'request' && path === '/api/v1/auth/login');
      await until(() => lines().length === 20, 'the requests in the log');
      expect(new Set(lines().map(({ dbQueries }) => dbQueries))).toEqual(new Set([0]));
      letGo();
      await Promise.all(turns);
      expect((await tryLogin(server, admin.email, admin.password)).status).toBe(200);
    } finally {
      letGo();
      await server.close();
    }
  });
});

(hasRedis ? describe : describe.skip)('with Redis', () => {
  it('two servers count together', async () => {
    const REDIS_URL = process.env.TEST_REDIS_URL as string;
    const env = { REDIS_URL, LOGIN_MAX_FAILURES: '3', LOGIN_LOCK_SECONDS: '60' };
    const one = await startTestServer(env);
    const two = await startTestServer({ ...env, DATABASE_URL: one.databaseUrl });
    try {
      const { email } = await createPerson(one, await one.signIn(), 'VIEWER');
      for (const server of [one, two, one]) expect((await tryLogin(server, email, wrong)).status).toBe(401);
      for (const server of [one, two]) expect((await tryLogin(server, email, password)).status).toBe(401);
    } finally {
      await two.close();
      await one.close();
    }
  });
});
