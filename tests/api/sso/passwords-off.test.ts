// A server without passwords but for one admin: what still works, and the ways in that the page and the command line offer.
import { expect, it } from '@jest/globals';
import { loadConfig } from '../../../src/config/load.js';
import { admin } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { frontend, startProvider, TestBrowser } from '../../kit/oidc/oidc.js';
import { arrive, tokensAt } from '../../kit/oidc/visitor.js';
import { cliAt, startCli } from '../../kit/programs/shell.js';
import { password } from '../../kit/seed.js';
import { tryLogin } from '../../kit/session.js';
import { atEnd, useFolder, useServer } from '../../kit/use.js';

const home = useFolder();
const provider = await startProvider(['main']);
atEnd(() => provider.stop());
const server = await useServer({
  PORT: String(provider.serverPort),
  CORS_ORIGINS: frontend,
  GRAPHIQL: 'true',
  PASSWORD_SIGN_IN: 'false',
  BREAK_GLASS_ADMIN: admin.email.toUpperCase(),
  OIDC_PROVIDERS: JSON.stringify([provider.settings('main')]),
});
const adminToken = await server.signIn();

it('lets in the break-glass admin with a password, and nobody else', async () => {
  const { user } = await tokensAt({ server, provider }, { sub: 'ada' });
  const sql =
    'UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE email = $1), role = $3 WHERE id = $2';
  await server.sql(sql, [admin.email, user.id.slice(4), 'ADMIN']);
  const answer = await tryLogin(server, user.email, admin.password);
  expect([answer.status, answer.body.code]).toEqual([401, 'INVALID_CREDENTIALS']);
  expect((await tryLogin(server, admin.email, admin.password)).status).toBe(200);
});

it('gives nobody a new password', async () => {
  const create = 'mutation($input: CreateUserInput!) { createUser(input: $input) { invitation { token } } }';
  const input = { email: 'guest@idp.test', name: 'Guest', role: 'VIEWER' };
  (await server.gql(create, { input: { ...input, password } }, adminToken)).expectError('VALIDATION_FAILED');
  const { token } = (await server.gql(create, { input }, adminToken)).expectData().createUser.invitation;
  const choice = await server.rest('POST', '/api/v1/auth/password', {
    body: { token, newPassword: password },
  });
  expect([choice.status, choice.body.code]).toEqual([403, 'FORBIDDEN']);
  const person = await tokensAt({ server, provider }, { sub: 'bob' });
  const change = { currentPassword: password, newPassword: 'otter bicycle 5521 velvet plain' };
  const changed = await server.rest('POST', '/api/v1/auth/change-password', {
    body: change,
    token: person.accessToken,
  });
  expect([changed.status, changed.body.code]).toEqual([403, 'FORBIDDEN']);
});

it('says so to sign-in pages', async () => {
  const { body } = await server.rest('GET', '/api/v1/auth/providers');
  expect(body).toMatchObject({ passwords: false, providers: [{ id: 'main' }] });
});

it('refuses settings that would lock everybody out', () => {
  const base = { NODE_ENV: 'test', PASSWORD_SIGN_IN: 'false' };
  const OIDC_PROVIDERS = JSON.stringify([provider.settings('main')]);
  expect(() => loadConfig({ ...base, BREAK_GLASS_ADMIN: 'a@b.test' })).toThrow(/expected OIDC_PROVIDERS/);
  expect(() => loadConfig({ ...base, OIDC_PROVIDERS })).toThrow(/BREAK_GLASS_ADMIN: not set/);
});

it.each<[string, object, RegExp]>([
  ['http', { allowInsecure: false }, /provider 1: issuer to begin with https/],
  ['unknown fields', { groupClaim: 'x' }, /provider 1: not to have groupClaim/],
  ['roles that do not exist', { roles: { a: 'ROOT' } }, /provider 1: roles.a to be one of ADMIN/],
  ['scopes without openid', { scopes: ['email'] }, /provider 1: scopes to include openid/],
  [
    'files that cannot be read',
    { clientSecret: undefined, clientSecretFile: '/no/such' },
    /to name a readable file/,
  ],
])('refuses providers with %s, without showing a secret', (_name, more, expected) => {
  const OIDC_PROVIDERS = JSON.stringify([provider.settings('main', 0, more)]);
  const load = () => loadConfig({ NODE_ENV: 'test', OIDC_PROVIDERS });
  expect(load).toThrow(expected);
  expect(load).not.toThrow(/a-client-secret/);
});

it('leads from GraphiQL to the provider and back to it', async () => {
  await arrive(provider, { sub: 'cleo' });
  const browser = new TestBrowser();
  const start = `${server.url}/api/v1/auth/oidc/main?returnTo=${encodeURIComponent('/graphql')}`;
  const { url } = await browser.follow(start, `${server.url}/graphql?`);
  const page = await browser.get(url.href, { headers: { accept: 'text/html' } });
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  expect(await page.text()).toContain('id="sign-in-providers"');
});

it('signs in the command line by the browser', async () => {
  await arrive(provider, { sub: 'dora' });
  const env = { XDG_CONFIG_HOME: home };
  const { texts, ended } = startCli(server, ['login', '--sso'], { env });
  await until(() => /browser: (\S+)\n/.test(texts.err), 'the address');
  const address = /browser: (\S+)\n/.exec(texts.err)?.[1] as string;
  const page = new URL(address).searchParams.get('returnTo') as string;
  const browser = new TestBrowser();
  expect((await fetch(new URL('/favicon.ico', page))).status).toBe(404);
  const { url } = await browser.follow(address, page);
  expect(await (await fetch(url)).text()).toMatch(/You are signed in/);
  expect(await ended).toBe(0);
  expect(texts.out).toContain('dora <dora@idp.test>');
  expect(await cliAt(server, ['whoami'], { env })).toMatchObject({ code: 0 });
});
