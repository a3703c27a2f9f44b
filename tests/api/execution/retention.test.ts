// Retention: old executions go, findings with their history stay.
import { expect, it } from '@jest/globals';
import { countFaults } from '../../kit/findings.js';
import { importSarif } from '../../kit/imports.js';
import { createProject, updateProject } from '../../kit/projects.js';
import { importRules, until } from '../../kit/receiver.js';
import { addResults, createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ METRICS: 'true' });
const token = await server.signIn();

/** Lets all executions have ended days ago. */
const age = (days: number) =>
  server.sql(`UPDATE test_executions SET finished_at = finished_at - make_interval(days => $1)`, [days]);

async function executionsOf(project: string): Promise<string[]> {
  const answer = await server.gql(
    'query($filter: ExecutionFilter) { executions(first: 100, filter: $filter) { nodes { id } } }',
    { filter: { project } },
    token,
  );
  return answer.expectData().executions.nodes.map(({ id }: { id: string }) => id);
}

async function findingsOf(project: string): Promise<object[]> {
  const nodes = [];
  for (const presence of ['PRESENT', 'ABSENT']) {
    const answer = await server.gql(
      `query($filter: FindingFilter) { findings(first: 100, filter: $filter) { nodes {
        id ruleId presence triage firstSeenAt lastSeenAt location { path } history { to }
      } } }`,
      { filter: { project, presence } },
      token,
    );
    nodes.push(...answer.expectData().findings.nodes);
  }
  return nodes;
}

it('deletes old executions, and keeps findings, history and the last sighting of each', async () => {
  const project = await createProject(server, token);
  const first = await importRules(server, token, 'kept', ['r1', 'r2'], project);
  const second = await importRules(server, token, 'kept', ['r1', 'r2'], project);
  const third = await importRules(server, token, 'kept', ['r1'], project);
  const fourth = await importRules(server, token, 'kept', ['r1'], project);
  const before = await findingsOf(project);
  expect(before).toHaveLength(2);
  await age(3);
  expect(await server.services.retention.run()).toBe(0);
  await updateProject(server, token, { key: project, retainDays: 4 });
  expect(await server.services.retention.run()).toBe(0);
  await updateProject(server, token, { key: project, retainDays: 2 });
  expect(await server.services.retention.run()).toBe(2);
  expect((await executionsOf(project)).sort()).toEqual([second, fourth].sort());
  // What a run that stays saw last, it saw when it ended.
  const [{ finished_at: endedAt } = { finished_at: new Date(0) }] = await server.sql<{ finished_at: Date }>(
    'SELECT finished_at FROM test_executions WHERE id = $1',
    [second.slice(4)],
  );
  const [present, absent] = before;
  expect(await findingsOf(project)).toEqual([present, { ...absent, lastSeenAt: endedAt.toISOString() }]);
  expect(await server.services.retention.run()).toBe(0);
  expect(await countFaults(server)).toEqual([]);
  const audit = await server.gql(
    '{ auditEvents(filter: { action: "execution.expire" }) { nodes { targetId actorLabel changes } } }',
    {},
    token,
  );
  const { nodes } = audit.expectData().auditEvents;
  expect(nodes.map(({ targetId }: { targetId: string }) => targetId).sort()).toEqual([first, third].sort());
  expect(nodes[0]).toMatchObject({ actorLabel: 'system', changes: { target: 'kept', retainDays: 2 } });
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(metrics).toContain('sec_tester_executions_expired 2');
  // What the last run shows, and what comes back, is as it was.
  const results = await server.gql(
    'query($id: ID!) { execution(id: $id) { results { nodes { ruleId } } } }',
    { id: fourth },
    token,
  );
  expect(results.expectData().execution.results.nodes).toEqual([{ ruleId: 'r1' }]);
  await importRules(server, token, 'kept', ['r1', 'r2'], project);
  expect(await findingsOf(project)).toMatchObject([{ presence: 'PRESENT' }, { presence: 'PRESENT' }]);
});

it('leaves running executions and those of projects without a limit alone', async () => {
  await server.sql('UPDATE projects SET retain_days = NULL');
  const project = await createProject(server, token);
  await updateProject(server, token, { key: project, retainDays: 1 });
  const running = await startExecution(server, token);
  await addResults(server, token, running, [{ title: 'T', severity: 'LOW', location: { path: 'a' } }]);
  const other = await importRules(server, token, 'unlimited', ['r1']);
  await importRules(server, token, 'unlimited', ['r1']);
  await age(400);
  expect(await server.services.retention.run()).toBe(0);
  expect(await executionsOf('default')).toEqual(expect.arrayContaining([other]));
});

const previewOf = async (variables: object) =>
  (
    await server.gql(
      `query($project: String, $retainDays: Int, $retainExecutions: Int) {
        retentionPreview(project: $project, retainDays: $retainDays, retainExecutions: $retainExecutions) {
          project { key } retainDays retainExecutions executions results held needed
        }
      }`,
      variables as Record<string, unknown>,
      token,
    )
  ).expectData().retentionPreview;

const hold = (id: string, reason: string | null, by = token) =>
  server.gql(
    `mutation($id: ID!, $reason: String) {
      setExecutionHold(id: $id, reason: $reason) { execution { heldAt holdReason } }
    }`,
    { id, reason },
    by,
  );
const remove = (id: string, by = token) =>
  server.gql('mutation($id: ID!) { deleteExecution(id: $id) { deletedId } }', { id }, by);

it('keeps a number of executions of each target and branch, exactly as its dry run says', async () => {
  const project = await createProject(server, token);
  for (const branch of ['main', 'main', 'dev', 'main', 'dev', 'main', 'dev'])
    await importSarif(server, token, { project, target: 'counted', branch }, [{ rule: 'a' }, { rule: 'b' }]);
  const other = await importRules(server, token, 'other', ['r1'], project);
  expect(await previewOf({ project, retainExecutions: 2 })).toEqual([
    {
      project: { key: project },
      retainDays: null,
      retainExecutions: 2,
      executions: 3,
      results: 6,
      held: 0,
      needed: 0,
    },
  ]);
  await updateProject(server, token, { key: project, retainExecutions: 2 });
  expect(await previewOf({ project })).toMatchObject([{ retainExecutions: 2, executions: 3 }]);
  const before = await findingsOf(project);
  expect(await server.services.retention.run()).toBe(3);
  const left = await executionsOf(project);
  expect(left).toHaveLength(5);
  expect(left).toContain(other);
  expect(await findingsOf(project)).toEqual(before);
  expect(await previewOf({})).toContainEqual(
    expect.objectContaining({ project: { key: project }, executions: 0, needed: 0 }),
  );
  expect(await countFaults(server)).toEqual([]);
});

it('keeps what is under a legal hold, from people too, until an admin releases it', async () => {
  const project = await createProject(server, token);
  const first = await importRules(server, token, 'held', ['r1'], project);
  const second = await importRules(server, token, 'held', ['r1'], project);
  const third = await importRules(server, token, 'held', ['r1'], project);
  const analyst = await createPerson(server, token, 'ANALYST');
  (await hold(first, 'Case 7', analyst.token)).expectError('FORBIDDEN');
  const held = (await hold(first, 'Case 7')).expectData().setExecutionHold.execution;
  expect(held).toEqual({ heldAt: expect.stringMatching(/^20/), holdReason: 'Case 7' });
  expect((await hold(first, 'Case 7')).expectData().setExecutionHold.execution).toEqual(held);
  (await remove(first)).expectError('CONFLICT');
  expect(await previewOf({ project, retainExecutions: 1 })).toMatchObject([{ executions: 1, held: 0 }]);
  await age(3);
  expect(await previewOf({ project, retainDays: 2 })).toMatchObject([{ executions: 1, held: 1, needed: 1 }]);
  await updateProject(server, token, { key: project, retainDays: 2 });
  expect(await server.services.retention.run()).toBe(1);
  expect((await executionsOf(project)).sort()).toEqual([first, third].sort());
  expect((await hold(first, null)).expectData().setExecutionHold.execution).toEqual({
    ...{ heldAt: null, holdReason: null },
  });
  expect(await server.services.retention.run()).toBe(1);
  expect(await executionsOf(project)).toEqual([third]);
  (await hold(second, 'too late')).expectError('NOT_FOUND');
  const audit = await server.gql(
    'query($id: ID!) { auditEvents(filter: { targetId: $id }) { nodes { action changes } } }',
    { id: first },
    token,
  );
  expect(audit.expectData().auditEvents.nodes).toEqual(
    expect.arrayContaining([
      { action: 'execution.hold', changes: { holdReason: { from: null, to: 'Case 7' } } },
      { action: 'execution.release', changes: { holdReason: { from: 'Case 7', to: null } } },
    ]),
  );
});

it('deletes a large execution at once for readers, and its rows piece by piece, with what only it had seen', async () => {
  const project = await createProject(server, token);
  const many = Array.from({ length: 2100 }, (_, index) => `r${index}`);
  await importRules(server, token, 'large', ['r0', 'gone'], project);
  const large = await importRules(server, token, 'large', many, project);
  (await remove(large)).expectData();
  expect(await executionsOf(project)).toHaveLength(1);
  (await server.gql('query($id: ID!) { execution(id: $id) { id } }', { id: large }, token)).expectError(
    'NOT_FOUND',
  );
  await importRules(server, token, 'large', ['r0', 'r1'], project); // the next run gets the number of the deleted one
  await until(
    () => server.sql('SELECT FROM test_executions WHERE id = $1', [large.slice(4)]),
    (rows) => rows.length === 0,
  );
  const findings = (await findingsOf(project)) as { ruleId: string; presence: string }[];
  expect(findings.map(({ ruleId, presence }) => [ruleId, presence]).sort()).toEqual([
    ['gone', 'ABSENT'],
    ['r0', 'PRESENT'],
    ['r1', 'PRESENT'],
  ]);
  expect(await countFaults(server)).toEqual([]);
  const orphans = await server.sql(
    `
    SELECT id FROM test_results WHERE finding_id IS NOT NULL AND NOT EXISTS (SELECT FROM findings WHERE id = finding_id)
    UNION ALL SELECT id FROM findings WHERE NOT EXISTS (SELECT FROM test_results WHERE id = result_id)
    UNION ALL SELECT id FROM projects WHERE deleted_at IS NOT NULL AND id::text = $1`,
    [large.slice(4)],
  );
  expect(orphans).toEqual([]);
});

it('lets imports go on while it deletes', async () => {
  const project = await createProject(server, token);
  await updateProject(server, token, { key: project, retainExecutions: 1 });
  const ids: string[] = [];
  const importing = (async () => {
    for (let run = 0; run < 8; run += 1)
      ids.push(await importRules(server, token, 'busy', ['always', `only-${run % 3}`], project));
  })();
  let isOver = false;
  void importing.finally(() => {
    isOver = true;
  });
  while (!isOver) await server.services.retention.run();
  await importing;
  await server.services.retention.run();
  // Of each rule that is absent now, the last run that saw it stays.
  expect((await executionsOf(project)).sort()).toEqual(ids.slice(5).sort());
  expect(await findingsOf(project)).toHaveLength(4);
  expect(await countFaults(server)).toEqual([]);
});
