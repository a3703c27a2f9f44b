// API keys: made once, limited to scopes, bound to their owner's rights of the moment, ended at once.
import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { GqlAnswer } from '../../kit/harness.js';
import { act, report, until } from '../../kit/live.js';
import { addResults, createExecution, createPerson, type Person } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const adminToken = await server.signIn();
const owner = await createPerson(server, adminToken, 'ANALYST');
const other = await createPerson(server, adminToken, 'ANALYST');

const inDays = (days: number) => new Date(server.clock.now() + days * 86_400_000).toISOString();
const keyFields = 'id name prefix scopes expiresAt lastUsedAt createdAt revokedAt';

function tryCreate(input: Record<string, unknown> = {}, token = owner.token): Promise<GqlAnswer> {
  return server.change(
    'createApiKey',
    { name: 'nightly', scopes: ['execution:read'], expiresAt: inDays(30), ...input },
    `apiKey { ${keyFields} } secret`,
    token,
  );
}

async function create(scopes: string[] = ['execution:read'], person = owner) {
  return (await tryCreate({ scopes }, person.token)).expectData().createApiKey as {
    apiKey: { id: string; prefix: string };
    secret: string;
  };
}

const revoke = (id: string, token: string) =>
  server.gql(
    `mutation($id: ID!) { revokeApiKey(id: $id) { apiKey { id revokedAt } secret } }`,
    { id },
    token,
  );
const list = (secret: string) => server.gql('{ executions { nodes { id } } }', {}, secret);
const keysOf = async (person: Person) =>
  (await server.gql(`{ me { apiKeys { ${keyFields} } } }`, {}, person.token)).expectData().me.apiKeys;

describe('making a key', () => {
  it('shows the secret once; only its SHA-256 is kept', async () => {
    const { apiKey, secret } = await create(['execution:run', 'execution:read']);
    expect(secret).toMatch(/^stk_[0-9a-f]{32}_[A-Za-z0-9_-]{43}$/);
    expect(secret.startsWith(`${apiKey.prefix}_`)).toBe(true);
    expect(apiKey).toMatchObject({
      ...{ name: 'nightly', scopes: ['execution:run', 'execution:read'], lastUsedAt: null, revokedAt: null },
    });
    const [row] = await server.sql('SELECT * FROM api_keys WHERE id = $1', [apiKey.id.slice(4)]);
    expect(row?.secret_hash).toEqual(createHash('sha256').update(secret).digest());
    expect(JSON.stringify(row)).not.toContain(secret.slice(37));
    const everywhere = JSON.stringify([
      await keysOf(owner),
      await server.sql('SELECT * FROM audit_events'),
      server.logs,
    ]);
    expect(everywhere).not.toContain(secret.slice(37));
  });

  it.each([
    ['scopes', { scopes: [] }],
    ['scopes', { scopes: ['execution:read', 'execution:read'] }],
    ['scopes.0', { scopes: ['everything'] }],
    ['scopes.0', { scopes: ['api_key:manage'] }],
    ['scopes.0', { scopes: ['session:manage'] }],
    ['scopes.0', { scopes: ['profile:update'] }],
    ['name', { name: '' }],
    ['expiresAt', { expiresAt: new Date(Date.now() - 1000).toISOString() }],
    ['expiresAt', { expiresAt: new Date(Date.now() + 367 * 86_400_000).toISOString() }],
  ])('a wrong %s is VALIDATION_FAILED', async (path, input) => {
    const { extensions } = (await tryCreate(input)).expectError('VALIDATION_FAILED');
    expect(extensions.fields?.[0]?.path).toBe(`input.${path}`);
  });

  it('a year is allowed', async () => {
    (await tryCreate({ expiresAt: inDays(365) })).expectData();
  });

  it('50 keys are the limit, until one is revoked', async () => {
    const hoarder = await createPerson(server, adminToken, 'VIEWER');
    const keys = await Promise.all(Array.from({ length: 50 }, () => create(['execution:read'], hoarder)));
    (await tryCreate({}, hoarder.token)).expectError('CONFLICT');
    await revoke(keys[0]?.apiKey.id as string, hoarder.token);
    (await tryCreate({}, hoarder.token)).expectData();
  });
});

describe('using a key', () => {
  it('acts as its owner, within its scopes', async () => {
    const { secret } = await create(['execution:read', 'execution:create']);
    const id = await createExecution(server, secret);
    const { createdBy } = (
      await server.gql('query($id: ID!) { execution(id: $id) { createdBy { id } } }', { id }, owner.token)
    ).expectData().execution;
    expect(createdBy.id).toBe(owner.id);
    (await act(server, secret, 'startExecution', id)).expectError('FORBIDDEN');
    (await server.gql('{ users { nodes { id } } }', {}, secret)).expectError('FORBIDDEN');
    expect((await server.rest('GET', '/api/v1/auth/me', { token: secret })).status).toBe(403);
  });

  it('gets no more than its owner’s role, as it is at this moment', async () => {
    const person = await createPerson(server, adminToken, 'ANALYST');
    const { secret } = await create(['execution:create', 'user:read'], person);
    await createExecution(server, secret);
    (await server.gql('{ users { nodes { id } } }', {}, secret)).expectError('FORBIDDEN');
    const setRole = (role: string) =>
      server.change('updateUser', { id: person.id, role }, 'user { id }', adminToken);
    await setRole('VIEWER');
    const input = { name: 'A', target: 't', kind: 'DAST' };
    const attempt = () => server.change('createExecution', input, 'execution { id }', secret);
    (await attempt()).expectError('FORBIDDEN');
    await setRole('ADMIN');
    (await server.gql('{ users { nodes { id } } }', {}, secret)).expectData();
    (
      await server.gql(
        'mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }',
        { id: person.id },
        adminToken,
      )
    ).expectData();
    (await attempt()).expectError('UNAUTHENTICATED');
  });

  it('cannot make keys, revoke them or end sessions', async () => {
    const { apiKey, secret } = await create(['execution:read', 'profile:read', 'user:update']);
    (await tryCreate({}, secret)).expectError('FORBIDDEN');
    (await revoke(apiKey.id, secret)).expectError('FORBIDDEN');
    (await server.gql('mutation { logout { __typename } }', {}, secret)).expectError('FORBIDDEN');
    (await list(secret)).expectData();
  });

  it('runs an execution from claim to end with execution:run alone', async () => {
    const id = await createExecution(server, other.token, { kind: 'IAC' });
    const { secret } = await create(['execution:run']);
    const claimed = await server.change(
      'claimExecution',
      { kinds: ['IAC'], runner: 'key' },
      'execution { id parameters }',
      secret,
    );
    expect(claimed.expectData().claimExecution.execution.id).toBe(id);
    (await report(server, secret, id, 50)).expectData();
    expect(await addResults(server, secret, id, [{ title: 'A', severity: 'LOW' }])).toMatchObject({
      added: 1,
    });
    (await act(server, secret, 'completeExecution', id)).expectData();
    (await list(secret)).expectError('FORBIDDEN');
  });

  it('notes its last use, once a minute and not with every request', async () => {
    const { apiKey, secret } = await create();
    const used = async () =>
      (
        await server.sql<{ last_used_at: Date | null }>('SELECT last_used_at FROM api_keys WHERE id = $1', [
          apiKey.id.slice(4),
        ])
      )[0]?.last_used_at?.getTime();
    await list(secret);
    await until(async () => (await used()) !== undefined, 'a note of the use');
    const first = await used();
    for (let n = 0; n < 5; n += 1) await list(secret);
    expect(await used()).toBe(first);
    server.clock.advance(61_000);
    await list(secret);
    await until(async () => (await used()) !== first, 'a later note');
    expect((await used()) as number).toBeGreaterThan((first as number) + 60_000);
  });

  it.each([
    ['unknown', () => `stk_${'0'.repeat(32)}_${'A'.repeat(43)}`],
    ['malformed', () => 'stk_nonsense'],
    ['cut off', (secret: string) => secret.slice(0, -1)],
    ['with another secret', (secret: string) => secret.slice(0, 37) + 'A'.repeat(43)],
    [
      'with its last letter changed',
      (secret: string) => secret.slice(0, -1) + (secret.endsWith('A') ? 'B' : 'A'),
    ],
    ['in capitals', (secret: string) => secret.replace(/^stk_[0-9a-f]+/, (id) => id.toUpperCase())],
  ])('a key that is %s is refused', async (_name, change) => {
    const { secret } = await create();
    const answer = await list(change(secret));
    expect(answer.status).toBe(401);
    answer.expectError('UNAUTHENTICATED');
    (await list(secret)).expectData();
  });
});

describe('ending a key', () => {
  it('its owner revokes it, at once and once', async () => {
    const { apiKey, secret } = await create();
    (await list(secret)).expectData();
    const first = (await revoke(apiKey.id, owner.token)).expectData().revokeApiKey;
    expect(first).toMatchObject({ secret: null, apiKey: { id: apiKey.id, revokedAt: expect.any(String) } });
    (await list(secret)).expectError('UNAUTHENTICATED');
    expect((await revoke(apiKey.id, owner.token)).expectData().revokeApiKey).toEqual(first);
    const audit = await server.sql(`SELECT action FROM audit_events WHERE target_id = $1 ORDER BY id`, [
      apiKey.id.slice(4),
    ]);
    expect(audit.map(({ action }) => action)).toEqual(['api_key.create', 'api_key.revoke']);
  });

  it('an admin revokes anyone’s; for others it is not there', async () => {
    const { apiKey, secret } = await create();
    (await revoke(apiKey.id, other.token)).expectError('NOT_FOUND');
    (await list(secret)).expectData();
    (await revoke(apiKey.id, adminToken)).expectData();
    (await list(secret)).expectError('UNAUTHENTICATED');
  });

  it('its expiry ends it', async () => {
    const { apiKey, secret } = (await tryCreate({ expiresAt: inDays(0.0005) })).expectData().createApiKey;
    (await list(secret)).expectData();
    server.clock.advance(44_000);
    const answer = await list(secret);
    expect([answer.status, apiKey.revokedAt]).toEqual([401, null]);
    answer.expectError('TOKEN_EXPIRED');
  });

  it('leaves it in the list, behind all keys that still work', async () => {
    const person = await createPerson(server, adminToken, 'VIEWER');
    const { apiKey } = await create(['execution:read'], person);
    await server.sql(
      `INSERT INTO api_keys (id, user_id, name, prefix, secret_hash, scopes, expires_at, created_at, revoked_at)
       SELECT ('ffffffff-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, user_id, name, 'x' || n, sha256(n::text::bytea), scopes,
         expires_at, created_at, now() FROM api_keys, generate_series(1, 60) n WHERE id = $1`,
      [apiKey.id.slice(4)],
    );
    const keys = await keysOf(person);
    expect([keys.length, keys[0].id, keys[1].revokedAt]).toEqual([50, apiKey.id, expect.any(String)]);
  });

  it('lists the caller’s own keys, newest first, and nobody else’s', async () => {
    const person = await createPerson(server, adminToken, 'VIEWER');
    const keys = [await create(['execution:read'], person), await create(['execution:read'], person)];
    expect((await keysOf(person)).map(({ id }: { id: string }) => id)).toEqual(
      keys.map(({ apiKey }) => apiKey.id).reverse(),
    );
  });
});
