// Refreshing tokens: rotation, repeated and reused tokens, and when a session ends by itself.
import { describe, expect, it } from '@jest/globals';
import { admin } from '../../kit/harness.js';
import { createPerson, type Person, password } from '../../kit/seed.js';
import { meWith, openSession, refresh, refreshMutation, type Tokens } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ REFRESH_IDLE_TTL_SECONDS: '3600', SESSION_TTL_SECONDS: '7200' });

const second = 1000;

async function refreshed(tokens: Tokens): Promise<Tokens> {
  const { status, body } = await refresh(server, tokens.refreshToken);
  if (status !== 200) throw new Error(`refresh: ${JSON.stringify(body)}`);
  return body;
}

async function codeOfRefresh(tokens: Tokens): Promise<string> {
  const { status, body } = await refresh(server, tokens.refreshToken);
  return status === 200 ? '200' : `${status} ${body.code}`;
}

describe('refreshing', () => {
  it('gives new tokens of the same session', async () => {
    const first = await openSession(server);
    const next = await refreshed(first);
    expect(next.refreshToken).not.toBe(first.refreshToken);
    expect(next.accessToken).not.toBe(first.accessToken);
    expect(next).toMatchObject({ tokenType: 'Bearer', expiresIn: 900, user: { email: admin.email } });
    expect(await meWith(server, first.accessToken)).toBe('200');
    expect(await meWith(server, next.accessToken)).toBe('200');
  });

  it('works over GraphQL as over REST', async () => {
    const first = await openSession(server);
    const answer = await server.gql(refreshMutation, { token: first.refreshToken });
    const next = answer.expectData().refreshToken;
    expect(next.user.email).toBe(admin.email);
    expect(await meWith(server, next.accessToken)).toBe('200');
    expect(await codeOfRefresh(next)).toBe('200');
  });

  it('answers the immediate predecessor within ten seconds with the same token again', async () => {
    const first = await openSession(server);
    const next = await refreshed(first);
    server.clock.advance(3 * second);
    const again = await refreshed(first);
    expect(again.refreshToken).toBe(next.refreshToken);
    expect(await codeOfRefresh(again)).toBe('200');
  });

  it('of one token twenty times at once makes one lineage', async () => {
    const first = await openSession(server);
    const answers = await Promise.all(Array.from({ length: 20 }, () => refreshed(first)));
    expect(new Set(answers.map(({ refreshToken }) => refreshToken)).size).toBe(1);
    expect(await codeOfRefresh(answers[0] as Tokens)).toBe('200');
  });

  it('with the predecessor after ten seconds ends the session', async () => {
    const first = await openSession(server);
    const next = await refreshed(first);
    server.clock.advance(11 * second);
    expect(await codeOfRefresh(first)).toBe('401 TOKEN_REVOKED');
    expect(await codeOfRefresh(next)).toBe('401 TOKEN_REVOKED');
    expect(await meWith(server, next.accessToken)).toBe('401 TOKEN_REVOKED');
  });

  it('with an older token ends the session at once and is put on the audit trail', async () => {
    const first = await openSession(server);
    const third = await refreshed(await refreshed(first));
    expect(await codeOfRefresh(first)).toBe('401 TOKEN_REVOKED');
    expect(await meWith(server, third.accessToken)).toBe('401 TOKEN_REVOKED');
    expect(await codeOfRefresh(third)).toBe('401 TOKEN_REVOKED');
    const answer = await server.gql(
      '{ auditEvents(first: 1, filter: { action: "auth.refresh_reuse" }) { nodes { outcome actorLabel targetType ip } } }',
      {},
      await server.signIn(),
    );
    expect(answer.expectData().auditEvents.nodes).toEqual([
      { outcome: 'DENIED', actorLabel: admin.email, targetType: 'Session', ip: '127.0.0.1' },
    ]);
  });

  it('takes refresh tokens only, and they open nothing else', async () => {
    const { accessToken, refreshToken } = await openSession(server);
    expect(await meWith(server, refreshToken)).toBe('401 UNAUTHENTICATED');
    (await server.gql('{ me { id } }', {}, refreshToken)).expectError('UNAUTHENTICATED');
    for (const wrong of [accessToken, 'x', 'a.b.c', `${refreshToken}x`]) {
      expect((await refresh(server, wrong)).body.code).toBe('UNAUTHENTICATED');
    }
    const graphql = await server.gql(refreshMutation, { token: accessToken });
    graphql.expectError('UNAUTHENTICATED');
  });

  it('refuses an empty, a missing and an oversize token as invalid input', async () => {
    for (const body of [{}, { refreshToken: '' }, { refreshToken: 'x'.repeat(5000) }, { refreshToken: 7 }]) {
      const answer = await server.rest('POST', '/api/v1/auth/refresh', { body });
      expect(answer.body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ path: 'refreshToken' }] });
    }
  });
});

describe('a session ends by itself', () => {
  it('for an access token after its lifetime, while the session goes on', async () => {
    const tokens = await openSession(server);
    server.clock.advance(901 * second);
    expect(await meWith(server, tokens.accessToken)).toBe('401 TOKEN_EXPIRED');
    const graphql = await server.gql('{ me { id } }', {}, tokens.accessToken);
    graphql.expectError('TOKEN_EXPIRED');
    const next = await refreshed(tokens);
    expect(await meWith(server, next.accessToken)).toBe('200');
  });

  it('when it is not refreshed for long enough', async () => {
    const tokens = await openSession(server);
    server.clock.advance(3500 * second);
    const next = await refreshed(tokens);
    server.clock.advance(3601 * second);
    expect(await codeOfRefresh(next)).toBe('401 TOKEN_EXPIRED');
  });

  it('after its longest lifetime however often it is refreshed', async () => {
    const begun = server.clock.now();
    let tokens = await openSession(server);
    /** What is left of two hours, but for the second that is under way. */
    const expectLeft = (seconds: number) => {
      const left = 7200 - (server.clock.now() - begun) / second;
      expect(seconds).toBeGreaterThan(left - 2);
      expect(seconds).toBeLessThan(left + 120);
    };
    for (const minutes of [50, 50]) {
      server.clock.advance(minutes * 60 * second);
      tokens = await refreshed(tokens);
    }
    expectLeft(tokens.refreshExpiresIn);
    server.clock.advance(15 * 60 * second);
    tokens = await refreshed(tokens);
    expectLeft(tokens.refreshExpiresIn);
    expectLeft(tokens.expiresIn);
    server.clock.advance(301 * second);
    expect(await meWith(server, tokens.accessToken)).toBe('401 TOKEN_EXPIRED');
    expect(await codeOfRefresh(tokens)).toBe('401 TOKEN_EXPIRED');
  });
});

describe('a session is ended by others', () => {
  async function person(): Promise<{ someone: Person; tokens: Tokens; adminToken: string }> {
    const adminToken = await server.signIn();
    const someone = await createPerson(server, adminToken, 'VIEWER');
    return { someone, tokens: await openSession(server, someone.email, password), adminToken };
  }

  it('when the user is deactivated, also for refreshing', async () => {
    const { someone, tokens, adminToken } = await person();
    const change = 'mutation($id: ID!) { deactivateUser(id: $id) { user { status } } }';
    (await server.gql(change, { id: someone.id }, adminToken)).expectData();
    expect(await meWith(server, tokens.accessToken)).toBe('401 TOKEN_REVOKED');
    expect(await codeOfRefresh(tokens)).toBe('401 TOKEN_REVOKED');
  });

  it('when the user is deleted, also for refreshing', async () => {
    const { someone, tokens, adminToken } = await person();
    const change = 'mutation($id: ID!) { deleteUser(id: $id) { deletedId } }';
    (await server.gql(change, { id: someone.id }, adminToken)).expectData();
    expect(await meWith(server, tokens.accessToken)).toBe('401 TOKEN_REVOKED');
    expect(await codeOfRefresh(tokens)).toBe('401 TOKEN_REVOKED');
  });
});
