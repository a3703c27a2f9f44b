// Attack: sessions that outlive their use: too many, kept after a new sign-in, not ended by an admin, or turned into
// a lasting hold on the account. ASVS 5.0: 7.1.2, 7.2.4, 7.4.5, 7.5.1.
import { describe, expect, it } from '@jest/globals';
import { newId, toPublicId } from '../../../src/core/ids.js';
import { generateSigningKey } from '../../../src/infra/credentials/jwt.js';
import { admin, hasRedis, startTestServer } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { createPerson, password } from '../../kit/seed.js';
import { loginMutation, meWith, openSession } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const minute = 60_000;
const server = await useServer({ SESSIONS_MAX_PER_USER: '20' });

describe('sessions of a user', () => {
  it('are at most 20: the oldest ends, and the audit trail tells', async () => {
    const { email, token, id } = await createPerson(server, await server.signIn(), 'VIEWER');
    const tokens = [token];
    for (let index = 0; index < 20; index += 1)
      tokens.push((await openSession(server, email, password)).accessToken);
    expect(await meWith(server, tokens[0] as string)).toBe('401 TOKEN_REVOKED');
    for (const kept of tokens.slice(1)) expect(await meWith(server, kept)).toBe('200');
    const answer = await server.gql(
      'query($id: ID!) { auditEvents(first: 5, filter: { actorId: $id, action: "session.limit_exceeded" }) { nodes { targetType } } }',
      { id },
      await server.signIn(),
    );
    expect(answer.expectData().auditEvents.nodes).toEqual([{ targetType: 'Session' }]);
  });

  it('are at most 20 when 30 sign-ins come at once', async () => {
    const { email, id } = await createPerson(server, await server.signIn(), 'VIEWER');
    await Promise.all(Array.from({ length: 30 }, () => openSession(server, email, password)));
    const user = await server.gql(
      'query($id: ID!) { user(id: $id) { sessions { id } } }',
      { id },
      await server.signIn(),
    );
    expect(user.expectData().user.sessions).toHaveLength(20);
  });

  it('end when one signs in again with them, over REST and GraphQL; not when that fails', async () => {
    const { email, token } = await createPerson(server, await server.signIn(), 'VIEWER');
    const rest = (word: string, with_: string) =>
      server.rest('POST', '/api/v1/auth/login', { body: { email, password: word }, token: with_ });
    await rest('wrong in every way', token);
    expect(await meWith(server, token)).toBe('200');
    const second = (await rest(password, token)).body.accessToken;
    expect(second).not.toBe(token);
    expect(await meWith(server, token)).toBe('401 TOKEN_REVOKED');
    const third = await server.gql(loginMutation, { input: { email, password } }, second);
    expect(await meWith(server, second)).toBe('401 TOKEN_REVOKED');
    expect(await meWith(server, third.expectData().login.accessToken)).toBe('200');
    expect((await rest(password, 'not a token')).status).toBe(200);
  });
});

describe('a session that is older than five minutes', () => {
  const createKey = (token: string) =>
    server.change(
      'createApiKey',
      {
        ...{ name: 'key', scopes: ['user:read', 'user:update'] },
        expiresAt: new Date(server.clock.now() + 86_400_000).toISOString(),
      },
      'secret',
      token,
    );
  const changeEmail = (id: string, email: string, token: string) =>
    server.change('updateUser', { id, email }, 'user { email }', token);

  it('makes no API keys and changes no e-mail of its own, also when it was refreshed', async () => {
    const opened = await openSession(server);
    const { id } = opened.user;
    (await createKey(opened.accessToken)).expectData();
    server.clock.advance(5 * minute + 1000);
    const refreshed = await server.rest('POST', '/api/v1/auth/refresh', {
      body: { refreshToken: opened.refreshToken },
    });
    for (const token of [opened.accessToken, refreshed.body.accessToken]) {
      expect((await createKey(token)).expectError('REAUTHENTICATION_REQUIRED').message).toMatch(
        /Sign in again/,
      );
      (await changeEmail(id, 'mallory@harness.test', token)).expectError('REAUTHENTICATION_REQUIRED');
    }
    const fresh = await server.signIn();
    const { secret } = (await createKey(fresh)).expectData().createApiKey;
    (await changeEmail(id, 'mallory@harness.test', secret)).expectError('FORBIDDEN');
    (await changeEmail(id, admin.email, fresh)).expectData();
  });
});

describe('an admin', () => {
  const end = (token: string, userId?: string) =>
    server.gql('mutation($id: ID) { endSessions(userId: $id) { revokedSessions } }', { id: userId }, token);

  it('ends all sessions of a user, and of everybody else', async () => {
    const adminToken = await server.signIn();
    const one = await createPerson(server, adminToken, 'ANALYST');
    const two = await createPerson(server, adminToken, 'VIEWER');
    await openSession(server, one.email, password);
    expect((await end(adminToken, one.id)).expectData().endSessions.revokedSessions).toBe(2);
    expect(await meWith(server, one.token)).toBe('401 TOKEN_REVOKED');
    expect(await meWith(server, two.token)).toBe('200');
    expect((await end(adminToken)).expectData().endSessions.revokedSessions).toBeGreaterThanOrEqual(1);
    expect(await meWith(server, two.token)).toBe('401 TOKEN_REVOKED');
    expect(await meWith(server, adminToken)).toBe('200');
  });

  it('only; and of users who exist', async () => {
    const adminToken = await server.signIn();
    const { token } = await createPerson(server, adminToken, 'ANALYST');
    (await end(token)).expectError('FORBIDDEN');
    (await end(adminToken, toPublicId('User', newId()))).expectError('NOT_FOUND');
  });
});

(hasRedis ? it : it.skip)('two instances: all sessions end on both', async () => {
  const env = {
    JWT_SIGNING_KEYS: JSON.stringify([await generateSigningKey()]),
    REDIS_URL: process.env.TEST_REDIS_URL as string,
  };
  const one = await startTestServer(env);
  const two = await startTestServer({ ...env, DATABASE_URL: one.databaseUrl });
  try {
    const adminToken = await one.signIn();
    const { token } = await createPerson(one, adminToken, 'VIEWER');
    expect(await meWith(two, token)).toBe('200');
    (await one.gql('mutation { endSessions { revokedSessions } }', {}, adminToken)).expectData();
    for (const server of [one, two])
      await until(
        async () => (await meWith(server, token)) === '401 TOKEN_REVOKED',
        'the end of the session',
      );
  } finally {
    await two.close();
    await one.close();
  }
});
