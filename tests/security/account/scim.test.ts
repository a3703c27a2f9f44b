// The tokens of directories: what they open, what opens nothing with them, and which accounts no directory gets hold of.
import { describe, expect, it } from '@jest/globals';
import { admin, startTestServer } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { callScim, createDirectory } from '../../kit/scim/directory.js';
import { createPerson, password } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const breakGlass = { email: 'glass@break.test', password: 'amber piano 2289 glacier tulip' };

const server = await useServer({ BREAK_GLASS_ADMIN: breakGlass.email });
const adminToken = await server.signIn();
const directory = await createDirectory(server, adminToken);

const revoke = 'mutation($id: ID!) { revokeScimToken(id: $id) { secret scimToken { revokedAt } } }';
const create = 'mutation($input: CreateScimTokenInput!) { createScimToken(input: $input) { secret } }';

describe('a SCIM token', () => {
  it('is shown once, and kept as a hash', async () => {
    const list =
      '{ scimTokens { id name prefix provider mayAdopt createdAt expiresAt lastUsedAt revokedAt } }';
    const all = (await server.gql(list, {}, adminToken)).expectData().scimTokens;
    const mine = all.find(({ id }: { id: string }) => id === directory.id);
    expect(mine).toMatchObject({ provider: 'scim', mayAdopt: false, expiresAt: null, revokedAt: null });
    expect(directory.token.startsWith(`${mine.prefix}_`)).toBe(true);
    const secret = directory.token.slice(mine.prefix.length + 1);
    const dump = await server.sql<{ row: string }>(
      "SELECT t::text AS row FROM scim_tokens t UNION ALL SELECT a::text FROM audit_events a WHERE action = 'scim_token.create'",
    );
    expect(dump.length).toBeGreaterThan(1);
    expect(JSON.stringify(dump)).not.toContain(secret);
    expect(JSON.stringify(server.logs)).not.toContain(secret);
  });

  it('opens SCIM and nothing else', async () => {
    expect((await directory.call('GET', '/Users')).status).toBe(200);
    (await server.gql('{ me { id } }', {}, directory.token)).expectError('UNAUTHENTICATED');
    for (const path of ['/api/v1/auth/me', '/api/v1/executions/exe_x/results'])
      expect((await server.rest('GET', path, { token: directory.token })).status).toBe(
        path.endsWith('me') ? 401 : 404,
      );
  });

  it('is what access tokens and API keys are not', async () => {
    const made = await server.change(
      'createApiKey',
      {
        name: 'k',
        scopes: ['user:create', 'user:update'],
        expiresAt: new Date(Date.now() + 86_400_000),
      },
      'secret',
      adminToken,
    );
    const key = made.expectData().createApiKey.secret;
    const last = directory.token.at(-1) === 'A' ? 'B' : 'A';
    for (const authorization of [
      undefined,
      `Bearer ${adminToken}`,
      `Bearer ${key}`,
      `Bearer ${directory.token.slice(0, -1)}${last}`,
      `Bearer ${directory.token.toUpperCase()}`,
      `Basic ${Buffer.from(`scim:${directory.token}`).toString('base64')}`,
      directory.token,
      'Bearer',
    ]) {
      const answer = await callScim(server.url, authorization, 'GET', '/Users');
      expect([authorization, answer.status, answer.body.status]).toEqual([authorization, 401, '401']);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    }
  });

  it('is needed by every route, before anything of the request is read', async () => {
    const id = 'usr_0192f0c1-7a44-7c3e-9d52-1f6f2c8b7a10';
    const routes: [string, string][] = [
      ...[
        '/ServiceProviderConfig',
        '/ResourceTypes',
        '/ResourceTypes/User',
        '/Schemas',
        '/Schemas/x',
        '/Users',
      ].map((path): [string, string] => ['GET', path]),
      ...['GET', 'PUT', 'PATCH', 'DELETE'].map((method): [string, string] => [method, `/Users/${id}`]),
      ['POST', '/Users'],
    ];
    for (const [method, path] of routes) {
      const body = method === 'GET' || method === 'DELETE' ? undefined : '{ not json';
      const { status } = await callScim(server.url, 'Bearer sts_nothing', method, path, body);
      expect([method, path, status]).toEqual([method, path, 401]);
    }
  });

  it('that is revoked opens nothing within a second, and the list shows it', async () => {
    const other = await createDirectory(server, adminToken);
    expect((await other.call('GET', '/Users')).status).toBe(200);
    const revoked = (await server.gql(revoke, { id: other.id }, adminToken)).expectData().revokeScimToken;
    expect([revoked.secret, typeof revoked.scimToken.revokedAt]).toEqual([null, 'string']);
    await until(async () => (await other.call('GET', '/Users')).status === 401, 'the token to end');
    const rows = await server.sql('SELECT action FROM audit_events WHERE target_id = $1 ORDER BY id', [
      other.id.slice(4),
    ]);
    expect(rows.map(({ action }) => action)).toEqual(['scim_token.create', 'scim_token.revoke']);
  });

  it('ends at its expiry, and its last use is noted', async () => {
    const expiresAt = new Date(server.clock.now() + 3_600_000).toISOString();
    const other = await createDirectory(server, adminToken, { expiresAt });
    expect((await other.call('GET', '/Users')).status).toBe(200);
    await until(async () => {
      const [row] = await server.sql('SELECT last_used_at FROM scim_tokens WHERE id = $1', [
        other.id.slice(4),
      ]);
      return row?.last_used_at !== null;
    }, 'the note of its use');
    server.clock.advance(3_600_001);
    try {
      const ended = await other.call('GET', '/Users');
      expect([ended.status, ended.body.detail]).toEqual([401, 'The SCIM token has expired.']);
    } finally {
      server.clock.advance(-3_600_001);
    }
  });

  it('is created by admins who have just signed in, for a provider that there is', async () => {
    const refused = await server.gql(create, { input: { name: 'x', provider: 'nobody' } }, adminToken);
    expect(refused.expectError('VALIDATION_FAILED').extensions.fields).toEqual([
      { path: 'input.provider', message: 'is neither an identity provider in the settings nor "scim"' },
    ]);
    const past = { name: 'x', expiresAt: '2020-01-01T00:00:00Z' };
    (await server.gql(create, { input: past }, adminToken)).expectError('VALIDATION_FAILED');
    const analyst = await createPerson(server, adminToken, 'ANALYST');
    (await server.gql(create, { input: { name: 'x' } }, analyst.token)).expectError('FORBIDDEN');
  });
});

describe('an account that exists', () => {
  it('is no directory’s unless the token may adopt it', async () => {
    const { email, id } = await createPerson(server, adminToken, 'ANALYST');
    const refused = await directory.call('POST', '/Users', { userName: email });
    expect([refused.status, refused.body.scimType]).toEqual([409, 'uniqueness']);
    for (const [method, body] of [['GET'], ['PUT', { userName: email }], ['DELETE']] as const)
      expect((await directory.call(method, `/Users/${id}`, body)).status).toBe(404);
    expect(
      (await directory.call('GET', `/Users?filter=${encodeURIComponent(`userName eq "${email}"`)}`)).body
        .totalResults,
    ).toBe(0);
    const adopting = await createDirectory(server, adminToken, { mayAdopt: true });
    const adopted = await adopting.call('POST', '/Users', { userName: email, displayName: 'Adopted' });
    expect([adopted.status, adopted.body.id]).toEqual([201, id]);
    const [event] = await server.sql(
      "SELECT changes FROM audit_events WHERE target_id = $1 AND action = 'user.adopt'",
      [id.slice(4)],
    );
    expect(event?.changes).toEqual({ provider: 'scim' });
    expect(
      (await adopting.call('POST', '/Users', { userName: `${email}x`, emails: [{ value: email }] })).status,
    ).toBe(409);
  });

  it('of an admin with a password, of the break-glass admin or of a program is never adopted', async () => {
    const adopting = await createDirectory(server, adminToken, { mayAdopt: true });
    const input = { ...breakGlass, name: 'Glass', role: 'ADMIN' };
    const mutation = 'mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } } }';
    (await server.gql(mutation, { input }, adminToken)).expectData();
    const made = await server.change(
      'createServiceAccount',
      { name: 'robot', role: 'VIEWER' },
      'user { email }',
      adminToken,
    );
    const robot = made.expectData().createServiceAccount.user.email;
    for (const email of [admin.email, breakGlass.email, robot]) {
      const { status, body } = await adopting.call('POST', '/Users', { userName: email });
      expect([email, status, body.scimType]).toEqual([email, 409, 'uniqueness']);
    }
  });

  it('is not reached by a changed address either', async () => {
    const adopting = await createDirectory(server, adminToken, { mayAdopt: true });
    const user = await adopting.user();
    const { email } = await createPerson(server, adminToken, 'VIEWER');
    const moved = await adopting.patch(`/Users/${user.id}`, {
      op: 'replace',
      path: 'emails',
      value: [{ value: email }],
    });
    expect([moved.status, moved.body.scimType]).toEqual([409, 'uniqueness']);
  });
});

describe('the last active admin', () => {
  it('is neither deactivated nor deleted by a directory', async () => {
    const other = await startTestServer();
    try {
      const token = await other.signIn();
      const only = await createDirectory(other, token);
      const user = await only.user();
      await other.sql("UPDATE users SET role = 'ADMIN' WHERE id = $1", [user.id.slice(4)]);
      await other.sql("UPDATE users SET role = 'VIEWER' WHERE email = $1", [admin.email]);
      for (const answer of [
        await only.patch(`/Users/${user.id}`, { op: 'replace', path: 'active', value: false }),
        await only.call('PUT', `/Users/${user.id}`, { ...user, active: false }),
        await only.call('DELETE', `/Users/${user.id}`),
      ])
        expect(answer).toMatchObject({
          status: 400,
          body: { status: '400', scimType: 'mutability', detail: 'At least one active admin must remain.' },
        });
      expect((await only.call('GET', `/Users/${user.id}`)).body.active).toBe(true);
    } finally {
      await other.close();
    }
  });

  it('and the break-glass admin is changed by no directory', async () => {
    const user = await directory.user();
    await server.sql('UPDATE users SET email = $1, email_key = $1 WHERE email = $2', [
      'old-glass@break.test',
      breakGlass.email,
    ]);
    await server.sql("UPDATE users SET email = $1, email_key = $1, role = 'ADMIN' WHERE id = $2", [
      breakGlass.email,
      user.id.slice(4),
    ]);
    for (const answer of [
      await directory.patch(`/Users/${user.id}`, { op: 'replace', path: 'active', value: false }),
      await directory.call('DELETE', `/Users/${user.id}`),
    ])
      expect([answer.status, answer.body.scimType]).toEqual([400, 'mutability']);
  });
});

describe('limits', () => {
  it('count the requests of a token by itself, and guesses by their address', async () => {
    const limited = await startTestServer({ RATE_LIMIT_PER_MINUTE: '40', LOGIN_MAX_FAILURES: '1' });
    try {
      const one = await createDirectory(limited, await limited.signIn());
      const first = await one.call('GET', '/Users');
      expect(first.headers.get('ratelimit')).toMatch(/^"default";r=\d+;t=\d+$/);
      const answers = await Promise.all(Array.from({ length: 45 }, () => one.call('GET', '/Users?count=0')));
      const refused = answers.find(({ status }) => status === 429);
      expect(refused?.body).toMatchObject({ status: '429', detail: expect.any(String) });
      expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
      // 60 guesses of an address in a minute; each is looked at twice, by the limits and by the route.
      const guess = (index: number) => `Bearer sts_${'0'.repeat(32)}_${String(index).padStart(43, 'x')}`;
      expect((await callScim(limited.url, guess(0), 'GET', '/Users')).status).toBe(401);
      const guesses = await Promise.all(
        Array.from({ length: 70 }, (_, index) => callScim(limited.url, guess(index), 'GET', '/Users')),
      );
      expect(guesses.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
      expect(guesses.every(({ status }) => status === 401 || status === 429)).toBe(true);
    } finally {
      await limited.close();
    }
  });

  it('refuse a body beyond two megabytes', async () => {
    const { status, body } = await directory.call('POST', '/Users', { userName: 'x'.repeat(2_000_001) });
    expect([status, body.status]).toEqual([413, '413']);
  });
});

it('a person whom a directory made signs in with no password, also not with an empty one', async () => {
  const user = await directory.user();
  for (const given of ['', password])
    expect(
      (await server.rest('POST', '/api/v1/auth/login', { body: { email: user.userName, password: given } }))
        .status,
    ).not.toBe(200);
});
