// Signing in at a real identity provider (oidc-provider, a process of its own): accounts, groups, codes, and its loss.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { type TOTP, URI } from 'otpauth';
import { hasRedis } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { createPkce, frontend, startProvider, TestBrowser } from '../../kit/oidc/oidc.js';
import { redeem as redeemAt, signInAt, startUrl, tokensAt, type Visitor } from '../../kit/oidc/visitor.js';
import { Authenticator } from '../../kit/passkeys/authenticator.js';
import { createOwner, proofOf, tryEnrol } from '../../kit/passkeys/passkeys.js';
import { createProject } from '../../kit/projects.js';
import { createPerson, password } from '../../kit/seed.js';
import { meWith } from '../../kit/session.js';
import { atEnd, useServer } from '../../kit/use.js';

const roles = { '/sec/admins': 'ADMIN', analysts: 'ANALYST' };
const projects = { 'team-web': { web: 'ANALYST' } };

const provider = await startProvider(['main', 'other', 'invited', 'joining', 'nested']);
atEnd(() => provider.stop());
const redis: Record<string, string> = hasRedis ? { REDIS_URL: process.env.TEST_REDIS_URL as string } : {};
const server = await useServer({
  ...redis,
  PORT: String(provider.serverPort),
  CORS_ORIGINS: frontend,
  OIDC_PROVIDERS: JSON.stringify([
    provider.settings('main', 0, { roles, projects, postLogoutRedirectUri: undefined }),
    provider.settings('invited', 0, { clientId: 'sec-tester-2', provision: false }),
    provider.settings('joining', 0, { clientId: 'sec-tester-3', joinByEmail: true }),
    provider.settings('other', 1),
  ]),
});
let adminToken = await server.signIn();
(
  await server.gql(
    'mutation { createProject(input: { key: "web", name: "Web", visibility: PRIVATE }) { project { id } } }',
    {},
    adminToken,
  )
).expectData();

beforeEach(async () => {
  await provider.control({ set: { lie: {} } });
});

const signIn = (visitor: Visitor, options?: Parameters<typeof signInAt>[2]) =>
  signInAt({ server, provider }, visitor, options);
const tokensOf = (visitor: Visitor, id?: string) => tokensAt({ server, provider }, visitor, id);
const redeem = (browser: TestBrowser, body: object) => redeemAt(server, browser, body);

const membershipsOf = async (userId: string) =>
  server.sql<{ key: string; role: string; provider: string | null }>(
    `SELECT p.key, m.role::text, m.provider FROM project_members m JOIN projects p ON p.id = m.project_id
     WHERE m.user_id = $1`,
    [userId.slice(4)],
  );

describe('A sign-in at an identity provider', () => {
  it('creates an account at the first time and finds it by issuer and subject at the next', async () => {
    const first = await tokensOf({ sub: 'ana' });
    expect(first.user).toMatchObject({ email: 'ana@idp.test', role: 'VIEWER', status: 'ACTIVE' });
    expect(await meWith(server, first.accessToken)).toBe('200');
    const next = await tokensOf({ sub: 'ana', claims: { email: 'ana.new@idp.test' } });
    expect(next.user).toMatchObject({ id: first.user.id, email: 'ana@idp.test' });
    const refreshed = await server.rest('POST', '/api/v1/auth/refresh', {
      body: { refreshToken: next.refreshToken },
    });
    expect(refreshed.status).toBe(200);
    const events = await server.gql(
      'query($id: ID!) { auditEvents(first: 20, filter: { targetId: $id }) { nodes { action actorLabel } } }',
      { id: first.user.id },
      adminToken,
    );
    expect(JSON.stringify(events.body)).toContain('identity.link');
  });

  it('costs few statements, for it shares the database with all other requests', async () => {
    const visitor = { sub: 'frugal' };
    await tokensOf(visitor, 'other');
    const before = server.logs.length;
    await tokensOf(visitor, 'other');
    const costs = () =>
      server.logs
        .slice(before)
        .filter(({ event, route }) => event === 'request' && String(route).startsWith('/api/v1/auth/oidc/'))
        .map(({ route, dbQueries }) => [route, dbQueries]);
    await until(() => costs().length === 3, 'the requests of a sign-in');
    expect(costs()).toEqual([
      ['/api/v1/auth/oidc/{provider}', 1],
      ['/api/v1/auth/oidc/{provider}/callback', 7],
      // Two, and a transaction that looks for sessions beyond the limit: tests may have more attempts at once than sessions.
      ['/api/v1/auth/oidc/token', 5],
    ]);
  });

  it('is the way to the providers that sign-in pages list', async () => {
    const { body } = await server.rest('GET', '/api/v1/auth/providers');
    expect(body.providers[0]).toEqual({
      id: 'main',
      name: 'Provider main',
      startPath: '/api/v1/auth/oidc/main',
    });
  });

  it('ends at once when the user is deactivated, and opens no more', async () => {
    const { accessToken, user } = await tokensOf({ sub: 'bea' });
    const deactivate = 'mutation($id: ID!) { deactivateUser(id: $id) { user { status } } }';
    (await server.gql(deactivate, { id: user.id }, adminToken)).expectData();
    expect(await meWith(server, accessToken)).toBe('401 TOKEN_REVOKED');
    expect(await signIn({ sub: 'bea' })).toMatchObject({ code: null, error: 'deactivated' });
  });

  it('asks for the second factor that the user has here, unless the provider has asked for one', async () => {
    const me = { sub: 'two-factors' };
    const { accessToken, user } = await tokensOf(me);
    const enrol = 'mutation { enrolSecondFactor { uri } }';
    const { uri } = (await server.gql(enrol, {}, accessToken)).expectData().enrolSecondFactor;
    const codeNow = () => {
      server.clock.advance(30_000);
      return (URI.parse(uri) as TOTP).generate({ timestamp: server.clock.now() });
    };
    const confirm = 'mutation($code: String!) { confirmSecondFactor(code: $code) { recoveryCodes } }';
    (await server.gql(confirm, { code: codeNow() }, accessToken)).expectData();

    const { browser, code } = await signIn(me);
    const answer = async (body: object, by = browser) => {
      const response = await redeem(by, body);
      return response.status === 200 ? 'signed in' : ((await response.json()) as { code: string }).code;
    };
    expect(await answer({ code })).toBe('SECOND_FACTOR_REQUIRED');
    expect(await answer({ code, secondFactorCode: '000000' })).toBe('INVALID_CREDENTIALS');
    expect(await answer({ code, secondFactorCode: codeNow() })).toBe('signed in');
    expect(await answer({ code, secondFactorCode: codeNow() })).toBe('UNAUTHENTICATED');
    const thief = await signIn(me);
    expect(await answer({ code: thief.code }, new TestBrowser())).toBe('UNAUTHENTICATED');
    const [row] = await server.sql(
      'SELECT is_multi_factor FROM sessions WHERE user_id = $1 ORDER BY id DESC LIMIT 1',
      [user.id.slice(4)],
    );
    expect(row).toEqual({ is_multi_factor: true });

    await provider.control({ set: { lie: { idToken: { claims: { amr: ['mfa'] } } } } });
    expect((await tokensOf(me)).user.id).toBe(user.id);
  });

  it('takes a passkey as the second factor that the user has here, but nobody else’s', async () => {
    // Without PUBLIC_URL passkeys belong to localhost at the server's port.
    const origin = `http://localhost:${provider.serverPort}`;
    const me = { sub: 'with-passkey' };
    const authenticator = new Authenticator(origin);
    expect((await tryEnrol(server, (await tokensOf(me)).accessToken, authenticator)).status).toBe(200);
    const other = await createOwner(server, adminToken, new Authenticator(origin));
    const { browser, code } = await signIn(me);
    const answer = async (more: object) => {
      const response = await redeem(browser, { code, ...more });
      return response.status === 200 ? 'signed in' : ((await response.json()) as { code: string }).code;
    };
    expect(await answer({})).toBe('SECOND_FACTOR_REQUIRED');
    expect(await answer({ passkey: await proofOf(server, other.authenticator) })).toBe('INVALID_CREDENTIALS');
    expect(await answer({ passkey: await proofOf(server, authenticator) })).toBe('signed in');
  });

  it('counts as one with a second factor when the provider says so', async () => {
    await provider.control({ set: { lie: { idToken: { claims: { amr: ['pwd', 'mfa'] } } } } });
    const { user } = await tokensOf({ sub: 'mfa-user' });
    const [row] = await server.sql('SELECT is_multi_factor FROM sessions WHERE user_id = $1', [
      user.id.slice(4),
    ]);
    expect(row).toEqual({ is_multi_factor: true });
  });

  it.each<[string, Record<string, unknown>, string | null]>([
    ['a name that is cut within a character', { name: `${'x'.repeat(199)}😀 y` }, 'x'.repeat(199)],
    ['a name of control characters', { name: '\u0000\u0007' }, null],
    ['a name of half a character', { name: 'Zo\ud83d' }, 'Zo'],
  ])('takes %s', async (_title, claims, name) => {
    const sub = `name-${name?.length ?? 'none'}`;
    const { accessToken, user } = await tokensOf({ sub, claims });
    const { me } = (await server.gql('{ me { name } }', {}, accessToken)).expectData();
    expect(me.name).toBe(name ?? user.email);
  });

  it('takes no session of the provider that cannot be stored', async () => {
    await provider.control({ set: { lie: { idToken: { claims: { sid: 'a\u0000b' } } } } });
    const { user } = await tokensOf({ sub: 'odd-session' });
    expect(
      await server.sql('SELECT provider_sid FROM sessions WHERE user_id = $1', [user.id.slice(4)]),
    ).toEqual([{ provider_sid: null }]);
  });

  it('that fails for a reason of control characters reaches the page as an error', async () => {
    await provider.control({ set: { sub: 'ana' } });
    const browser = new TestBrowser();
    const { url } = await browser.follow(
      startUrl(server, 'main'),
      `${server.url}/api/v1/auth/oidc/main/callback`,
    );
    url.searchParams.delete('code');
    url.searchParams.set('error', `${'x'.repeat(199)}😀\u0000`);
    const end = await browser.follow(url.href, frontend);
    expect(end.url.searchParams.get('error')).toBe('sign_in_failed');
  });

  it('says that the user refused, and lets the page begin again', async () => {
    await provider.control({ set: { sub: null } });
    const start = startUrl(server, 'main');
    const { url } = await new TestBrowser().follow(start, frontend);
    expect(url.searchParams.get('error')).toBe('access_denied');
  });
});

describe('An account that exists', () => {
  it('is not joined by e-mail unless the settings allow it', async () => {
    const person = await createPerson(server, adminToken, 'ANALYST');
    expect(await signIn({ sub: 'stranger-1', claims: { email: person.email } })).toMatchObject({
      code: null,
      error: 'account_exists',
    });
    expect(await server.signIn(person.email, password)).toMatch(/\./);
  });

  it('is joined by a verified e-mail address where the settings allow it, and by no other', async () => {
    const person = await createPerson(server, adminToken, 'ANALYST');
    const claims = { email: person.email.toUpperCase() };
    const unverified = { sub: 'joiner', claims: { ...claims, email_verified: false } };
    expect(await signIn(unverified, { id: 'joining' })).toMatchObject({ error: 'account_exists' });
    const { user } = await tokensOf({ sub: 'joiner', claims }, 'joining');
    expect(user).toMatchObject({ id: person.id, role: 'ANALYST' });
  });

  it('is never joined by e-mail when another identity, an admin’s password or a second factor protects it', async () => {
    const refused = (sub: string, email: string) =>
      expect(signIn({ sub, claims: { email } }, { id: 'joining' })).resolves.toMatchObject({
        error: 'account_exists',
      });
    const [admin, taken, strong] = [
      await createPerson(server, adminToken, 'ADMIN'),
      await tokensOf({ sub: 'first-identity' }),
      await createPerson(server, adminToken, 'VIEWER'),
    ];
    const sql = `INSERT INTO second_factors (user_id, secret, created_at, confirmed_at) VALUES ($1, '\\x00', now(), now())`;
    await server.sql(sql, [strong.id.slice(4)]);
    await refused('thief-1', admin.email);
    await refused('thief-2', taken.user.email);
    await refused('thief-3', strong.email);
  });

  it('is needed where the settings provision none: only invited users get in', async () => {
    expect(await signIn({ sub: 'uninvited' }, { id: 'invited' })).toMatchObject({ error: 'not_invited' });
    const invite =
      'mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } invitation { token } } }';
    const input = { email: 'guest@idp.test', name: 'Guest', role: 'ANALYST' };
    const { user, invitation } = (await server.gql(invite, { input }, adminToken)).expectData().createUser;
    expect((await tokensOf({ sub: 'guest' }, 'invited')).user).toMatchObject({
      id: user.id,
      role: 'ANALYST',
    });
    const choice = { token: invitation.token, newPassword: password };
    expect((await server.rest('POST', '/api/v1/auth/password', { body: choice })).status).toBe(401);
  });
});

describe('Groups', () => {
  const groups = (...names: string[]) => ({ groups: names });

  it('give the greatest role and memberships, also as full paths, and take them away when they vanish', async () => {
    const sub = 'grace';
    const admin = await tokensOf({ sub, claims: groups('sec/admins', '/analysts', 'team-web') });
    expect(admin.user.role).toBe('ADMIN');
    expect(await membershipsOf(admin.user.id)).toEqual([{ key: 'web', role: 'ANALYST', provider: 'main' }]);
    const analyst = await tokensOf({ sub, claims: groups('/analysts') });
    expect(analyst.user.role).toBe('ANALYST');
    expect(await membershipsOf(analyst.user.id)).toEqual([]);
    const none = await tokensOf({ sub, claims: groups() });
    expect(none.user.role).toBe('VIEWER');
    expect(await meWith(server, admin.accessToken)).toBe('200');
  });

  it('count among more than 200 of them', async () => {
    const many = Array.from({ length: 400 }, (_, index) => `group-${index}`);
    const { user } = await tokensOf({ sub: 'many', claims: groups(...many, 'analysts') });
    expect(user.role).toBe('ANALYST');
  });

  it('are not mistaken by the last part of a path', async () => {
    const { user } = await tokensOf({ sub: 'liar', claims: groups('/elsewhere/analysts', '/x/sec/admins') });
    expect(user.role).toBe('VIEWER');
  });

  it('that the provider keeps back give the least, and say so in the log', async () => {
    const sub = 'overage';
    expect((await tokensOf({ sub, claims: groups('analysts') })).user.role).toBe('ANALYST');
    const { user } = await tokensOf({ sub, claims: { _claim_names: { groups: 'src1' } } });
    expect(user.role).toBe('VIEWER');
    expect(server.logs).toContainEqual(
      expect.objectContaining({ event: 'identity_groups_missing', state: 'OVERAGE' }),
    );
  });

  it('never touch memberships that an admin has set', async () => {
    const { user } = await tokensOf({ sub: 'manual' });
    const set =
      'mutation($u: ID!) { setProjectMember(key: "web", userId: $u, role: VIEWER) { project { id } } }';
    (await server.gql(set, { u: user.id }, adminToken)).expectData();
    await tokensOf({ sub: 'manual', claims: groups('team-web') });
    expect(await membershipsOf(user.id)).toEqual([{ key: 'web', role: 'VIEWER', provider: null }]);
  });

  it('are mapped by admins too, and not by others', async () => {
    const set = `mutation($input: SetGroupMappingInput!) { setGroupMapping(input: $input) {
      groupMapping { id group role project { key } projectRole } } }`;
    const input = { provider: 'main', group: 'graph', project: 'web', projectRole: 'VIEWER' };
    const analyst = await createPerson(server, adminToken, 'ANALYST');
    (await server.gql(set, { input }, analyst.token)).expectError('FORBIDDEN');
    (await server.gql(set, { input: { ...input, provider: 'no' } }, adminToken)).expectError(
      'VALIDATION_FAILED',
    );
    const made = (await server.gql(set, { input }, adminToken)).expectData().setGroupMapping.groupMapping;
    expect(made).toMatchObject({
      group: 'graph',
      role: null,
      project: { key: 'web' },
      projectRole: 'VIEWER',
    });
    const { user } = await tokensOf({ sub: 'mapped', claims: groups('graph') });
    expect(await membershipsOf(user.id)).toEqual([{ key: 'web', role: 'VIEWER', provider: 'main' }]);
    const remove = 'mutation($id: ID!) { deleteGroupMapping(id: $id) { deletedId } }';
    (await server.gql(remove, { id: made.id }, adminToken)).expectData();
    const list = await server.gql('{ groupMappings { id } }', {}, adminToken);
    expect(list.expectData().groupMappings).toEqual([]);
    await tokensOf({ sub: 'mapped', claims: groups('graph') });
    expect(await membershipsOf(user.id)).toEqual([]);
  });
});

describe('Mappings of admins', () => {
  const set =
    'mutation($input: SetGroupMappingInput!) { setGroupMapping(input: $input) { groupMapping { role } } }';
  const fill = `INSERT INTO group_mappings (id, provider, group_name, role, created_at)
    SELECT gen_random_uuid(), 'other', 'filler ' || n, 'VIEWER', now() FROM generate_series(1, 1000) n`;

  it('can be replaced when there is room for no more', async () => {
    await server.sql(fill);
    const input = { provider: 'other', group: 'filler 7', role: 'ANALYST' };
    expect((await server.gql(set, { input }, adminToken)).expectData().setGroupMapping.groupMapping).toEqual({
      role: 'ANALYST',
    });
    (await server.gql(set, { input: { ...input, group: 'one more' } }, adminToken)).expectError('CONFLICT');
    await server.sql('DELETE FROM group_mappings');
  });

  it('name no project that is being deleted', async () => {
    await createProject(server, adminToken, { key: 'going' });
    await server.sql("UPDATE projects SET deleted_at = now() WHERE key = 'going'");
    const input = { provider: 'other', group: 'g', project: 'going', projectRole: 'VIEWER' };
    (await server.gql(set, { input }, adminToken)).expectError('NOT_FOUND');
  });
});

describe('An identity', () => {
  const listed =
    'query($id: ID!) { user(id: $id) { identities { id provider issuer subject lastLoginAt } } }';
  const unlink = 'mutation($id: ID!) { unlinkIdentity(id: $id) { user { id identities { id } } } }';

  it('is unlinked by an admin: its sessions and codes end, and it has no way back by itself', async () => {
    const { accessToken, user } = await tokensOf({ sub: 'wrong-link' });
    const own = await server.gql('{ me { identities { subject } } }', {}, accessToken);
    expect(own.expectData().me.identities).toEqual([{ subject: 'wrong-link' }]);
    const waiting = await signIn({ sub: 'wrong-link' });
    const { identities } = (await server.gql(listed, { id: user.id }, adminToken)).expectData().user;
    expect(identities).toEqual([
      {
        id: expect.stringMatching(/^idn_/),
        provider: 'main',
        issuer: provider.issuers[0],
        subject: 'wrong-link',
        lastLoginAt: expect.any(String),
      },
    ]);
    const { id } = identities[0];
    (await server.gql(unlink, { id }, accessToken)).expectError('FORBIDDEN');
    expect((await server.gql(unlink, { id }, adminToken)).expectData().unlinkIdentity.user).toEqual({
      id: user.id,
      identities: [],
    });
    expect(await meWith(server, accessToken)).toBe('401 TOKEN_REVOKED');
    expect((await redeem(waiting.browser, { code: waiting.code })).status).toBe(401);
    expect(await signIn({ sub: 'wrong-link' })).toMatchObject({ code: null, error: 'account_exists' });
    (await server.gql(unlink, { id }, adminToken)).expectError('NOT_FOUND');
    const [event] = await server.sql(
      "SELECT changes->>'subject' AS subject, changes->>'revokedSessions' AS sessions FROM audit_events WHERE action = 'identity.unlink' AND target_id = $1",
      [user.id.slice(4)],
    );
    expect(event).toEqual({ subject: 'wrong-link', sessions: '1' });
  });
});

describe('A one-time code', () => {
  it('works once', async () => {
    const { browser, code } = await signIn({ sub: 'once' });
    expect((await redeem(browser, { code })).status).toBe(200);
    expect((await redeem(browser, { code })).status).toBe(401);
  });

  it('works for a minute', async () => {
    const { browser, code } = await signIn({ sub: 'late' });
    server.clock.advance(61_000);
    expect((await redeem(browser, { code })).status).toBe(401);
  });

  it('is of no use in another browser', async () => {
    const { code } = await signIn({ sub: 'stolen' });
    expect((await redeem(new TestBrowser(), { code })).status).toBe(401);
  });

  it('that began with a challenge needs the verifier, and no cookie', async () => {
    const { verifier, challenge } = createPkce();
    const query = `&codeChallenge=${challenge}`;
    const one = await signIn({ sub: 'pkce' }, { query });
    expect((await redeem(one.browser, { code: one.code })).status).toBe(401);
    const other = await signIn({ sub: 'pkce' }, { query });
    expect((await redeem(new TestBrowser(), { code: other.code, codeVerifier: verifier })).status).toBe(200);
  });
});

describe('New keys of the provider', () => {
  it('are found at once', async () => {
    await tokensOf({ sub: 'ana' });
    server.clock.advance(10_000);
    await provider.control({ rotate: 0 });
    await tokensOf({ sub: 'ana' });
  });
});

describe('The loss of the provider', () => {
  it('stops neither passwords nor API keys, and ends with it', async () => {
    await provider.control({ set: { lie: { down: true } } });
    server.clock.advance(2 * 60 * 60_000);
    const start = startUrl(server, 'main');
    const answer = await new TestBrowser().get(start);
    expect({ status: answer.status, retry: answer.headers.get('retry-after') }).toEqual({
      status: 503,
      retry: '5',
    });
    const token = await server.signIn();
    expect(await meWith(server, token)).toBe('200');
    await provider.control({ set: { lie: {} } });
    server.clock.advance(5000);
    await until(async () => (await new TestBrowser().get(start)).status === 302, 'a provider that is back');
    adminToken = token;
  });

  it('between the start and the way back reaches the page as an error', async () => {
    await provider.control({ set: { sub: 'ana' } });
    const browser = new TestBrowser();
    const start = startUrl(server, 'main');
    const { url } = await browser.follow(start, `${server.url}/api/v1/auth/oidc/main/callback`);
    await provider.control({ set: { lie: { down: true } } });
    const end = await browser.follow(url.href, frontend);
    expect(end.url.searchParams.get('error')).toBe('provider_unavailable');
  });
});
