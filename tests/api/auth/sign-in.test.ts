// Signing in and out over GraphQL and REST.
import { describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { loadConfig } from '../../../src/config/load.js';
import { admin, startTestServer } from '../../kit/harness.js';
import { createPerson, password } from '../../kit/seed.js';
import {
  comparable,
  loginMutation,
  meWith,
  openSession,
  refresh,
  tryGqlLogin,
  tryLogin,
} from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const adminToken = await server.signIn();

describe('signing in', () => {
  it('gives tokens over REST that GraphQL takes', async () => {
    const answer = await server.gql('{ me { email role } }', {}, await server.signIn());
    expect(answer.expectData().me).toEqual({ email: admin.email, role: 'ADMIN' });
  });

  it('gives tokens over GraphQL that REST takes, and the same profile as REST', async () => {
    const overGraphQL = (await tryGqlLogin(server, admin.email, admin.password)).expectData().login;
    expect(overGraphQL).toMatchObject({ tokenType: 'Bearer', expiresIn: 900 });
    expect([604_799, 604_800]).toContain(overGraphQL.refreshExpiresIn);
    const overRest = await openSession(server);
    const me = await server.rest('GET', '/api/v1/auth/me', { token: overGraphQL.accessToken });
    expect(me.body).toEqual(overRest.user);
    expect({ ...overGraphQL.user, lastLoginAt: '' }).toEqual({ ...overRest.user, lastLoginAt: '' });
    expect(Object.keys(overGraphQL).sort()).toEqual(Object.keys(overRest).sort());
  });

  it('tells the moment of the sign-in as lastLoginAt', async () => {
    const before = server.clock.now();
    const { user } = (await tryLogin(server, admin.email, admin.password)).body;
    expect(Date.parse(user.lastLoginAt)).toBeGreaterThanOrEqual(before);
  });

  it('refuses a value of the wrong type with the path of the field', async () => {
    const answer = await server.gql('mutation { login(input: { email: 1, password: "x" }) { expiresIn } }');
    expect(answer.expectError('VALIDATION_FAILED').extensions.fields).toEqual([
      expect.objectContaining({ path: 'input.email' }),
    ]);
    const rest = await server.rest('POST', '/api/v1/auth/login', { body: { email: 1, secret: 'x' } });
    expect(rest.status).toBe(400);
    expect(rest.body.errors.map(({ path }: { path: string }) => path).sort()).toEqual([
      'email',
      'password',
      'secret',
    ]);
  });

  it('takes the e-mail in any case and the password exactly', async () => {
    expect((await tryLogin(server, admin.email.toUpperCase(), admin.password)).status).toBe(200);
    const { email } = await createPerson(server, adminToken, 'VIEWER');
    for (const wrong of [` ${password}`, `${password} `, password.toUpperCase(), password.slice(0, -1)]) {
      expect((await tryLogin(server, email, wrong)).body.code).toBe('INVALID_CREDENTIALS');
    }
    expect((await tryLogin(server, email, password)).status).toBe(200);
  });

  it('keeps leading and trailing spaces, letters beyond ASCII and their form in a password', async () => {
    const odd = ' \u00fcber-gro\u00df\u{1F980} tasse 93 ';
    const email = 'odd@people.test';
    const made = await server.change(
      'createUser',
      { email, name: 'Odd', password: odd, role: 'VIEWER' },
      'user { id }',
      adminToken,
    );
    made.expectData();
    expect((await tryLogin(server, email, odd)).status).toBe(200);
    expect((await tryLogin(server, email, odd.trim())).status).toBe(401);
    expect((await tryLogin(server, email, odd.normalize('NFD'))).status).toBe(401);
  });
});

describe('a refused sign-in', () => {
  it('looks the same for an unknown, a wrong and a deactivated account, over REST and over GraphQL', async () => {
    const { id, email } = await createPerson(server, adminToken, 'VIEWER');
    const other = await createPerson(server, adminToken, 'VIEWER');
    (
      await server.gql(
        'mutation($id: ID!) { deactivateUser(id: $id) { user { status } } }',
        { id },
        adminToken,
      )
    ).expectData();
    const attempts = [
      ['nobody@people.test', password],
      [other.email, 'a wrong password 123'],
      [email, password],
    ] as const;
    for (const attempt of [tryLogin, tryGqlLogin]) {
      const [unknown, wrong, deactivated] = await Promise.all(
        attempts.map(async ([mail, word]) => comparable(await attempt(server, mail, word))),
      );
      expect(JSON.stringify(unknown)).toContain('INVALID_CREDENTIALS');
      expect(wrong).toEqual(unknown);
      expect(deactivated).toEqual(unknown);
    }
  });

  it('is 401 with a challenge over REST and has no path into the data over GraphQL', async () => {
    const rest = await tryLogin(server, admin.email, 'not the password at all');
    expect(rest.status).toBe(401);
    expect(rest.headers.get('www-authenticate')).toMatch(/^Bearer realm=/);
    const graphql = await server.gql(loginMutation, {
      input: { email: admin.email, password: 'not the password at all' },
    });
    expect(graphql.expectError('INVALID_CREDENTIALS').path).toEqual(['login']);
    expect(graphql.body.data).toBeNull();
  });
});

describe('signing out', () => {
  it('ends this session at once, and no other', async () => {
    const [one, two] = [await openSession(server), await openSession(server)];
    expect(await meWith(server, one.accessToken)).toBe('200');
    const answer = await server.rest('POST', '/api/v1/auth/logout', { token: one.accessToken });
    expect(answer).toMatchObject({ status: 200, body: { revokedSessions: 1 } });
    expect(await meWith(server, one.accessToken)).toBe('401 TOKEN_REVOKED');
    expect((await refresh(server, one.refreshToken)).body.code).toBe('TOKEN_REVOKED');
    expect(await meWith(server, two.accessToken)).toBe('200');
  });

  it('everywhere ends all sessions of the user and of nobody else', async () => {
    const { email, token } = await createPerson(server, adminToken, 'ANALYST');
    const second = await openSession(server, email, password);
    const answer = await server.gql('mutation { logout(everywhere: true) { revokedSessions } }', {}, token);
    expect(answer.expectData().logout.revokedSessions).toBe(2);
    expect(await meWith(server, token)).toBe('401 TOKEN_REVOKED');
    expect(await meWith(server, second.accessToken)).toBe('401 TOKEN_REVOKED');
    expect(await meWith(server, adminToken)).toBe('200');
  });

  it('needs a session', async () => {
    const graphql = await server.gql('mutation { logout { revokedSessions } }');
    graphql.expectError('UNAUTHENTICATED');
    const rest = await server.rest('POST', '/api/v1/auth/logout');
    expect(rest).toMatchObject({ status: 401, body: { code: 'UNAUTHENTICATED' } });
  });
});

describe('the stored password', () => {
  it('is an Argon2id hash with the default parameters of the settings', async () => {
    const usual = await startTestServer({ ARGON2_MEMORY_KIB: '', ARGON2_ITERATIONS: '' });
    try {
      expect(loadConfig({}).argon2).toEqual({ memoryKib: 19_456, iterations: 2, parallelism: 1 });
      const [row] = await usual.sql<{ hash: string }>('SELECT password_hash AS hash FROM users');
      expect(row?.hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22,}\$[A-Za-z0-9+/]{43}$/);
      expect((await tryLogin(usual, admin.email, admin.password)).status).toBe(200);
      expect((await tryLogin(usual, admin.email, `${admin.password}.`)).status).toBe(401);
    } finally {
      await usual.close();
    }
  });

  it('is hashed again at a sign-in when the parameters have become stronger', async () => {
    const { email } = await createPerson(server, adminToken, 'VIEWER');
    const hashOf = async () =>
      (
        await server.sql<{ hash: string }>('SELECT password_hash AS hash FROM users WHERE email = $1', [
          email,
        ])
      )[0]?.hash ?? '';
    const weak = await hashOf();
    const stronger = await startTestServer({ DATABASE_URL: server.databaseUrl, ARGON2_ITERATIONS: '2' });
    try {
      expect((await tryLogin(stronger, email, 'a wrong password 123')).status).toBe(401);
      expect(await hashOf()).toBe(weak);
      expect((await tryLogin(stronger, email, password)).status).toBe(200);
      expect(await hashOf()).toMatch(/^\$argon2id\$v=19\$m=8,t=2,p=1\$/);
    } finally {
      await stronger.close();
    }
    const strong = await hashOf();
    expect((await tryLogin(server, email, password)).status).toBe(200);
    expect(await hashOf()).toBe(strong);
  });
});

describe('the published keys', () => {
  it('verify access tokens and hold no private half', async () => {
    const { status, headers, body } = await server.rest('GET', '/.well-known/jwks.json');
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('public, max-age=300');
    for (const key of body.keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
    }
    const { accessToken } = await openSession(server);
    const { payload, protectedHeader } = await jwtVerify(accessToken, createLocalJWKSet(body), {
      typ: 'at+jwt',
      issuer: 'sec-tester',
      audience: 'sec-tester-api',
    });
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: body.keys[0].kid });
    expect(Object.keys(payload).sort()).toEqual([
      'aud',
      'client_id',
      'exp',
      'iat',
      'iss',
      'jti',
      'sid',
      'sub',
    ]);
  });

  it('belong to refresh tokens of another type and audience', async () => {
    const { refreshToken } = await openSession(server);
    expect(decodeProtectedHeader(refreshToken).typ).toBe('rt+jwt');
    expect(decodeJwt(refreshToken).aud).toBe('sec-tester-api/refresh');
  });
});
