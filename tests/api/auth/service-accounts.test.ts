// Service accounts: programs with keys and without a password; rotation of keys, and notices of their end.
import { describe, expect, it, jest } from '@jest/globals';
import { createProject, setMember } from '../../kit/projects.js';
import { createExecution, createPerson } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const maxKeys = 6;
const server = await useServer({ API_KEYS_MAX_PER_USER: String(maxKeys) });
let adminToken = await server.signIn();
const person = await createPerson(server, adminToken, 'ANALYST');

const inDays = (days: number) => new Date(server.clock.now() + days * 86_400_000).toISOString();
const asAdmin = (query: string, variables: Record<string, unknown>) =>
  server.gql(query, variables, adminToken);

const tryAccount = (input: Record<string, unknown>) =>
  asAdmin(
    `mutation($input: CreateServiceAccountInput!) {
      createServiceAccount(input: $input) { user { id name email role kind status projectId } }
    }`,
    { input: { name: 'Nightly Zäp', role: 'ANALYST', ...input } },
  );
const createAccount = async (input: Record<string, unknown> = {}) =>
  (await tryAccount(input)).expectData().createServiceAccount.user;

const tryKey = (input: Record<string, unknown>, token = adminToken) =>
  server.change(
    'createApiKey',
    { name: 'k', scopes: ['execution:read', 'execution:create'], expiresAt: inDays(30), ...input },
    'secret apiKey { id project { key } }',
    token,
  );
const createKey = async (input: Record<string, unknown>, token = adminToken) =>
  (await tryKey(input, token)).expectData().createApiKey;

const tryRotate = (input: Record<string, unknown>, token = adminToken) =>
  server.change('rotateApiKey', input, 'secret apiKey { id name scopes expiresAt }', token);
const list = (token: string) => server.gql('{ executions { nodes { id } } }', {}, token);

describe('a service account', () => {
  it('is a user without a password, whose address says so', async () => {
    const user = await createAccount();
    expect(user).toEqual({
      id: expect.stringMatching(/^usr_/),
      name: 'Nightly Zäp',
      email: expect.stringMatching(/^nightly-za-p\.[0-9a-f]{8}@service-account\.invalid$/),
      role: 'ANALYST',
      kind: 'SERVICE',
      status: 'ACTIVE',
      projectId: null,
    });
    for (const mutation of ['resetPassword', 'resendInvitation', 'revokeInvitation'])
      (
        await asAdmin(`mutation($id: ID!) { ${mutation}(id: $id) { user { id } } }`, { id: user.id })
      ).expectError('CONFLICT');
    const answer = await server.rest('POST', '/api/v1/auth/login', {
      body: { email: user.email, password: 'kiwi lantern 7391 harbor moss' },
    });
    expect(answer.status).toBe(401);
    (
      await asAdmin('mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }', {
        input: { id: user.id, email: 'bot@people.test' },
      })
    ).expectError('CONFLICT');
    const byKind = async (filter: object) =>
      (await asAdmin('query($filter: UserFilter) { users(filter: $filter) { nodes { id } } }', { filter }))
        .expectData()
        .users.nodes.map(({ id }: { id: string }) => id);
    expect(await byKind({ kind: 'SERVICE', status: 'ACTIVE' })).toContain(user.id);
    expect(await byKind({ kind: 'PERSON' })).not.toContain(user.id);
    expect(await byKind({ status: 'INVITED' })).not.toContain(user.id);
  });

  it('of a project has keys that reach that project alone', async () => {
    const [key, other] = [
      await createProject(server, adminToken, { visibility: 'PRIVATE' }),
      await createProject(server, adminToken),
    ];
    const user = await createAccount({ project: key });
    expect(user).toMatchObject({ role: 'VIEWER', projectId: expect.stringMatching(/^prj_/) });
    const made = await createKey({ serviceAccountId: user.id });
    expect(made.apiKey.project).toEqual({ key });
    const execution = await createExecution(server, made.secret, { project: key });
    expect((await list(made.secret)).expectData().executions.nodes).toEqual([{ id: execution }]);
    const elsewhere = await server.change(
      'createExecution',
      { name: 'n', target: 't', kind: 'DAST', project: other },
      'execution { id }',
      made.secret,
    );
    elsewhere.expectError('NOT_FOUND');
    const events = await asAdmin(
      'query($id: ID!) { auditEvents(filter: { targetId: $id }) { nodes { action actorLabel } } }',
      { id: execution },
    );
    expect(events.expectData().auditEvents.nodes).toContainEqual({
      action: 'execution.create',
      actorLabel: user.email,
    });
    (await tryKey({ serviceAccountId: user.id, project: other })).expectError('VALIDATION_FAILED');
    (await tryKey({ serviceAccountId: user.id, scopes: ['user:read'] })).expectError('VALIDATION_FAILED');
    (await tryAccount({ project: key, role: 'ADMIN' })).expectError('VALIDATION_FAILED');
    (await tryAccount({ project: 'nowhere' })).expectError('NOT_FOUND');
  });

  it('gets its keys from admins alone, who make none for people', async () => {
    const user = await createAccount();
    (await tryKey({ serviceAccountId: user.id }, person.token)).expectError('NOT_FOUND');
    (await tryKey({ serviceAccountId: person.id })).expectError('NOT_FOUND');
    const own = await createKey({}, person.token);
    (await tryRotate({ id: own.apiKey.id })).expectError('NOT_FOUND');
    const service = await createKey({ serviceAccountId: user.id });
    (await tryRotate({ id: service.apiKey.id }, person.token)).expectError('NOT_FOUND');
    await asAdmin('mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }', { id: user.id });
    (await list(service.secret)).expectError('UNAUTHENTICATED');
    (await tryKey({ serviceAccountId: user.id })).expectError('NOT_FOUND');
  });

  it('of a project is a member of no other, where its role is that of its membership', async () => {
    const [key, other] = [
      await createProject(server, adminToken),
      await createProject(server, adminToken, { visibility: 'PRIVATE' }),
    ];
    const user = await createAccount({ project: key, role: 'VIEWER' });
    const { secret } = await createKey({ serviceAccountId: user.id });
    const join = `mutation($key: String!, $id: ID!) {
      setProjectMember(key: $key, userId: $id, role: ANALYST) { project { id } } }`;
    (await asAdmin(join, { key: other, id: user.id })).expectError('CONFLICT');
    const promote = 'mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }';
    (await asAdmin(promote, { input: { id: user.id, role: 'ANALYST' } })).expectError('CONFLICT');
    const start = () =>
      server.change(
        'createExecution',
        { name: 'n', target: 't', kind: 'DAST', project: key },
        'execution { id }',
        secret,
      );
    (await start()).expectError('FORBIDDEN');
    await setMember(server, adminToken, key, user.id, 'ANALYST');
    (await start()).expectData();
  });

  it('of a deleted project gets no more keys', async () => {
    const key = await createProject(server, adminToken);
    const user = await createAccount({ project: key });
    await server.sql('UPDATE projects SET deleted_at = now() WHERE key = $1', [key]);
    (await tryKey({ serviceAccountId: user.id })).expectError('NOT_FOUND');
  });

  it('that is deactivated while a key of it is made keeps none', async () => {
    const key = await createProject(server, adminToken);
    const user = await createAccount();
    const { projects } = server.services;
    const getByKey = projects.getByKey;
    const between = jest.spyOn(projects, 'getByKey').mockImplementation(async (...args) => {
      await asAdmin('mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }', { id: user.id });
      return getByKey(...args);
    });
    const answer = await tryKey({ serviceAccountId: user.id, project: key });
    between.mockRestore();
    answer.expectError('NOT_FOUND');
    expect(
      await server.sql('SELECT id FROM api_keys WHERE user_id = $1 AND revoked_at IS NULL', [
        user.id.slice(4),
      ]),
    ).toEqual([]);
  });

  it('does not stand in for the last admin who is a person', async () => {
    await createAccount({ role: 'ADMIN' });
    const { me } = (await asAdmin('{ me { id } }', {})).expectData();
    (
      await asAdmin('mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }', { id: me.id })
    ).expectError('CONFLICT');
  });
});

describe('rotating a key', () => {
  it('gives another secret at once, and ends the old one with the overlap', async () => {
    const old = await createKey({ name: 'nightly' }, person.token);
    const { secret, apiKey } = (
      await tryRotate({ id: old.apiKey.id, overlapMinutes: 10 }, person.token)
    ).expectData().rotateApiKey;
    expect(apiKey).toMatchObject({ name: 'nightly', scopes: ['execution:read', 'execution:create'] });
    expect(Math.abs(Date.parse(apiKey.expiresAt) - Date.parse(inDays(30)))).toBeLessThan(60_000);
    (await list(secret)).expectData();
    (await list(old.secret)).expectData();
    (await tryRotate({ id: old.apiKey.id }, person.token)).expectError('CONFLICT');
    server.clock.advance(10 * 60_000 + 1000);
    (await list(old.secret)).expectError('TOKEN_EXPIRED');
    (await list(secret)).expectData();
  });

  it('happens once, of two at the same moment', async () => {
    adminToken = await server.signIn();
    const user = await createAccount();
    const { id } = (await createKey({ serviceAccountId: user.id })).apiKey;
    const answers = await Promise.all([tryRotate({ id }), tryRotate({ id })]);
    expect(answers.map(({ body }) => body.errors?.[0]?.extensions.code).sort()).toEqual([
      'CONFLICT',
      undefined,
    ]);
  });

  it('is possible for a full owner, and gathers no more than twice as many keys as allowed', async () => {
    adminToken = await server.signIn();
    const user = await createAccount();
    const keys = [];
    for (let count = 0; count < maxKeys; count += 1)
      keys.push((await createKey({ serviceAccountId: user.id })).apiKey.id);
    (await tryKey({ serviceAccountId: user.id })).expectError('CONFLICT');
    let last = keys[0] as string;
    for (let count = 0; count < maxKeys; count += 1)
      last = (await tryRotate({ id: last })).expectData().rotateApiKey.apiKey.id;
    (await tryRotate({ id: last })).expectError('CONFLICT');
    server.clock.advance(86_400_000 + 1000);
    adminToken = await server.signIn();
    (await tryRotate({ id: last })).expectData();
  });

  it('is refused to a sign-in that is not fresh, for a wrong overlap and for a key that has ended', async () => {
    adminToken = await server.signIn();
    const user = await createAccount();
    const { apiKey } = await createKey({ serviceAccountId: user.id });
    for (const overlapMinutes of [-1, 10_081])
      (await tryRotate({ id: apiKey.id, overlapMinutes })).expectError('VALIDATION_FAILED');
    await asAdmin('mutation($id: ID!) { revokeApiKey(id: $id) { apiKey { id } } }', { id: apiKey.id });
    (await tryRotate({ id: apiKey.id })).expectError('CONFLICT');
    server.clock.advance(301_000);
    (await tryRotate({ id: apiKey.id })).expectError('REAUTHENTICATION_REQUIRED');
  });
});

describe('a key that ends within a week', () => {
  it('is reported once, unless it was short-lived or has been replaced', async () => {
    adminToken = await server.signIn();
    const user = await createAccount();
    const webhook = await asAdmin(
      'mutation($input: CreateWebhookInput!) { createWebhook(input: $input) { webhook { id } } }',
      { input: { url: 'https://hooks.example.test/', events: ['api_key.expiring'] } },
    );
    webhook.expectData();
    const [ending, replaced] = [
      await createKey({ name: 'ending', serviceAccountId: user.id, expiresAt: inDays(10) }),
      await createKey({ name: 'replaced', serviceAccountId: user.id, expiresAt: inDays(10) }),
    ];
    await createKey({ name: 'short', serviceAccountId: user.id, expiresAt: inDays(2) });
    (await tryRotate({ id: replaced.apiKey.id, expiresAt: inDays(60) })).expectData();
    expect(await server.services.apiKeys.noticeExpiring()).toBe(0);
    server.clock.advance(4 * 86_400_000);
    expect(await server.services.apiKeys.noticeExpiring()).toBe(1);
    expect(await server.services.apiKeys.noticeExpiring()).toBe(0);
    const deliveries = await server.sql<{ payload: { data: unknown } }>(
      "SELECT payload FROM webhook_deliveries WHERE event = 'api_key.expiring'",
    );
    expect(deliveries.map(({ payload }) => payload.data)).toEqual([
      {
        id: ending.apiKey.id,
        name: 'ending',
        expiresAt: expect.stringMatching(/^\d{4}-.*Z$/),
        project: null,
        user: { id: user.id, name: 'Nightly Zäp', kind: 'SERVICE' },
      },
    ]);
    adminToken = await server.signIn();
    const events = await asAdmin(
      'query($id: ID!) { auditEvents(filter: { targetId: $id, action: "api_key.expiring" }) { nodes { actorLabel } } }',
      { id: ending.apiKey.id },
    );
    expect(events.expectData().auditEvents.nodes).toEqual([{ actorLabel: 'system' }]);
  });
});
