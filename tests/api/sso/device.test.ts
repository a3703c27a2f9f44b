// Signing in on another device (RFC 8628): the command line on a machine without a browser, beside a real provider.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { startTestServer } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { createPkce, startProvider, TestBrowser } from '../../kit/oidc/oidc.js';
import { arrive } from '../../kit/oidc/visitor.js';
import { startCli } from '../../kit/programs/shell.js';
import { meWith } from '../../kit/session.js';
import { atEnd, useFolder, useServer } from '../../kit/use.js';

const home = useFolder();
const provider = await startProvider(['main']);
atEnd(() => provider.stop());
const server = await useServer({
  PORT: String(provider.serverPort),
  OIDC_PROVIDERS: JSON.stringify([provider.settings('main')]),
});
beforeEach(() => provider.control({ set: { lie: {} } }));

const device = '/api/v1/auth/oidc/main/device';
const start = async () => (await server.rest('POST', device, { body: {} })).body;
const poll = (deviceCode: string, codeChallenge: string) =>
  server.rest('POST', `${device}/poll`, { body: { deviceCode, codeChallenge } });

/** What a person does at the provider: opens the address, and says yes or no to the code. */
async function visit(address: string, answer: 'confirm' | 'abort' = 'confirm'): Promise<string> {
  const browser = new TestBrowser();
  const submit = (page: string, more: Record<string, string> = {}) => {
    const field = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(page)?.[1] ?? '';
    const body = new URLSearchParams({ xsrf: field('xsrf'), user_code: field('user_code'), ...more });
    return browser.get(`${provider.issuers[0]}/device`, { method: 'POST', body });
  };
  const form = await (await browser.get(address)).text();
  const confirmation = await (await submit(form)).text();
  const answered = await submit(confirmation, { [answer]: 'yes' });
  const next = answered.headers.get('location');
  if (next === null) return answered.text();
  const { response } = await browser.follow(new URL(next, address).href, 'nowhere:');
  return (await response?.text()) ?? '';
}

describe('a sign-in on another device', () => {
  it('waits until the user has signed in, then gives a one-time code that belongs to the caller', async () => {
    await arrive(provider, { sub: 'remote' });
    const codes = await start();
    expect(codes).toMatchObject({
      userCode: expect.stringMatching(/^[A-Z-]{4,}$/),
      verificationUri: `${provider.issuers[0]}/device`,
      interval: 5,
      expiresIn: expect.any(Number),
    });
    const { verifier, challenge } = createPkce();
    expect((await poll(codes.deviceCode, challenge)).body).toEqual({ state: 'PENDING' });
    expect(await visit(codes.verificationUriComplete)).toContain('Success');
    const { body } = await poll(codes.deviceCode, challenge);
    expect(body).toEqual({ state: 'DONE', code: expect.any(String) });
    const redeem = (codeVerifier: string) =>
      server.rest('POST', '/api/v1/auth/oidc/token', { body: { code: body.code, codeVerifier } });
    const tokens = await redeem(verifier);
    expect(tokens.body.user).toMatchObject({ email: 'remote@idp.test' });
    expect(await meWith(server, tokens.body.accessToken)).toBe('200');
    expect((await redeem(verifier)).status).toBe(401);
    expect((await poll(codes.deviceCode, challenge)).status).toBe(401);
  });

  it('ends when the user refuses, and for a code that the provider does not know', async () => {
    const { challenge } = createPkce();
    const codes = await start();
    await visit(codes.verificationUriComplete, 'abort');
    const refused = await poll(codes.deviceCode, challenge);
    expect([refused.status, refused.body.detail]).toEqual([401, 'The user refused the sign-in.']);
    expect((await poll('made-up', challenge)).body).toMatchObject({
      code: 'UNAUTHENTICATED',
      detail: 'The sign-in failed, or the code has expired or was used already: start again.',
    });
    expect((await poll(codes.deviceCode, 'short')).body.code).toBe('VALIDATION_FAILED');
    const [row] = await server.sql(
      `SELECT outcome FROM audit_events WHERE action = 'auth.login' AND changes->>'reason' = 'access_denied'`,
    );
    expect(row).toEqual({ outcome: 'FAILURE' });
  });

  it('learns that it has to wait longer, and that the code has expired, as the provider says', async () => {
    const { challenge } = createPkce();
    const codes = await start();
    await provider.control({ set: { lie: { tokenError: 'slow_down' } } });
    expect((await poll(codes.deviceCode, challenge)).body).toEqual({ state: 'SLOW_DOWN' });
    await provider.control({ set: { lie: { tokenError: 'expired_token' } } });
    expect((await poll(codes.deviceCode, challenge)).status).toBe(401);
    await provider.control({ set: { lie: {} } });
    expect((await poll(codes.deviceCode, challenge)).body).toEqual({ state: 'PENDING' });
  });

  it.each<[string, object]>([
    ['signed by others', { foreignKey: true }],
    ['without a signature', { alg: 'none' }],
    ['for another client', { claims: { aud: 'other' } }],
  ])('opens nothing for an ID token %s', async (_name, idToken) => {
    await arrive(provider, { sub: 'victim' });
    const codes = await start();
    await visit(codes.verificationUriComplete);
    await provider.control({ set: { lie: { idToken } } });
    expect((await poll(codes.deviceCode, createPkce().challenge)).status).toBe(401);
  });

  it('says so when the provider is down, or has no device codes', async () => {
    const codes = await start();
    await provider.control({ set: { lie: { down: true } } });
    expect((await poll(codes.deviceCode, createPkce().challenge)).status).toBe(503);
    await provider.control({ set: { lie: {} } });
    expect((await server.rest('POST', '/api/v1/auth/oidc/nobody/device', { body: {} })).status).toBe(404);
    const plain = await startTestServer({
      OIDC_PROVIDERS: JSON.stringify([provider.settings('plain', 1)]),
    });
    try {
      await provider.control({ set: { lie: { discovery: { device_authorization_endpoint: null } } } });
      const answer = await plain.rest('POST', '/api/v1/auth/oidc/plain/device', { body: {} });
      expect([answer.status, answer.body.detail]).toEqual([
        404,
        'The identity provider has no device codes.',
      ]);
    } finally {
      await plain.close();
    }
  });
});

const run = (args: string[], more: Record<string, string> = {}) =>
  startCli(server, args, { env: { XDG_CONFIG_HOME: home, ...more } });

describe('sec-tester login --sso', () => {
  it.each<[string, string[], Record<string, string>]>([
    ['with --device', ['--device'], {}],
    ['over SSH', ['--sso'], { SSH_CONNECTION: '192.0.2.1 50000 192.0.2.2 22' }],
  ])('%s shows a code for another device and waits for the user', async (_name, options, env) => {
    await arrive(provider, { sub: 'dora' });
    const { texts, ended } = run(['login', ...options], env);
    await until(() => /Or open (\S+)/.test(texts.err), 'the address');
    expect(texts.err).toMatch(/Open \S+\/device on any device and enter the code [A-Z-]+\n/);
    await visit(/Or open (\S+)/.exec(texts.err)?.[1] ?? '');
    expect(await ended).toBe(0);
    expect(texts.out).toContain('dora <dora@idp.test>');
    expect(await run(['whoami']).ended).toBe(0);
  });
});
