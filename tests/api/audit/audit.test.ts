// The audit trail: an event for every sign-in, sign-out, failure and change, and how admins read it.
import { describe, expect, it } from '@jest/globals';
import { admin, type GqlAnswer } from '../../kit/harness.js';
import { createExecution, createPerson, type Person, password } from '../../kit/seed.js';
import { openSession, tryLogin } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

interface AuditNode {
  id: string;
  at: string;
  action: string;
  outcome: string;
  actor: { id: string } | null;
  actorLabel: string;
  targetType: string | null;
  targetId: string | null;
  ip: string | null;
  userAgent: string | null;
  correlationId: string;
  changes: Record<string, unknown> | null;
}

interface Connection {
  nodes: AuditNode[];
  totalCount: number;
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
}

const query = `query($first: Int, $after: String, $last: Int, $before: String, $filter: AuditEventFilter) {
  auditEvents(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
    nodes { id at action outcome actor { id } actorLabel targetType targetId ip userAgent correlationId changes }
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;

const server = await useServer();
const adminToken = await server.signIn();
const adminId: string = (await server.gql('{ me { id } }', {}, adminToken)).expectData().me.id;

const ask = (args: Record<string, unknown>, token = adminToken): Promise<GqlAnswer> =>
  server.gql(query, args, token);
const list = async (args: Record<string, unknown> = {}): Promise<Connection> =>
  (await ask(args)).expectData().auditEvents;

let counter = 0;
/** Runs a GraphQL operation under a correlation id of its own; the events that it left, oldest first. */
async function eventsOf(
  operation: string,
  variables: Record<string, unknown>,
  token?: string,
): Promise<AuditNode[]> {
  counter += 1;
  const correlationId = `audit-${counter}`;
  const before = Date.now();
  await server.gql(operation, variables, token, {
    'x-correlation-id': correlationId,
    'user-agent': `tests/${counter}`,
  });
  const { nodes } = await list({ first: 100 });
  const found = nodes.filter((node) => node.correlationId === correlationId).reverse();
  for (const node of found) {
    expect(node).toMatchObject({ ip: '127.0.0.1', userAgent: `tests/${counter}` });
    expect(Date.parse(node.at)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(node.at)).toBeLessThanOrEqual(Date.now());
  }
  return found;
}

const byAdmin = () => ({ actor: { id: adminId }, actorLabel: admin.email, outcome: 'SUCCESS' });
const by = ({ id, email }: Person) => ({ actor: { id }, actorLabel: email, outcome: 'SUCCESS' });

describe('what is put on the trail', () => {
  it('is the making of the first admin, by the system', async () => {
    const { nodes } = await list({ filter: { action: 'user.create' }, last: 1 });
    expect(nodes).toEqual([
      expect.objectContaining({
        ...{ actor: null, actorLabel: 'system', correlationId: 'system', ip: null, outcome: 'SUCCESS' },
        ...{ targetType: 'User', targetId: adminId },
      }),
    ]);
  });

  it('is every sign-in, good or not', async () => {
    const person = await createPerson(server, adminToken, 'VIEWER');
    const login = 'mutation($input: LoginInput!) { login(input: $input) { expiresIn } }';
    const good = await eventsOf(login, { input: { email: person.email, password } });
    expect(good).toEqual([
      expect.objectContaining({ action: 'auth.login', ...by(person), targetType: 'Session' }),
    ]);
    const wrong = await eventsOf(login, { input: { email: person.email, password: 'wrong' } });
    expect(wrong).toEqual([
      expect.objectContaining({
        ...{ action: 'auth.login', outcome: 'FAILURE', actor: null, actorLabel: person.email },
        ...{ targetType: 'User', targetId: person.id },
      }),
    ]);
    const unknown = await eventsOf(login, { input: { email: 'nobody@people.test', password: 'wrong' } });
    expect(unknown).toEqual([
      expect.objectContaining({
        ...{ action: 'auth.login', outcome: 'FAILURE', actor: null, actorLabel: 'unknown account' },
        ...{ targetType: null, targetId: null },
      }),
    ]);
  });

  it('is every sign-out and ended session', async () => {
    const person = await createPerson(server, adminToken, 'VIEWER');
    await openSession(server, person.email, password);
    const mine = await server.gql('{ me { sessions { id current } } }', {}, person.token);
    const sessions: { id: string; current: boolean }[] = mine.expectData().me.sessions;
    const id = sessions.find(({ current }) => !current)?.id;
    const revoke = 'mutation($id: ID!) { revokeSession(id: $id) { revokedSessions } }';
    expect(await eventsOf(revoke, { id }, adminToken)).toEqual([
      expect.objectContaining({
        action: 'session.revoke',
        ...byAdmin(),
        targetType: 'Session',
        targetId: id,
      }),
    ]);
    expect(await eventsOf(revoke, { id }, adminToken)).toEqual([]);
    const out = await eventsOf('mutation { logout(everywhere: true) { revokedSessions } }', {}, person.token);
    expect(out).toEqual([
      expect.objectContaining({
        ...{ action: 'auth.logout', ...by(person), targetType: 'Session' },
        changes: { everywhere: true, revokedSessions: 1 },
      }),
    ]);
  });

  it('is every change of a password, done or refused', async () => {
    const person = await createPerson(server, adminToken, 'VIEWER');
    const change = 'mutation($input: ChangePasswordInput!) { changePassword(input: $input) { user { id } } }';
    const newPassword = 'otter bicycle 5521 velvet plain';
    const target = { targetType: 'User', targetId: person.id, changes: null };
    expect(
      await eventsOf(change, { input: { currentPassword: 'wrong', newPassword } }, person.token),
    ).toEqual([
      expect.objectContaining({
        action: 'auth.change_password',
        ...target,
        ...by(person),
        outcome: 'FAILURE',
      }),
    ]);
    expect(
      await eventsOf(change, { input: { currentPassword: password, newPassword } }, person.token),
    ).toEqual([expect.objectContaining({ action: 'auth.change_password', ...target, ...by(person) })]);
  });

  it('is every change of a user with what changed, once and only when something did', async () => {
    const create = 'mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } } }';
    const input = { email: 'trail@people.test', name: 'Trail', password, role: 'VIEWER' };
    const [created, ...more] = await eventsOf(create, { input }, adminToken);
    expect(more).toEqual([]);
    expect(created).toMatchObject({
      ...{ action: 'user.create', ...byAdmin(), targetType: 'User' },
      changes: { email: input.email, name: 'Trail', role: 'VIEWER' },
    });
    const id = created?.targetId as string;
    const update = 'mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }';
    expect(await eventsOf(update, { input: { id, role: 'ANALYST', name: 'Trail' } }, adminToken)).toEqual([
      expect.objectContaining({
        ...{ action: 'user.update', ...byAdmin(), targetId: id },
        changes: { role: { from: 'VIEWER', to: 'ANALYST' } },
      }),
    ]);
    expect(await eventsOf(update, { input: { id, role: 'ANALYST' } }, adminToken)).toEqual([]);
    const act = (name: string) => `mutation($id: ID!) { ${name}(id: $id) { user { id } } }`;
    for (const [name, action, to] of [
      ['deactivateUser', 'user.deactivate', 'DEACTIVATED'],
      ['activateUser', 'user.activate', 'ACTIVE'],
    ] as const) {
      expect(await eventsOf(act(name), { id }, adminToken)).toEqual([
        expect.objectContaining({
          ...{ action, ...byAdmin(), targetType: 'User', targetId: id },
          changes: { status: { from: expect.any(String), to } },
        }),
      ]);
      expect(await eventsOf(act(name), { id }, adminToken)).toEqual([]);
    }
    expect(
      await eventsOf('mutation($id: ID!) { deleteUser(id: $id) { deletedId } }', { id }, adminToken),
    ).toEqual([
      expect.objectContaining({ action: 'user.delete', ...byAdmin(), targetType: 'User', targetId: id }),
    ]);
  });

  it('is nothing for what was refused or failed', async () => {
    const refused = 'mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }';
    expect(await eventsOf(refused, { id: adminId }, adminToken)).toEqual([]);
    const taken = { email: admin.email, name: 'x', password, role: 'VIEWER' };
    const create = 'mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } } }';
    expect(await eventsOf(create, { input: taken }, adminToken)).toEqual([]);
  });
});

describe('reading the trail', () => {
  it('is for admins only', async () => {
    for (const role of ['VIEWER', 'ANALYST'] as const) {
      const { token } = await createPerson(server, adminToken, role);
      (await ask({}, token)).expectError('FORBIDDEN');
    }
    (await server.gql('{ auditEvents { totalCount } }')).expectError('UNAUTHENTICATED');
  });

  it('is filtered by action, actor, target and outcome, joined by and', async () => {
    const person = await createPerson(server, adminToken, 'ANALYST');
    await tryLogin(server, person.email, 'wrong');
    const execution = await createExecution(server, person.token);
    const actions = async (filter: object) => (await list({ filter })).nodes.map(({ action }) => action);
    expect(await actions({ actorId: person.id })).toEqual(['execution.create', 'auth.login']);
    expect(await actions({ targetId: person.id })).toEqual(['auth.login', 'user.create']);
    expect(await actions({ targetId: person.id, outcome: 'FAILURE' })).toEqual(['auth.login']);
    expect(await actions({ targetId: execution })).toEqual(['execution.create']);
    expect(await actions({ action: 'user.create', targetId: person.id, actorId: adminId })).toEqual([
      'user.create',
    ]);
    expect(await actions({ action: 'user', targetId: person.id })).toEqual([]);
    expect(await actions({ action: 'user.%' })).toEqual([]);
    const failures = await list({ filter: { outcome: 'FAILURE' }, first: 100 });
    expect(new Set(failures.nodes.map(({ outcome }) => outcome))).toEqual(new Set(['FAILURE']));
    expect(failures.totalCount).toBe(failures.nodes.length);
  });

  it('is filtered by time: from a moment on, and up to it', async () => {
    const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
    await tryLogin(server, 'early@people.test', 'wrong');
    await pause();
    const moment = new Date().toISOString();
    await pause();
    await tryLogin(server, 'late@people.test', 'wrong');
    const later = await list({ filter: { after: moment } });
    expect(later.nodes.map(({ action }) => action)).toEqual(['auth.login']);
    expect(later.totalCount).toBe(1);
    const earlier = await list({ filter: { before: moment }, first: 100 });
    expect(earlier.nodes.map(({ id }) => id)).not.toContain(later.nodes[0]?.id);
    expect(earlier.totalCount).toBe((await list()).totalCount - 1);
    expect((await list({ filter: { after: moment, before: moment } })).nodes).toEqual([]);
  });

  it('goes page by page both ways without gap or double', async () => {
    const all = (await list({ first: 100 })).nodes.map(({ id }) => id);
    const [forward, backward]: [string[], string[]] = [[], []];
    for (let after: string | null = null, more = true; more; ) {
      const { nodes, pageInfo }: Connection = await list({ first: 7, after });
      forward.push(...nodes.map(({ id }) => id));
      [after, more] = [pageInfo.endCursor, pageInfo.hasNextPage];
    }
    for (let before: string | null = null, more = true; more; ) {
      const { nodes, pageInfo }: Connection = await list({ last: 7, before });
      backward.unshift(...nodes.map(({ id }) => id));
      [before, more] = [pageInfo.startCursor, pageInfo.hasPreviousPage];
    }
    expect(forward).toEqual(all);
    expect(backward).toEqual(all);
  });

  it('refuses wrong filters with their paths', async () => {
    for (const [path, filter] of [
      ['filter.action', { action: '' }],
      ['filter.actorId', { actorId: 'x' }],
      ['filter.outcome', { outcome: 'MAYBE' }],
      ['filter.after', { after: 'yesterday' }],
      ['filter.before', { before: '2026-02-30T00:00:00Z' }],
    ] as const) {
      const { extensions } = (await ask({ filter })).expectError('VALIDATION_FAILED');
      expect([path, extensions.fields]).toEqual([path, [expect.objectContaining({ path })]]);
    }
  });
});
