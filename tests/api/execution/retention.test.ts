// Retention: old executions go, findings with their history stay.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { countFaults } from '../../kit/findings.js';
import { startTestServer, type TestServer } from '../../kit/harness.js';
import { createProject, updateProject } from '../../kit/projects.js';
import { importRules } from '../../kit/receiver.js';
import { addResults, startExecution } from '../../kit/seed.js';

let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startTestServer({ METRICS: 'true' });
  token = await server.signIn();
});
afterAll(() => server.close());

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
