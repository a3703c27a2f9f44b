// Attack: guessing passwords, by aliases, in parallel, on both facades, on several instances, while Redis is down;
// and plain flooding. ASVS 5.0: 6.3.1, 6.3.4, 2.4.1, 15.4.2.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateSigningKey } from '../../../src/infra/credentials/jwt.js';
import { hasRedis, startTestServer, type TestServer } from '../../kit/harness.js';
import { sleep, until } from '../../kit/live.js';
import { createRedisProxy, type RedisProxy } from '../../kit/network/redis-proxy.js';
import { createPerson, password } from '../../kit/seed.js';
import { comparable, openSession, refresh } from '../../kit/session.js';

const wrong = 'not the password at all';
const second = 1000;
const minute = 60 * second;

let addresses = 0;
/** An address in a range of its own, so that only the account counts. */
function newAddress(): string {
  addresses += 1;
  return `10.${process.env.JEST_WORKER_ID ?? 0}.${addresses % 250}.${addresses >> 8}`;
}

function login(server: TestServer, email: string, word: string, address = newAddress()) {
  return server.rest('POST', '/api/v1/auth/login', {
    body: { email, password: word },
    headers: { 'x-forwarded-for': address },
  });
}

function gqlLogin(server: TestServer, email: string, word: string, address = newAddress()) {
  return server.gql(
    'mutation($input: LoginInput!) { login(input: $input) { expiresIn } }',
    { input: { email, password: word } },
    undefined,
    { 'x-forwarded-for': address },
  );
}

/** Guesses at an account that reached its hash, as the server counted failures since the last success. */
function spyOn(...servers: TestServer[]) {
  const spies = servers.map(({ passwords }) => {
    const seen = { real: 0, dummy: 0 };
    const verify = passwords.verify;
    passwords.verify = async (phc, word) => {
      if (phc === undefined) seen.dummy += 1;
      else seen.real += 1;
      return verify(phc, word);
    };
    return seen;
  });
  return {
    real: () => spies.reduce((sum, { real }) => sum + real, 0),
    dummy: () => spies.map((s) => s.dummy),
  };
}

/** Turns the clocks to where a new window of a minute begins, the same on all. */
function beginMinute(...servers: TestServer[]): void {
  const latest = Math.max(...servers.map(({ clock }) => clock.now()));
  const next = (Math.floor(latest / minute) + 1) * minute;
  for (const { clock } of servers) clock.advance(next - clock.now());
}

const aliases = (email: string, count: number) =>
  `mutation { ${Array.from(
    { length: count },
    (_, index) =>
      `a${index}: login(input: { email: "${email}", password: "guess number ${index}" }) { expiresIn }`,
  ).join(' ')} }`;

describe('guesses at one account', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ LOGIN_MAX_FAILURES: '5', TRUST_PROXY: '1' });
  });
  afterAll(() => server.close());

  it('by 200 parallel requests, half on each facade: five reach the hash', async () => {
    const { email } = await createPerson(server, await server.signIn(), 'VIEWER');
    const spy = spyOn(server);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        index % 2 === 0
          ? login(server, email, `${wrong} ${index}`)
          : gqlLogin(server, email, `${wrong} ${index}`),
      ),
    );
    expect(spy.real()).toBe(5);
    for (const { body } of answers) {
      expect(body.code ?? body.errors?.[0]?.extensions.code).toBe('INVALID_CREDENTIALS');
    }
    expect((await login(server, email, password)).body.code).toBe('INVALID_CREDENTIALS');
  });

  it('by aliases of one request: no more than five reach the hash', async () => {
    const { email } = await createPerson(server, await server.signIn(), 'VIEWER');
    const spy = spyOn(server);
    await server.gql(aliases(email, 30), {}, undefined, { 'x-forwarded-for': newAddress() });
    await server.gql(aliases(email, 100), {}, undefined, { 'x-forwarded-for': newAddress() });
    expect(spy.real()).toBeLessThanOrEqual(5);
  });

  it('are locked out for longer and longer, up to 15 minutes, and all is forgotten after 12 quiet hours', async () => {
    const { email } = await createPerson(server, await server.signIn(), 'VIEWER');
    const spy = spyOn(server);
    const tries = async () => {
      const before = spy.real();
      await login(server, email, wrong);
      return spy.real() > before;
    };
    for (const _ of [1, 2, 3, 4, 5]) expect(await tries()).toBe(true);
    for (const minutes of [1, 2, 4, 8, 15, 15]) {
      expect(await tries()).toBe(false);
      server.clock.advance(minutes * minute - second);
      expect(await tries()).toBe(false);
      server.clock.advance(second + 1);
      expect(await tries()).toBe(true);
    }
    server.clock.advance(12 * 60 * minute);
    for (const _ of [1, 2, 3, 4, 5]) expect(await tries()).toBe(true);
    expect(await tries()).toBe(false);
  });

  it('that hit locked accounts look like any other, headers and all', async () => {
    const { email } = await createPerson(server, await server.signIn(), 'VIEWER');
    const first = await login(server, email, wrong);
    for (const _ of [1, 2, 3, 4]) await login(server, email, wrong);
    for (const word of [wrong, password]) {
      expect(comparable(await login(server, email, word))).toEqual(comparable(first));
    }
  });

  it('do not keep out users who know the password, however many sign in at once', async () => {
    const { email } = await createPerson(server, await server.signIn(), 'VIEWER');
    const address = newAddress();
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => login(server, email, password, address)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(200));
  });

  it('through password change have a budget of their own and lock no sign-in', async () => {
    const { email, token } = await createPerson(server, await server.signIn(), 'VIEWER');
    const spy = spyOn(server);
    const change = () =>
      server.gql(
        'mutation($input: ChangePasswordInput!) { changePassword(input: $input) { user { id } } }',
        { input: { currentPassword: wrong, newPassword: 'orchid tunnel 6612 basin lark' } },
        token,
        { 'x-forwarded-for': newAddress() },
      );
    const answers = await Promise.all(Array.from({ length: 12 }, change));
    for (const answer of answers) answer.expectError('INVALID_CREDENTIALS');
    expect(spy.real()).toBe(5);
    expect((await login(server, email, password)).status).toBe(200);
  });
});

describe('one password at many accounts', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ LOGIN_MAX_FAILURES: '1', TRUST_PROXY: '1' });
  });
  afterAll(() => server.close());

  it('from one address reaches ten a minute, on both facades together', async () => {
    const address = newAddress();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        (index % 2 === 0 ? login : gqlLogin)(server, `spray-${index}@people.test`, wrong, address),
      ),
    );
    expect(answers.filter(({ status }) => status !== 429)).toHaveLength(10);
    const refused = await gqlLogin(server, 'spray@people.test', wrong, address);
    expect(refused.body.errors?.[0]?.extensions).toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterSeconds: Number(refused.headers.get('retry-after')),
    });
  });

  it.each([
    ['IPv4 /24', (index: number) => `198.51.100.${index}`],
    ['IPv6 /48', (index: number) => `2001:db8:7:${index.toString(16)}::1`],
  ])('from all addresses of a range (%s) reaches forty a minute', async (_name, addressOf) => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        login(server, `range-${index}@people.test`, wrong, addressOf(index)),
      ),
    );
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(60);
  });

  it('costs nothing to users who sign in with the right one', async () => {
    const address = newAddress();
    for (let index = 0; index < 15; index += 1) await server.signIn();
    expect((await login(server, 'nobody@people.test', wrong, address)).status).toBe(401);
  });
});

describe('refreshing', () => {
  it('with made-up tokens is bounded by address, with good ones is not', async () => {
    const server = await startTestServer({ LOGIN_MAX_FAILURES: '1', TRUST_PROXY: '1' });
    try {
      let { refreshToken } = await openSession(server);
      for (let index = 0; index < 70; index += 1) {
        refreshToken = (await refresh(server, refreshToken)).body.refreshToken;
      }
      // From another address, whose minute begins now.
      const headers = { 'x-forwarded-for': newAddress() };
      const guess = () =>
        server.rest('POST', '/api/v1/auth/refresh', { body: { refreshToken: 'a.b.c' }, headers });
      const answers = await Promise.all(Array.from({ length: 80 }, guess));
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(60);
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(20);
    } finally {
      await server.close();
    }
  });
});

describe('requests of any kind', () => {
  let server: TestServer;
  let token: string;
  beforeAll(async () => {
    server = await startTestServer({
      ...{ RATE_LIMIT_PER_MINUTE: '20', RATE_LIMIT_ANONYMOUS_PER_MINUTE: '10', TRUST_PROXY: '1' },
    });
    token = await server.signIn();
  });
  afterAll(() => server.close());

  it('are limited by user, GraphQL and REST together, and say how many are left', async () => {
    beginMinute(server);
    const first = await server.rest('GET', '/api/v1/auth/me', { token });
    expect(first.headers.get('ratelimit-policy')).toBe('"default";q=20;w=60');
    expect(first.headers.get('ratelimit')).toMatch(/^"default";r=19;t=\d+$/);
    for (let index = 0; index < 9; index += 1) await server.rest('GET', '/api/v1/auth/me', { token });
    for (let index = 0; index < 10; index += 1) (await server.gql('{ me { id } }', {}, token)).expectData();
    const rest = await server.rest('GET', '/api/v1/auth/me', { token });
    expect(rest).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
    expect(rest.headers.get('ratelimit')).toMatch(/^"default";r=0;t=\d+$/);
    expect(Number(rest.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    const gql = await server.gql('{ me { id } }', {}, token);
    expect(gql.status).toBe(429);
    expect(gql.expectError('RATE_LIMITED').extensions).toMatchObject({
      retryAfterSeconds: Number(gql.headers.get('retry-after')),
    });
    server.clock.advance(minute);
    expect((await server.rest('GET', '/api/v1/auth/me', { token })).status).toBe(200);
  });

  it('are limited by user across all sessions and API keys: more keys are no larger limit', async () => {
    const { email } = await createPerson(server, token, 'ANALYST');
    beginMinute(server);
    const sessions = [await openSession(server, email, password), await openSession(server, email, password)];
    const expiresAt = new Date(server.clock.now() + 86_400_000).toISOString();
    const keys: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      const answer = await server.change(
        'createApiKey',
        { name: `CI ${index}`, scopes: ['profile:read'], expiresAt },
        'secret',
        sessions[0]?.accessToken,
      );
      keys.push(answer.expectData().createApiKey.secret);
    }
    const bearers = [...keys, ...sessions.map(({ accessToken }) => accessToken)];
    const statuses: number[] = [];
    for (let index = 0; index < 28; index += 1) {
      const bearer = bearers[index % bearers.length];
      statuses.push((await server.rest('GET', '/api/v1/auth/me', { token: bearer })).status);
    }
    const allowed = 20 - keys.length; // making the keys counted too
    expect(statuses).toEqual([...Array(allowed).fill(200), ...Array(28 - allowed).fill(429)]);
  });

  it('are limited by address without a sign-in or with a bad one, malformed documents too; health is free', async () => {
    beginMinute(server);
    const headers = { 'x-forwarded-for': newAddress() };
    const statuses = [];
    for (let index = 0; index < 4; index += 1) {
      statuses.push((await server.rest('GET', '/.well-known/jwks.json', { headers })).status);
      statuses.push((await server.rest('GET', '/api/v1/auth/me', { headers, token: 'bad' })).status);
      statuses.push((await server.gql('{ nonsense', {}, undefined, headers)).status);
    }
    expect(statuses.slice(0, 10)).not.toContain(429);
    expect(statuses.slice(10)).toEqual([429, 429]);
    for (let index = 0; index < 20; index += 1) {
      expect((await server.rest('GET', '/api/v1/health/live', { headers })).status).toBe(200);
    }
    expect((await server.rest('GET', '/.well-known/jwks.json')).status).toBe(200);
  });
});

(hasRedis ? describe : describe.skip)('two instances', () => {
  let proxy: RedisProxy;
  let one: TestServer;
  let two: TestServer;
  let adminToken: string;
  beforeAll(async () => {
    proxy = await createRedisProxy(15);
    const env = {
      JWT_SIGNING_KEYS: JSON.stringify([await generateSigningKey()]),
      REDIS_URL: proxy.url,
      LOGIN_MAX_FAILURES: '5',
      TRUST_PROXY: '1',
      RATE_LIMIT_PER_MINUTE: '50',
    };
    one = await startTestServer(env);
    two = await startTestServer({ ...env, DATABASE_URL: one.databaseUrl });
    adminToken = await one.signIn();
    await redisIs('healthy');
  });
  afterAll(async () => {
    await two.close();
    await one.close();
    await proxy.close();
  });

  const redisIs = (status: string) =>
    until(async () => {
      const states = [await one.services.health.redis(), await two.services.health.redis()];
      return states.every((state) => state.status === status);
    }, `Redis to be ${status}`);

  const storm = (email: string) =>
    Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        (index % 4 < 2 ? login : gqlLogin)(index % 2 === 0 ? one : two, email, `${wrong} ${index}`),
      ),
    );

  it('let five guesses through between them, on both facades', async () => {
    const { email } = await createPerson(one, adminToken, 'VIEWER');
    const spy = spyOn(one, two);
    await storm(email);
    expect(spy.real()).toBe(5);
  });

  it('let the owner in on both at once', async () => {
    const { email } = await createPerson(one, adminToken, 'VIEWER');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => login(index % 2 === 0 ? one : two, email, password)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
  });

  it('count requests together', async () => {
    const { token } = await createPerson(one, adminToken, 'VIEWER');
    beginMinute(one, two);
    const me = (server: TestServer) => server.rest('GET', '/api/v1/auth/me', { token });
    for (let index = 0; index < 30; index += 1) await me(one);
    for (let index = 0; index < 19; index += 1) await me(two);
    // Neither has counted 50 by itself; one of them lets the last one through, and then hears of the other's.
    const statuses: number[] = [];
    await until(async () => {
      statuses.push((await me(one)).status);
      await sleep(700);
      return statuses.at(-1) === 429;
    }, 'the refusal');
    expect(statuses.length).toBeLessThan(20);
  });

  it('each keep to the limit while Redis is dead, remember what they knew, and agree again after', async () => {
    const known = await createPerson(one, adminToken, 'VIEWER');
    const fresh = await createPerson(one, adminToken, 'VIEWER');
    for (const _ of [1, 2, 3, 4, 5]) await login(one, known.email, wrong);
    proxy.cut();
    await redisIs('unhealthy');
    expect((await login(one, known.email, password)).status).toBe(401);
    const spy = spyOn(one, two);
    await storm(fresh.email);
    expect(spy.real()).toBe(10);
    proxy.mend();
    await redisIs('healthy');
    const after = await createPerson(one, adminToken, 'VIEWER');
    const again = spyOn(one, two);
    await storm(after.email);
    expect(again.real()).toBe(5);
  });
});
