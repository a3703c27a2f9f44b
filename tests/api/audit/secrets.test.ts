// Canaries: passwords and tokens are sent through every input, and must not turn up in logs, audit events or answers.
import { describe, expect, it } from '@jest/globals';
import { admin } from '../../kit/harness.js';
import { openSession, refresh, tryGqlLogin, tryLogin } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const canary = 'canary-7Hq-bright-yellow-feathers';
const newCanary = 'canary-9Zx-another-yellow-bird';
const email = 'bird@people.test';

const issued: string[] = [];
const answers: string[] = [];

/** A raw request; what came back is kept for the search. */
async function send(path: string, init: RequestInit): Promise<void> {
  const response = await fetch(server.url + path, init);
  answers.push(await response.text());
}

const json = { 'content-type': 'application/json' };
const gql = (query: string, variables: object = {}, headers: Record<string, string> = {}) =>
  send('/graphql', {
    method: 'POST',
    headers: { ...json, ...headers },
    body: JSON.stringify({ query, variables }),
  });

const server = await useServer({ LOG_LEVEL: 'trace' });
const adminToken = await server.signIn();
issued.push(adminToken);
const made = await server.change(
  'createUser',
  { email, name: 'Bird', password: canary, role: 'ANALYST' },
  'user { id }',
  adminToken,
);
made.expectData();
const tokens = await openSession(server, email, canary);
issued.push(tokens.accessToken, tokens.refreshToken);

async function everywhere(): Promise<[name: string, text: string][]> {
  const rows = await server.sql('SELECT * FROM audit_events');
  return [
    ['logs', JSON.stringify(server.logs)],
    ['audit events', JSON.stringify(rows)],
    ['answers', answers.join('\n')],
  ];
}

describe('a password', () => {
  it('is in no log, audit event or answer, however it was sent', async () => {
    const login = 'mutation($input: LoginInput!) { login(input: $input) { expiresIn } }';
    const literal = `mutation { login(input: { email: "${email}", password: "${canary}" }) { expiresIn } }`;
    await tryLogin(server, email, canary);
    await tryLogin(server, email, `${canary}!`);
    await tryLogin(server, 'nobody@people.test', canary);
    await tryGqlLogin(server, email, canary);
    await gql(literal);
    await gql(literal.replace('expiresIn', 'nothing'));
    await gql(literal.replace('{ expiresIn }', '{'));
    await gql(login, { input: { email, password: canary, more: 1 } });
    await gql(login, { input: { password: canary } });
    await gql(login, { input: { email: 'not an e-mail', password: canary } });
    await send('/api/v1/auth/login', {
      method: 'POST',
      headers: json,
      body: `{"email":"${email}","password":"${canary}"`,
    });
    await send('/api/v1/auth/login', {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ email, password: canary, more: 1 }),
    });
    await send('/api/v1/auth/login', {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ email: 1, password: canary }),
    });
    await send(`/api/v1/auth/login?password=${canary}`, { method: 'POST' });
    await send(`/graphql?query=${encodeURIComponent(literal)}`, { headers: { accept: 'application/json' } });
    await send(`/nowhere?password=${canary}`, {});
    const change = 'mutation($input: ChangePasswordInput!) { changePassword(input: $input) { user { id } } }';
    const authorization = `Bearer ${tokens.accessToken}`;
    await gql(
      change,
      { input: { currentPassword: `${newCanary}?`, newPassword: newCanary } },
      { authorization },
    );
    await gql(change, { input: { currentPassword: canary, newPassword: canary } }, { authorization });
    await gql(change, { input: { currentPassword: canary, newPassword: newCanary } }, { authorization });
    expect((await tryLogin(server, email, newCanary)).status).toBe(200);
    for (const [name, text] of await everywhere()) {
      expect([name, text.includes('canary-')]).toEqual([name, false]);
      expect([name, text.includes('$argon2')]).toEqual([name, false]);
      expect([name, text.includes(admin.password)]).toEqual([name, false]);
    }
  });

  it('is stored only as a hash', async () => {
    const rows = await server.sql('SELECT * FROM users');
    expect(JSON.stringify(rows)).not.toContain('canary-');
    expect(JSON.stringify(rows)).toContain('$argon2id$');
  });
});

describe('a token', () => {
  it('is in no log, audit event or answer to others, and not in the database', async () => {
    const { accessToken, refreshToken } = await openSession(server);
    issued.push(accessToken, refreshToken);
    const next = (await refresh(server, refreshToken)).body;
    await refresh(server, next.refreshToken);
    await refresh(server, refreshToken);
    await gql('{ me { id } }', {}, { authorization: `Bearer ${accessToken}` });
    await gql('{ me { id } }', {}, { authorization: `Bearer ${accessToken}x` });
    await gql('{ me { id } }', {}, { authorization: accessToken });
    await gql(`mutation { refreshToken(refreshToken: "${refreshToken}") { expiresIn } }`);
    await send('/api/v1/auth/refresh', {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ refreshToken, more: 1 }),
    });
    await send(`/api/v1/auth/me?access_token=${accessToken}`, {});
    issued.push(next.accessToken, next.refreshToken);
    const sessions = await server.sql('SELECT * FROM sessions');
    const places = [...(await everywhere()), ['sessions', JSON.stringify(sessions)] as const];
    for (const [name, text] of places) {
      for (const token of issued) {
        const signature = token.split('.')[2] as string;
        expect([name, text.includes(token) || text.includes(signature)]).toEqual([name, false]);
      }
    }
  });
});
