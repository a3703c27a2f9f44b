// Logging out together with the identity provider: its back-channel logout ends sessions and streams here, ours leads there.
import { describe, expect, it } from '@jest/globals';
import { generateSigningKey } from '../../../src/infra/credentials/jwt.js';
import { ownerUrlOf, withClient } from '../../kit/harness.js';
import { changes, subscribe, until } from '../../kit/live.js';
import { frontend, startProvider, TestBrowser } from '../../kit/oidc/oidc.js';
import { redeem, signInAt, tokensAt } from '../../kit/oidc/visitor.js';
import { meWith } from '../../kit/session.js';
import { atEnd, useServer } from '../../kit/use.js';

const at = () => ({ server, provider });
const eventOfLogout = 'http://schemas.openid.net/event/backchannel-logout';

const provider = await startProvider(['main', 'other']);
atEnd(() => provider.stop());
const env = {
  PORT: String(provider.serverPort),
  CORS_ORIGINS: frontend,
  JWT_SIGNING_KEYS: JSON.stringify([await generateSigningKey()]),
  OIDC_PROVIDERS: JSON.stringify([
    provider.settings('main', 0, {
      postLogoutRedirectUri: `http://127.0.0.1:${provider.serverPort}/goodbye`,
    }),
    provider.settings('other', 1),
  ]),
  ...(process.env.TEST_REDIS_URL !== undefined && { REDIS_URL: process.env.TEST_REDIS_URL }),
};
const server = await useServer(env);
const peer = await useServer({ ...env, PORT: '0', DATABASE_URL: server.databaseUrl });

const send = (token: string, id = 'main') =>
  fetch(`${server.url}/api/v1/auth/oidc/${id}/backchannel-logout`, {
    method: 'POST',
    body: new URLSearchParams({ logout_token: token }),
  });

/** The claims of a logout token of the first issuer. */
function claimsOf(more: Record<string, unknown>): Record<string, unknown> {
  const iat = Math.floor(server.clock.now() / 1000);
  const base = { iss: provider.issuers[0], aud: 'sec-tester', iat, exp: iat + 120, jti: crypto.randomUUID() };
  return { ...base, events: { [eventOfLogout]: {} }, ...more };
}

describe('A logout at the provider', () => {
  it('ends the sessions of this browser here, on both instances and on open streams', async () => {
    const browser = new TestBrowser();
    const tokens = await tokensAt(at(), { sub: 'olga' }, 'main', browser);
    const elsewhere = await tokensAt(at(), { sub: 'olga' });
    const open = peer.services.streams.size();
    const stream = subscribe('event stream', peer.url, tokens.accessToken, { query: changes, variables: {} });
    await until(() => peer.services.streams.size() > open, 'the stream');
    expect(await meWith(peer, tokens.accessToken)).toBe('200');

    const out = await server.rest('POST', '/api/v1/auth/logout', { token: elsewhere.accessToken });
    expect(out.body.providerLogoutUrl).toContain(`${provider.issuers[0]}/session/end?`);
    // The first browser logs out at the provider on its own, with the hint of a session that has ended here.
    const form = await (await browser.get(`${provider.issuers[0]}/session/end`)).text();
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(form)?.[1] ?? '';
    await browser.get(`${provider.issuers[0]}/session/end/confirm`, {
      method: 'POST',
      body: new URLSearchParams({ xsrf, logout: 'yes' }),
    });
    await until(async () => (await meWith(server, tokens.accessToken)) === '401 TOKEN_REVOKED', 'the end');
    await until(
      async () => (await meWith(peer, tokens.accessToken)) === '401 TOKEN_REVOKED',
      'the end there',
    );
    await until(() => stream.hasEnded(), 'the end of the stream');
    stream.stop();
    const [row] = await server.sql(
      `SELECT count(*)::int AS count FROM audit_events WHERE action = 'auth.provider_logout' AND outcome = 'SUCCESS'`,
    );
    expect(row).toEqual({ count: 1 });
  });

  it('that meets the exchange of a code finds the code or the session', async () => {
    const { browser, code } = await signInAt(at(), { sub: 'racer' });
    const user = 'SELECT user_id FROM user_identities WHERE subject = $1';
    await withClient(ownerUrlOf(server.databaseUrl), async (client) => {
      await client.query('BEGIN');
      await client.query(`SELECT id FROM users WHERE id = (${user}) FOR UPDATE`, ['racer']);
      const redeemed = redeem(server, browser, { code });
      const waiting = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      await until(async () => (await server.sql(waiting)).length === 1, 'the exchange');
      const sent = send(await provider.control({ sign: { claims: claimsOf({ sub: 'racer' }) } }));
      const isOver = sent.then(() => true);
      await until(
        async () => (await server.sql(waiting)).length === 2 || Promise.race([isOver, false]),
        'the logout',
      );
      await client.query('COMMIT');
      const { accessToken } = await (await redeemed).json();
      expect((await sent).status).toBe(200);
      await until(async () => (await meWith(server, accessToken)) === '401 TOKEN_REVOKED', 'the end');
    });
  });

  it('by subject alone ends all sessions of the user, and codes that wait', async () => {
    const one = await tokensAt(at(), { sub: 'pia' });
    const other = await tokensAt(at(), { sub: 'pia' });
    const waiting = await signInAt(at(), { sub: 'pia' });
    const somebody = await tokensAt(at(), { sub: 'somebody' });
    const answer = await send(await provider.control({ sign: { claims: claimsOf({ sub: 'pia' }) } }));
    expect([answer.status, await answer.json()]).toEqual([200, { revokedSessions: 2 }]);
    expect(await meWith(server, one.accessToken)).toBe('401 TOKEN_REVOKED');
    expect(await meWith(server, other.accessToken)).toBe('401 TOKEN_REVOKED');
    expect((await redeem(server, waiting.browser, { code: waiting.code })).status).toBe(401);
    expect(await meWith(server, somebody.accessToken)).toBe('200');
  });

  it('works once with each token', async () => {
    const token = await provider.control({ sign: { claims: claimsOf({ sub: 'nobody' }) } });
    expect((await send(token)).status).toBe(200);
    expect((await send(token)).status).toBe(400);
  });

  it.each<[string, Record<string, unknown>, object?]>([
    ['another issuer', { iss: 'http://127.0.0.1:1' }],
    ['another audience', { aud: 'somebody-else' }],
    ['no event', { events: undefined }],
    ['another event', { events: { 'https://example.com/event': {} } }],
    ['a nonce, as ID tokens have', { nonce: 'n' }],
    ['neither subject nor session', { sub: undefined }],
    ['a subject that nobody can have', { sub: 'rita\u0000' }],
    ['a session that is no text', { sid: { a: 1 } }],
    ['no jti', { jti: undefined }],
    ['an end long ago', { iat: 1_700_000_000, exp: 1_700_000_120 }],
    ['a key that the provider does not have', {}, { foreignKey: true }],
  ])('with %s is refused and ends nothing', async (_name, more, sign = {}) => {
    const tokens = await tokensAt(at(), { sub: 'rita' });
    const claims = claimsOf({ sub: 'rita', ...more });
    const answer = await send(await provider.control({ sign: { claims, ...sign } }));
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
      400,
      'VALIDATION_FAILED',
    ]);
    expect(await meWith(server, tokens.accessToken)).toBe('200');
  });

  it('of one provider ends no session of another', async () => {
    const tokens = await tokensAt(at(), { sub: 'sara' });
    const claims = claimsOf({ sub: 'sara', iss: provider.issuers[1] });
    const foreign = await provider.control({ sign: { issuer: 1, claims } });
    expect((await send(foreign, 'main')).status).toBe(400);
    expect(await (await send(foreign, 'other')).json()).toEqual({ revokedSessions: 0 });
    expect(await meWith(server, tokens.accessToken)).toBe('200');
  });
});

describe('A logout here', () => {
  it('leads the browser to the logout of the provider and back', async () => {
    const browser = new TestBrowser();
    const { accessToken } = await tokensAt(at(), { sub: 'tess' }, 'main', browser);
    const logout = 'mutation { logout { revokedSessions providerLogoutUrl } }';
    const { providerLogoutUrl } = (await server.gql(logout, {}, accessToken)).expectData().logout;
    const url = new URL(providerLogoutUrl);
    expect(url.searchParams.get('id_token_hint')).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(url.searchParams.get('post_logout_redirect_uri')).toBe(`${server.url}/goodbye`);
    const form = await (await browser.get(url.href)).text();
    expect(form).toContain('op.logoutForm');
    const [kept] = await server.sql(
      "SELECT count(*)::int AS count FROM session_id_tokens t JOIN sessions s ON s.id = t.session_id WHERE s.revoked_at IS NOT NULL AND s.revoked_reason = 'logout'",
    );
    expect(kept).toEqual({ count: 0 });
  });

  it('after a password has nowhere else to go', async () => {
    const token = await server.signIn();
    const logout = 'mutation { logout { revokedSessions providerLogoutUrl } }';
    expect((await server.gql(logout, {}, token)).expectData().logout).toEqual({
      revokedSessions: 1,
      providerLogoutUrl: null,
    });
  });
});

describe('ID tokens', () => {
  const keptOf = (userId: string) =>
    server.sql(
      'SELECT t.session_id FROM session_id_tokens t JOIN sessions s ON s.id = t.session_id WHERE s.user_id = $1',
      [userId.slice(4)],
    );

  it('of all sessions are forgotten with a logout everywhere', async () => {
    const { user, accessToken } = await tokensAt(at(), { sub: 'vera' });
    await tokensAt(at(), { sub: 'vera' });
    expect(await keptOf(user.id)).toHaveLength(2);
    const logout = 'mutation { logout(everywhere: true) { revokedSessions providerLogoutUrl } }';
    expect((await server.gql(logout, {}, accessToken)).expectData().logout).toEqual({
      revokedSessions: 2,
      providerLogoutUrl: expect.stringContaining('id_token_hint='),
    });
    expect(await keptOf(user.id)).toEqual([]);
  });

  it('are forgotten when an admin or the provider ends the sessions', async () => {
    const adminToken = await server.signIn();
    const { user } = await tokensAt(at(), { sub: 'wanda' });
    const end = 'mutation($id: ID!) { endSessions(userId: $id) { revokedSessions } }';
    (await server.gql(end, { id: user.id }, adminToken)).expectData();
    expect(await keptOf(user.id)).toEqual([]);
    await tokensAt(at(), { sub: 'wanda' });
    await send(await provider.control({ sign: { claims: claimsOf({ sub: 'wanda' }) } }));
    expect(await keptOf(user.id)).toEqual([]);
  });

  it('of sessions that end by themselves are forgotten with later sign-ins', async () => {
    await server.sql('DELETE FROM session_id_tokens');
    const { user } = await tokensAt(at(), { sub: 'xenia' });
    const live = await tokensAt(at(), { sub: 'yara' });
    await server.sql("UPDATE sessions SET idle_expires_at = now() - interval '1 hour' WHERE user_id = $1", [
      user.id.slice(4),
    ]);
    const { user: later } = await tokensAt(at(), { sub: 'zoe' });
    expect([await keptOf(user.id), await keptOf(live.user.id), await keptOf(later.id)]).toEqual([
      [],
      [expect.anything()],
      [expect.anything()],
    ]);
  });
});
