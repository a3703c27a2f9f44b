// Attack: read secrets where they should not be: logs, audit events, the database, Redis, the process list.
// Canaries go in through every input, failing paths too; then everything that is kept is searched for them.
// ASVS 16.2.5 (no credentials in logs), 14.2.1 (nothing sensitive in URLs is kept), 13.3.1 (no secrets in argv).
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import WebSocket from 'ws';
import { admin, hasRedis } from '../../kit/harness.js';
import { createPerson, password } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const canary = {
  password: 'Canary-pAss-5w0rd-quite-long',
  newPassword: 'Canary-new-pAss-5w0rd-long',
  email: 'canary-unknown@birds.test',
  token: `eyJhbGciOiJub25lIn0.${Buffer.from('{"canary":"token"}').toString('base64url')}.Q2FuYXJ5VG9rZW4`,
  key: 'stk_0123456789abcdef_CanaryKeySecret0123456789abcdef',
};
const argon2 = '$argon2id$';

/** Real ones, issued on the way. */
const issued: string[] = [];

const server = await useServer({
  LOG_LEVEL: 'trace',
  AUDIT_SEAL_KEY: 'Canary-seal-key-for-tests-0123456789',
  ...(hasRedis && { REDIS_URL: process.env.TEST_REDIS_URL as string }),
});
const adminToken = await server.signIn();
issued.push(adminToken);
const person = await createPerson(server, adminToken, 'ANALYST');
issued.push(person.token);

async function send(path: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(server.url + path, init).catch(() => undefined);
  const text = await response?.text();
  try {
    return JSON.parse(text ?? '');
  } catch {
    return text;
  }
}

const json = { 'content-type': 'application/json' };
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  send(path, {
    method: 'POST',
    headers: { ...json, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const gql = (
  query: string,
  variables: object = {},
  headers: Record<string, string> = {},
  more: object = {},
) => post('/graphql', { query, variables, ...more }, headers);
await sendEverywhere();

async function sendEverywhere(): Promise<void> {
  const secrets = Object.values(canary);
  const bearer = { authorization: `Bearer ${person.token}` };
  await rest(secrets);
  await graphql(secrets, bearer);
  await headers();
  await sockets();
  await realOnes(bearer);
}

/** REST: bodies right, wrong, cut off, of other types; names of fields; query strings and paths. */
async function rest(secrets: string[]): Promise<void> {
  for (const email of [person.email, canary.email]) {
    await post('/api/v1/auth/login', { email, password: canary.password });
    await post('/api/v1/auth/login', { email, password: canary.password, [canary.password]: 1 });
    await post('/api/v1/auth/login', { email: [email], password: { not: canary.password } });
    await post('/api/v1/auth/login', `{"email":"${email}","password":"${canary.password}"`);
    await post('/api/v1/auth/login', { email, password: canary.password }, { 'content-type': 'text/plain' });
  }
  await post('/api/v1/auth/login', { email: `${canary.email}${'x'.repeat(300)}`, password: canary.password });
  for (const refreshToken of [canary.token, canary.key, { a: canary.token }])
    await post('/api/v1/auth/refresh', { refreshToken });
  for (const secret of secrets) {
    await send(`/api/v1/auth/me?access_token=${encodeURIComponent(secret)}`);
    await send(`/graphql?query={me{id}}&token=${encodeURIComponent(secret)}`);
    await post('/api/v1/auth/logout', `{"${secret}"`, { authorization: `Bearer ${person.token}` });
  }
  for (const secret of [canary.token, canary.key]) {
    await send(`/api/v1/auth/${secret}`);
    await send(`/nowhere/${secret}/more`);
    await send(`/graphql/${secret}`);
  }
}

/** GraphQL: literals, variables, names; documents that fail to parse, to validate, to execute. */
async function graphql(secrets: string[], bearer: Record<string, string>): Promise<void> {
  const login = 'mutation($input: LoginInput!) { login(input: $input) { expiresIn } }';
  const change = 'mutation($input: ChangePasswordInput!) { changePassword(input: $input) { user { id } } }';
  for (const email of [person.email, canary.email]) {
    const literal = `mutation { login(input: { email: "${email}", password: "${canary.password}" }) { expiresIn } }`;
    await gql(literal);
    await gql(literal.replace('expiresIn', 'nothing'));
    await gql(literal.replace('{ expiresIn }', '{'));
    await gql(literal.replace('password', 'passwort'));
    await gql(literal.replace(/"$/, ''));
    await send(`/graphql?query=${encodeURIComponent(literal)}`, { headers: { accept: 'application/json' } });
    await gql(login, { input: { email, password: canary.password } });
    await gql(login, { input: { email, password: [canary.password] } });
    await gql(login, { input: { email, password: canary.password, [canary.password]: 1 } });
    await gql(login, { other: { email, password: canary.password } });
    await gql(login, { input: `${email} ${canary.password}` });
    await gql(login, { input: { email, password: canary.password } }, {}, { operationName: canary.key });
    await gql(login, {}, {}, { extensions: { persistedQuery: { sha256Hash: canary.token } } });
    await post('/graphql', [{ query: literal }]);
    await post('/graphql', `{"query":"${canary.password}`);
  }
  await gql(`query ${canary.key.replace(/-/g, '_')} { me { id } }`, {}, bearer);
  await gql(`{ ${canary.key}: me { id } }`, {}, bearer);
  for (const secret of secrets) {
    await gql(`{ me(token: "${secret}") { id } }`, {}, bearer);
    await gql(`{ executions(first: 1, after: "${secret}") { totalCount } }`, {}, bearer);
    await gql('query($id: ID!) { execution(id: $id) { id } }', { id: secret }, bearer);
    await gql('mutation($t: String!) { refreshToken(refreshToken: $t) { expiresIn } }', { t: secret });
    await gql(`# ${secret}\n{ me { id } }`, {}, bearer);
  }
  const wrong = { currentPassword: canary.password, newPassword: canary.newPassword };
  await gql(change, { input: wrong }, bearer);
  await gql(change, { input: wrong });
  await gql(change, { input: { ...wrong, newPassword: 'short' } }, bearer);
  await gql(change, { input: { currentPassword: password, newPassword: canary.newPassword } }, bearer);
  await gql(change, { input: { currentPassword: canary.newPassword, newPassword: canary.password } }, bearer);
}

async function headers(): Promise<void> {
  for (const secret of [canary.token, canary.key]) {
    for (const name of [
      'authorization',
      'cookie',
      'x-api-key',
      'user-agent',
      'referer',
      'x-forwarded-for',
      'x-correlation-id',
      'traceparent',
      'accept-language',
    ]) {
      for (const value of [secret, `Bearer ${secret}`, `token=${secret}`]) {
        await send('/api/v1/auth/me', { headers: { [name]: value } });
        await gql('{ me { id } }', {}, { [name]: value });
        await post('/api/v1/auth/login', { email: person.email, password: 'no' }, { [name]: value });
      }
    }
  }
  await send('/api/v1/auth/me', {
    headers: {
      authorization: `Basic ${Buffer.from(`${canary.email}:${canary.password}`).toString('base64')}`,
    },
  });
}

async function sockets(): Promise<void> {
  for (const authorization of [canary.token, `Bearer ${canary.key}`, `Bearer ${person.token}`]) {
    const socket = new WebSocket(
      `${server.url.replace('http', 'ws')}/graphql?token=${canary.token}`,
      'graphql-transport-ws',
    );
    await new Promise<void>((resolve) => {
      socket.on('open', () =>
        socket.send(
          JSON.stringify({ type: 'connection_init', payload: { authorization, password: canary.password } }),
        ),
      );
      socket.on('message', (data) => {
        if (!String(data).includes('connection_ack')) return;
        const query = `mutation { login(input: { email: "${canary.email}", password: "${canary.password}" }) { expiresIn } }`;
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
        socket.send(`{"${canary.password}`);
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve()); // by the server: what it got was wrong in each case
    });
  }
}

/** What the server itself issues: tokens that are used, refreshed, reused; an API key that is used and revoked. */
async function realOnes(bearer: Record<string, string>): Promise<void> {
  const login = { email: person.email, password: canary.password };
  const opened = (await post('/api/v1/auth/login', login)) as { accessToken: string; refreshToken: string };
  expect(opened.accessToken).toEqual(expect.any(String));
  issued.push(opened.accessToken, opened.refreshToken);
  const next = (await post('/api/v1/auth/refresh', { refreshToken: opened.refreshToken })) as typeof opened;
  issued.push(next.accessToken, next.refreshToken);
  const later = (await post('/api/v1/auth/refresh', { refreshToken: next.refreshToken })) as typeof opened;
  issued.push(later.accessToken, later.refreshToken);
  await post('/api/v1/auth/refresh', { refreshToken: opened.refreshToken });
  const made = (await gql(
    'mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { key: secret } }',
    { input: { name: 'Bird', scopes: ['execution:read'], expiresAt: new Date(Date.now() + 86_400_000) } },
    bearer,
  )) as { data?: { createApiKey: { key: string } } };
  const key = made.data?.createApiKey.key;
  if (key === undefined) throw new Error(`no API key: ${JSON.stringify(made)}`);
  // The secret may hold underscores itself.
  issued.push(key, key.replace(/^stk_[0-9a-f]+_/, ''));
  await gql('{ executions(first: 1) { totalCount } }', {}, { authorization: `Bearer ${key}` });
  await gql('{ executions(first: 1) { totalCount } }', {}, { authorization: `Bearer ${key}x` });
  await send(`/nowhere/${key}`);
}

/** Everything that must not be found: canaries, issued secrets, and what they are made of. */
function forbidden(): string[] {
  const made = [admin.password, password, 'Canary-seal-key', ...Object.values(canary), ...issued];
  const signatures = issued
    .filter((text) => text.startsWith('eyJ'))
    .map((text) => text.split('.')[2] as string);
  return [...made, ...signatures];
}

/** The forbidden texts that are in it, as they are, in JSON and in hexadecimal. */
function found(text: string): string[] {
  return forbidden().filter(
    (secret) => text.includes(secret) || text.includes(Buffer.from(secret).toString('hex')),
  );
}

describe('after canaries were sent through every input', () => {
  it('none is in the log', () => {
    const text = JSON.stringify(server.logs);
    expect(server.logs.length).toBeGreaterThan(200);
    expect(found(text)).toEqual([]);
    expect(text).not.toContain(argon2);
  });

  it('none is in the audit trail, nor in any other table but as a hash', async () => {
    const tables = await server.sql<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`,
    );
    expect(tables.length).toBeGreaterThan(8);
    for (const { name } of tables) {
      const rows = await server.sql<{ text: string }>(
        `SELECT to_jsonb("${name}")::text AS text FROM "${name}"`,
      );
      const text = rows.map((row) => row.text).join('\n');
      expect([name, found(text)]).toEqual([name, []]);
      if (name !== 'users') expect([name, text.includes(argon2)]).toEqual([name, false]);
    }
  });

  it('none is in what PostgreSQL remembers of statements', async () => {
    const rows = await server.sql(
      'SELECT query FROM pg_stat_activity UNION ALL SELECT statement FROM pg_prepared_statements',
    );
    expect(found(JSON.stringify(rows))).toEqual([]);
  });

  (hasRedis ? it : it.skip)('none is in Redis', async () => {
    const redis = new Redis(process.env.TEST_REDIS_URL as string);
    const kept: unknown[] = [];
    for (const key of await redis.keys('*')) {
      const type = await redis.type(key);
      const value =
        type === 'string'
          ? await redis.get(key)
          : type === 'hash'
            ? await redis.hgetall(key)
            : await redis.dump(key);
      kept.push([key, value]);
    }
    redis.disconnect();
    expect(kept.length).toBeGreaterThan(0);
    expect(found(JSON.stringify(kept))).toEqual([]);
  });

  it('none is in the arguments of a process, nor is a password of the databases', () => {
    const commands = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        } catch {
          return '';
        }
      });
    expect(commands.some((command) => command.includes('postgres'))).toBe(true);
    expect(found(commands.join('\n'))).toEqual([]);
    for (const name of ['TEST_POSTGRES_URL', 'TEST_POSTGRES_APP_URL']) {
      const secret = new URL(process.env[name] as string).password;
      expect(commands.some((command) => command.includes(secret))).toBe(false);
    }
  });
});
