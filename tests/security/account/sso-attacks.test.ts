// Attacks on single sign-on, played against a real identity provider that is made to lie.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startTestServer, type TestServer } from '../../kit/harness.js';
import { type Control, createPkce, frontend, startProvider, TestBrowser } from '../../kit/oidc/oidc.js';
import { arrive, redeem, signInAt, startUrl, tokensAt } from '../../kit/oidc/visitor.js';
import { meWith } from '../../kit/session.js';
import { atEnd, useServer } from '../../kit/use.js';

const at = () => ({ server, provider });
const visitor = { sub: 'victim' };

const provider = await startProvider(['main', 'other']);
atEnd(() => provider.stop());
const server = await useServer({
  PORT: String(provider.serverPort),
  CORS_ORIGINS: frontend,
  OIDC_PROVIDERS: JSON.stringify([provider.settings('main', 0), provider.settings('other', 1)]),
});

beforeEach(async () => {
  await provider.control({ set: { lie: {} } });
});

type Lie = NonNullable<NonNullable<Control['set']>['lie']>;
const lie = (lies: Lie) => provider.control({ set: { lie: lies } });

/** A sign-in as far as the callback, whose URL it does not open. */
async function toCallback(browser: TestBrowser, id = 'main'): Promise<URL> {
  await arrive(provider, visitor);
  return (await browser.follow(startUrl(server, id), `${server.url}/api/v1/auth/oidc/${id}/callback`)).url;
}

/** What the page would get from this callback, or the status of a refusal. */
async function open(browser: TestBrowser, url: URL | string): Promise<string> {
  const answer = await browser.get(String(url));
  const location = answer.headers.get('location');
  if (location === null) return String(answer.status);
  const { origin, searchParams } = new URL(location);
  expect(origin).toBe(frontend);
  return searchParams.get('error') ?? (searchParams.has('code') ? 'code' : 'nothing');
}

it('a full table of sign-ins that nobody finishes lets the next user in', async () => {
  await server.sql(`
    INSERT INTO oidc_sign_ins (state_hash, provider, browser_hash, return_to, expires_at)
    SELECT 'flood ' || n, 'main', '', '', now() + interval '10 minutes' FROM generate_series(1, 100001) AS n`);
  const browser = new TestBrowser();
  expect(await open(browser, await toCallback(browser))).toBe('code');
  await server.sql('DELETE FROM oidc_sign_ins');
});

describe('A callback', () => {
  it('works in the browser that started, and there once', async () => {
    const browser = new TestBrowser();
    const url = await toCallback(browser);
    expect(await open(browser, url)).toBe('code');
    expect(await open(browser, url)).toBe('401');
  });

  it('does not work in another browser, so nobody is signed in as the attacker', async () => {
    const attacker = new TestBrowser();
    const url = await toCallback(attacker);
    expect(await open(new TestBrowser(), url)).toBe('401');
    const victim = new TestBrowser();
    await toCallback(victim);
    expect(await open(victim, await toCallback(new TestBrowser()))).toBe('401');
    expect(await open(attacker, url)).toBe('401');
  });

  it('with the code of another sign-in is refused: PKCE and nonce belong to one', async () => {
    const [attacker, victim] = [new TestBrowser(), new TestBrowser()];
    const [own, stolen] = [await toCallback(attacker), await toCallback(victim)];
    own.searchParams.set('code', stolen.searchParams.get('code') ?? '');
    expect(await open(attacker, own)).toBe('sign_in_failed');
  });

  it('with swapped states is refused, also between two tabs of one browser', async () => {
    const browser = new TestBrowser();
    const [one, other] = [await toCallback(browser), await toCallback(browser)];
    const state = one.searchParams.get('state') ?? '';
    one.searchParams.set('state', other.searchParams.get('state') ?? '');
    expect(await open(browser, one)).toBe('sign_in_failed');
    other.searchParams.set('state', `${state.startsWith('A') ? 'B' : 'A'}${state.slice(1)}`);
    expect(await open(browser, other)).toBe('401');
  });

  it('of another provider is refused (mixed-up issuers)', async () => {
    const browser = new TestBrowser();
    const url = await toCallback(browser);
    expect(await open(browser, url.href.replace('/main/', '/other/'))).toBe('401');
    const again = await toCallback(browser);
    again.searchParams.set('iss', provider.issuers[1]);
    expect(await open(browser, again)).toBe('sign_in_failed');
  });

  it('after ten minutes is too late', async () => {
    const browser = new TestBrowser();
    const url = await toCallback(browser);
    await server.sql(`UPDATE oidc_sign_ins SET expires_at = now() - interval '1 second'`);
    expect(await open(browser, url)).toBe('401');
  });
});

describe('An ID token', () => {
  it.each<[string, Lie]>([
    ['without a signature (alg none)', { idToken: { alg: 'none' } }],
    ['signed with a key of others', { idToken: { foreignKey: true } }],
    ['of another issuer', { idToken: { claims: { iss: 'https://evil.example' } } }],
    ['for another client', { idToken: { claims: { aud: 'somebody-else' } } }],
    ['with a swapped nonce', { idToken: { claims: { nonce: 'another' } } }],
    [
      'that names a key of its own',
      { idToken: { foreignKey: true, header: { jku: 'https://evil.example/keys' } } },
    ],
    ['without a subject', { idToken: { claims: { sub: '' } } }],
    ['of a clock 10 minutes behind', { idToken: {}, shiftSeconds: -600 }],
    ['of a clock 10 minutes ahead', { idToken: {}, shiftSeconds: 600 }],
    ['that has expired', { idToken: { claims: { exp: 1_700_000_000 } } }],
  ])('%s opens nothing', async (_name, lies) => {
    await lie(lies);
    expect(await signInAt(at(), visitor)).toMatchObject({ code: null, error: 'sign_in_failed' });
    const [failure] = await server.sql(
      `SELECT outcome, changes->>'provider' AS provider FROM audit_events WHERE action = 'auth.login' ORDER BY id DESC LIMIT 1`,
    );
    expect(failure).toEqual({ outcome: 'FAILURE', provider: 'main' });
  });

  it.each([-240, 240])('of a clock that is off by %d seconds is valid', async (shiftSeconds) => {
    await lie({ idToken: {}, shiftSeconds });
    expect(await signInAt(at(), visitor)).toMatchObject({ error: null });
  });

  it('of a key that the provider has withdrawn opens nothing after five minutes', async () => {
    await tokensAt(at(), visitor);
    await lie({ idToken: {} });
    expect(await signInAt(at(), visitor)).toMatchObject({ error: null });
    const token = await provider.control({ sign: { claims: logoutClaims() } });
    await provider.control({ rotate: 0 });
    server.clock.advance(5 * 60_000 + 1000);
    const answer = await fetch(`${server.url}/api/v1/auth/oidc/main/backchannel-logout`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: token }),
    });
    expect(answer.status).toBe(400);
    server.clock.advance(-(5 * 60_000 + 1000));
  });
});

/** A logout token that is valid for longer than its key. */
function logoutClaims(): object {
  const iat = Math.floor(server.clock.now() / 1000);
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  const times = { iat, exp: iat + 3600 };
  return {
    iss: provider.issuers[0],
    aud: 'sec-tester',
    sub: 'x',
    jti: crypto.randomUUID(),
    events,
    ...times,
  };
}

describe('The page that gets the code', () => {
  it.each([
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example/',
    'https:evil.example',
    `${frontend}.evil.example/`,
    `https://app.example.test@evil.example/`,
    `${frontend.replace('https', 'http')}/`,
    'javascript:alert(1)',
    'data:text/html,x',
    `http://localhost:1234/?x=1`,
    `${'/'.repeat(3)}evil.example`,
  ])('cannot be %s', async (page) => {
    const url = `${server.url}/api/v1/auth/oidc/main?returnTo=${encodeURIComponent(page)}`;
    const answer = await new TestBrowser().get(url);
    expect([answer.status, answer.headers.get('location')]).toEqual([400, null]);
  });

  it('can be on this computer only with a challenge', async () => {
    const page = encodeURIComponent('http://127.0.0.1:4321/done');
    const start = `${server.url}/api/v1/auth/oidc/main?returnTo=${page}`;
    expect((await new TestBrowser().get(start)).status).toBe(400);
    const { challenge } = createPkce();
    expect((await new TestBrowser().get(`${start}&codeChallenge=${challenge}`)).status).toBe(302);
  });

  it('gets a code that a wrong verifier uses up', async () => {
    const { verifier, challenge } = createPkce();
    const { browser, code } = await signInAt(at(), visitor, { query: `&codeChallenge=${challenge}` });
    expect((await redeem(server, browser, { code, codeVerifier: createPkce().verifier })).status).toBe(401);
    expect((await redeem(server, browser, { code, codeVerifier: verifier })).status).toBe(401);
  });
});

describe('A provider', () => {
  let fresh: TestServer;
  beforeAll(async () => {
    fresh = await startTestServer({
      DATABASE_URL: server.databaseUrl,
      CORS_ORIGINS: frontend,
      OIDC_PROVIDERS: JSON.stringify([provider.settings('main', 0)]),
    });
  });
  afterAll(() => fresh.close());

  it.each<[string, Lie]>([
    ['names another issuer', { discovery: { issuer: 'https://evil.example' } }],
    [
      'sends browsers to a page without https',
      { discovery: { authorization_endpoint: 'javascript:alert(1)' } },
    ],
    ['has no keys', { discovery: { jwks_uri: null } }],
    ['does not answer', { hang: true }],
  ])('that %s in its metadata is not asked, and passwords go on', async (_name, lies) => {
    await lie(lies);
    fresh.clock.advance(4000); // a failure is cached for three seconds
    const waiting = new TestBrowser().get(startUrl(fresh, 'main'));
    expect(await meWith(fresh, await fresh.signIn())).toBe('200');
    expect((await waiting).status).toBe(503);
  });
});

it('leaves no code, state or token in the log', async () => {
  const browser = new TestBrowser();
  const url = await toCallback(browser);
  const { location } = Object.fromEntries((await browser.get(url.href)).headers);
  const code = new URL(location as string).searchParams.get('code') as string;
  const body = (await (await redeem(server, browser, { code })).json()) as { accessToken: string };
  const log = JSON.stringify(server.logs);
  for (const secret of [
    code,
    body.accessToken,
    ...['code', 'state'].map((name) => url.searchParams.get(name) as string),
  ])
    expect(log).not.toContain(secret);
});
