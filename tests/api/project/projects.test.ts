// Projects: creating, changing and archiving them, their members, lists and counts.
import { describe, expect, it } from '@jest/globals';
import { v7 } from 'uuid';
import { insertBranch, insertFinding, insertRun } from '../../kit/findings.js';
import { createProject, setMember, updateProject } from '../../kit/projects.js';
import { createExecution, createPerson } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const adminToken = await server.signIn();
const analyst = await createPerson(server, adminToken, 'ANALYST');
const viewer = await createPerson(server, adminToken, 'VIEWER');

const project = (key: string, fields: string, token = adminToken) =>
  server.gql(`query($key: String!) { project(key: $key) { ${fields} } }`, { key }, token);
const archive = (key: string) =>
  server.gql(
    'mutation($key: String!) { archiveProject(key: $key) { project { archivedAt } } }',
    { key },
    adminToken,
  );

async function list(args: string, token = adminToken): Promise<string[]> {
  const answer = await server.gql(`{ projects${args} { nodes { key } } }`, {}, token);
  return answer.expectData().projects.nodes.map(({ key }: { key: string }) => key);
}

describe('a project', () => {
  it('is there from the start with the key default', async () => {
    const fields = 'key name visibility defaultBranch archivedAt members { role } openCounts { total }';
    expect((await project('default', fields)).expectData().project).toEqual({
      key: 'default',
      name: 'Default',
      visibility: 'INTERNAL',
      defaultBranch: null,
      archivedAt: null,
      members: [],
      openCounts: { total: 0 },
    });
  });

  it('is created with what is given, and is an audit event', async () => {
    const input = {
      key: 'shop',
      name: 'Shop',
      description: 'All of it',
      visibility: 'PRIVATE',
      defaultBranch: 'main',
    };
    await createProject(server, adminToken, input as { key: string; visibility: 'PRIVATE' });
    const found = (await project('shop', 'id key name description visibility defaultBranch')).expectData()
      .project;
    expect(found).toEqual({ ...input, id: expect.stringMatching(/^prj_/) });
    const audit = await server.gql(
      'query($id: ID!) { auditEvents(filter: { targetId: $id }) { nodes { action targetType targetId changes } } }',
      { id: found.id },
      adminToken,
    );
    expect(audit.expectData().auditEvents.nodes).toEqual([
      {
        action: 'project.create',
        targetType: 'Project',
        targetId: found.id,
        changes: { key: 'shop', name: 'Shop', visibility: 'PRIVATE' },
      },
    ]);
    const node = await server.gql(
      'query($id: ID!) { node(id: $id) { id ... on Project { key } } }',
      { id: found.id },
      adminToken,
    );
    expect(node.expectData().node).toEqual({ id: found.id, key: 'shop' });
  });

  it('has a key of its own', async () => {
    const key = await createProject(server, adminToken);
    const answer = await server.gql(
      'mutation($key: String!) { createProject(input: { key: $key, name: "Twin" }) { project { id } } }',
      { key },
      adminToken,
    );
    expect(answer.expectError('CONFLICT').extensions.fields).toEqual([
      { path: 'input.key', message: 'is the key of another project' },
    ]);
  });

  it.each(['', 'A', 'a_b', '-a', 'a-', 'a b', 'ä', 'a'.repeat(64)])('has no key like %j', async (key) => {
    const answer = await server.gql(
      'mutation($key: String!) { createProject(input: { key: $key, name: "Odd" }) { project { id } } }',
      { key },
      adminToken,
    );
    expect(answer.expectError('VALIDATION_FAILED').extensions.fields).toEqual([
      expect.objectContaining({ path: 'input.key' }),
    ]);
  });

  it('keeps what an update leaves out, and drops what is null', async () => {
    const key = await createProject(server, adminToken, { description: 'Old', defaultBranch: 'main' });
    await updateProject(server, adminToken, { key, name: 'New', description: null });
    const found = (await project(key, 'name description defaultBranch visibility')).expectData().project;
    expect(found).toEqual({ name: 'New', description: null, defaultBranch: 'main', visibility: 'INTERNAL' });
  });

  it('is managed by admins only', async () => {
    const key = await createProject(server, adminToken);
    const mutations = [
      'createProject(input: { key: "mine", name: "Mine" }) { project { id } }',
      `updateProject(input: { key: "${key}", name: "Mine" }) { project { id } }`,
      `archiveProject(key: "${key}") { project { id } }`,
      `setProjectMember(key: "${key}", userId: "${analyst.id}", role: ANALYST) { project { id } }`,
    ];
    for (const { token } of [analyst, viewer])
      for (const mutation of mutations)
        (await server.gql(`mutation { ${mutation} }`, {}, token)).expectError('FORBIDDEN');
  });

  it('that does not exist is NOT_FOUND, for every use', async () => {
    (await project('nowhere', 'id')).expectError('NOT_FOUND');
    (await archive('nowhere')).expectError('NOT_FOUND');
    const id = `prj_${v7()}`;
    (await server.gql('query($id: ID!) { node(id: $id) { id } }', { id }, adminToken)).expectError(
      'NOT_FOUND',
    );
    for (const mutation of [
      'updateProject(input: { key: "nowhere", name: "x" }) { project { id } }',
      `setProjectMember(key: "nowhere", userId: "${viewer.id}", role: VIEWER) { project { id } }`,
      'createExecution(input: { name: "x", target: "y", kind: SAST, project: "nowhere" }) { execution { id } }',
    ])
      (await server.gql(`mutation { ${mutation} }`, {}, adminToken)).expectError('NOT_FOUND');
  });
});

describe('members', () => {
  it('join, change their role and leave', async () => {
    const key = await createProject(server, adminToken, { visibility: 'PRIVATE' });
    const members = async () =>
      (await project(key, 'members { user { id } role }')).expectData().project.members;
    await setMember(server, adminToken, key, analyst.id, 'VIEWER');
    await setMember(server, adminToken, key, viewer.id, 'ANALYST');
    expect(await members()).toEqual([
      { user: { id: analyst.id }, role: 'VIEWER' },
      { user: { id: viewer.id }, role: 'ANALYST' },
    ]);
    await setMember(server, adminToken, key, analyst.id, 'ANALYST');
    await setMember(server, adminToken, key, viewer.id, null);
    expect(await members()).toEqual([{ user: { id: analyst.id }, role: 'ANALYST' }]);
  });

  it('are users: another id is NOT_FOUND', async () => {
    const key = await createProject(server, adminToken);
    const answer = await server.gql(
      'mutation($key: String!, $id: ID!) { setProjectMember(key: $key, userId: $id, role: VIEWER) { project { id } } }',
      { key, id: `usr_${v7()}` },
      adminToken,
    );
    answer.expectError('NOT_FOUND');
  });

  it('leave an audit event for each change, and none where nothing changes', async () => {
    const key = await createProject(server, adminToken);
    for (const role of ['VIEWER', 'VIEWER', 'ANALYST', null, null] as const)
      await setMember(server, adminToken, key, viewer.id, role);
    const { id } = (await project(key, 'id')).expectData().project;
    const audit = await server.gql(
      `query($id: ID!) {
        auditEvents(filter: { targetId: $id, action: "project.set_member" }) { nodes { changes } }
      }`,
      { id },
      adminToken,
    );
    const roles = audit
      .expectData()
      .auditEvents.nodes.map(({ changes }: { changes: { role: unknown } }) => changes.role);
    expect(roles).toEqual([
      { from: 'ANALYST', to: null },
      { from: 'VIEWER', to: 'ANALYST' },
      { from: null, to: 'VIEWER' },
    ]);
  });
});

describe('the list', () => {
  it('goes by key, in pages', async () => {
    const keys = [];
    for (const suffix of ['c', 'a', 'b'])
      keys.push(await createProject(server, adminToken, { key: `paged-${suffix}`, name: `Paged ${suffix}` }));
    const first = await server.gql(
      '{ projects(first: 2, search: "PAGED") { nodes { key } totalCount pageInfo { endCursor hasNextPage } } }',
      {},
      viewer.token,
    );
    const page = first.expectData().projects;
    expect(page.nodes).toEqual([{ key: 'paged-a' }, { key: 'paged-b' }]);
    expect([page.totalCount, page.pageInfo.hasNextPage]).toEqual([3, true]);
    expect(await list(`(search: "paged", after: "${page.pageInfo.endCursor}")`)).toEqual(['paged-c']);
  });

  it('takes wildcards of the search as they are', async () => {
    await createProject(server, adminToken, { key: 'percent', name: '100 % safe' });
    expect(await list('(search: "100 %")')).toEqual(['percent']);
    expect(await list('(search: "1%e")')).toEqual([]);
  });

  it('shows archived ones only where they are asked for', async () => {
    const key = await createProject(server, adminToken, { key: 'attic' });
    (await archive(key)).expectData();
    expect(await list('(search: "attic")')).toEqual([]);
    expect(await list('(search: "attic", archived: true)')).toEqual(['attic']);
  });
});

describe('an archived project', () => {
  it('takes no new executions, and shows its existing ones', async () => {
    const key = await createProject(server, adminToken);
    const id = await createExecution(server, analyst.token, { project: key, category: 'api' });
    expect((await archive(key)).expectData().archiveProject.project.archivedAt).not.toBeNull();
    (await archive(key)).expectData();
    const refused = [
      `createExecution(input: { name: "x", target: "y", kind: SAST, project: "${key}" }) { execution { id } }`,
      `rerunExecution(id: "${id}") { execution { id } }`,
    ];
    for (const mutation of refused) {
      const { message } = (await server.gql(`mutation { ${mutation} }`, {}, analyst.token)).expectError(
        'CONFLICT',
      );
      expect(message).toBe('The project is archived: it takes no new executions.');
    }
    const found = await server.gql(
      'query($id: ID!) { execution(id: $id) { category project { key } } }',
      { id },
      viewer.token,
    );
    expect(found.expectData().execution).toEqual({ category: 'api', project: { key } });
  });

  it('still returns the execution of a repeated idempotency key', async () => {
    const key = await createProject(server, adminToken);
    const input = { project: key, idempotencyKey: 'once' };
    const id = await createExecution(server, analyst.token, input);
    (await archive(key)).expectData();
    expect(await createExecution(server, analyst.token, input)).toBe(id);
  });

  it('is never the default one', async () => {
    (await archive('default')).expectError('CONFLICT');
  });
});

describe('executions of a project', () => {
  it('belong to the default one unless another is named, and reruns to that of the first', async () => {
    const key = await createProject(server, adminToken);
    const ids = [
      await createExecution(server, analyst.token),
      await createExecution(server, analyst.token, { project: key }),
    ];
    const rerun = await server.gql(
      'mutation($id: ID!) { rerunExecution(id: $id) { execution { project { key } } } }',
      { id: ids[1] },
      analyst.token,
    );
    expect(rerun.expectData().rerunExecution.execution.project).toEqual({ key });
    const found = await server.gql(
      'query($project: String!) { executions(filter: { project: $project }) { totalCount nodes { project { key } } } }',
      { project: key },
      viewer.token,
    );
    expect(found.expectData().executions).toEqual({
      totalCount: 2,
      nodes: [{ project: { key } }, { project: { key } }],
    });
    const first = await server.gql(
      'query($id: ID!) { execution(id: $id) { project { key } } }',
      { id: ids[0] },
      viewer.token,
    );
    expect(first.expectData().execution.project).toEqual({ key: 'default' });
  });
});

describe('findings of a project', () => {
  interface Finding {
    severity: string;
    dueAt: string | null;
    presence: string;
    triage: string;
  }
  const day = 86_400_000;
  const firstSeenAt = new Date(Date.now() - 10 * day);

  async function find(key: string): Promise<Record<string, Finding>> {
    const answer = await server.gql(
      `query($key: String!) {
        present: findings(filter: { project: $key }) { nodes { title severity dueAt triage presence } }
        absent: findings(filter: { project: $key, presence: ABSENT }) { nodes { title severity dueAt triage presence } }
      }`,
      { key },
      adminToken,
    );
    const { present, absent } = answer.expectData();
    return Object.fromEntries(
      [...present.nodes, ...absent.nodes].map(({ title, ...finding }: Finding & { title: string }) => [
        title,
        finding,
      ]),
    );
  }

  it('are due by the limits of their severity, as long as they are open and present', async () => {
    const key = await createProject(server, adminToken);
    const { id } = (await project(key, 'id')).expectData().project;
    const branch = await insertBranch(server, { projectId: id.slice(4) });
    const executionId = await insertRun(server, branch, new Date());
    const seed = { executionId, branch, firstSeenAt };
    await insertFinding(server, { ...seed, title: 'critical', severity: 4 });
    await insertFinding(server, { ...seed, title: 'low', severity: 1 });
    await insertFinding(server, { ...seed, title: 'no problem', severity: 4, triage: 'FALSE_POSITIVE' });
    await insertFinding(server, { ...seed, title: 'gone', severity: 4, until: { run: 1, at: new Date() } });
    await updateProject(server, adminToken, { key, daysToFix: { critical: 7, low: 90 } });
    const due = (findings: Record<string, Finding>) =>
      Object.fromEntries(Object.entries(findings).map(([title, { dueAt }]) => [title, dueAt]));
    const inDays = (days: number) => new Date(firstSeenAt.getTime() + days * day).toISOString();
    expect(due(await find(key))).toEqual({
      critical: inDays(7),
      low: inDays(90),
      'no problem': null,
      gone: null,
    });
    await updateProject(server, adminToken, { key, daysToFix: { critical: 3 } });
    expect(due(await find(key))).toMatchObject({ critical: inDays(3), low: inDays(90) });
    await updateProject(server, adminToken, { key, daysToFix: { critical: null } });
    expect(due(await find(key))).toMatchObject({ critical: null, low: inDays(90) });
    const { daysToFix, openCounts } = (
      await project(key, 'daysToFix { critical low } openCounts { critical low total }')
    ).expectData().project;
    expect([daysToFix, openCounts]).toEqual([
      { critical: null, low: 90 },
      { critical: 1, low: 1, total: 2 },
    ]);
  });

  it('are present by the default branch, which may change', async () => {
    const key = await createProject(server, adminToken, { defaultBranch: 'main' });
    const { id } = (await project(key, 'id')).expectData().project;
    const branches = {
      main: await insertBranch(server, { projectId: id.slice(4), name: 'main' }),
      next: await insertBranch(server, { projectId: id.slice(4), name: 'next', isDefault: false }),
    };
    for (const [name, branch] of Object.entries(branches)) {
      const executionId = await insertRun(server, branch, firstSeenAt);
      await insertFinding(server, { executionId, branch, title: `on ${name}`, firstSeenAt });
    }
    const presences = async () =>
      Object.fromEntries(Object.entries(await find(key)).map(([title, { presence }]) => [title, presence]));
    const total = async () =>
      (await project(key, 'openCounts { total }')).expectData().project.openCounts.total;
    expect(await presences()).toEqual({ 'on main': 'PRESENT', 'on next': 'ABSENT' });
    await updateProject(server, adminToken, { key, defaultBranch: 'next' });
    expect(await presences()).toEqual({ 'on main': 'ABSENT', 'on next': 'PRESENT' });
    await updateProject(server, adminToken, { key, defaultBranch: 'nowhere' });
    expect(await presences()).toEqual({ 'on main': 'ABSENT', 'on next': 'ABSENT' });
    expect(await total()).toBe(0);
    await updateProject(server, adminToken, { key, defaultBranch: null });
    expect(await presences()).toEqual({ 'on main': 'PRESENT', 'on next': 'ABSENT' });
    expect(await total()).toBe(1);
  });
});
