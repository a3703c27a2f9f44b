// deleteProject: gone at once and as a whole, its rows soon afterwards, also while imports work on them.
import { expect, it } from '@jest/globals';
import { countFaults } from '../../kit/findings.js';
import { changes, endOf, eventsOf, subscribe } from '../../kit/live.js';
import { createBoundKey, createProject } from '../../kit/projects.js';
import { createWebhook, importRules, until } from '../../kit/receiver.js';
import { createExecution, createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({
  METRICS: 'true',
  WEBHOOK_KEY: Buffer.alloc(32, 7).toString('base64'),
  WEBHOOK_PRIVATE_ADDRESSES: 'true',
});
const token = await server.signIn();
const viewer = (await createPerson(server, token, 'VIEWER')).token;

const counts = 'executions results findings imports members apiKeys webhooks heldExecutions';
const remove = (key: string, given: object = { confirmKey: key }, by = token) =>
  server.change('deleteProject', { key, ...given }, `deletedId ${counts}`, by);

/** What somebody sees that mentions a project or things of it. */
async function seenBy(by: string, marks: string[]): Promise<string[]> {
  const answer = await server.gql(
    `{ projects(first: 100) { nodes { id key } } archived: projects(first: 100, archived: true) { nodes { id key } }
      executions(first: 100) { totalCount nodes { id } } findings(first: 100) { totalCount nodes { id project { key } } }
      results(first: 100) { nodes { id execution { id } } } statistics { topTargets { target } } }`,
    {},
    by,
  );
  const text = JSON.stringify(answer.expectData());
  return marks.filter((mark) => text.includes(mark));
}

/** Waits until no row of a project is left. */
const untilGone = (id: string) =>
  until(
    () =>
      server.sql(
        `SELECT 1 FROM projects WHERE id = $1 UNION ALL SELECT 1 FROM test_executions WHERE project_id = $1
         UNION ALL SELECT 1 FROM findings WHERE project_id = $1 UNION ALL SELECT 1 FROM scan_series WHERE project_id = $1
         UNION ALL SELECT 1 FROM finding_counts WHERE project_id = $1`,
        [id],
      ),
    (rows) => rows.length === 0,
  );

it('counts in a dry run, wants the key once more, and deletes the project for everybody at once', async () => {
  const key = await createProject(server, token);
  const run = await importRules(server, token, 'doomed', ['r1', 'r2'], key);
  await importRules(server, token, 'doomed', ['r1'], key);
  const running = await startExecution(server, token, { project: key });
  const secret = await createBoundKey(server, token, key, ['execution:read', 'project:read']);
  const url = 'http://127.0.0.1:9/hook';
  const webhook = await createWebhook(server, token, { url, events: ['finding.new'], project: key });
  const contents = {
    ...{ executions: 3, results: 2, findings: 2, imports: 2 },
    ...{ members: 0, apiKeys: 1, webhooks: 1, heldExecutions: 0 },
  };
  expect((await remove(key, { dryRun: true })).expectData().deleteProject).toEqual({
    deletedId: null,
    ...contents,
  });
  (await remove(key, {})).expectError('VALIDATION_FAILED');
  (await remove(key, { confirmKey: `${key}x` })).expectError('VALIDATION_FAILED');
  (await remove(key, undefined, viewer)).expectError('FORBIDDEN');
  (await remove('default')).expectError('CONFLICT');
  const marks = [key, run, running];
  expect(await seenBy(token, marks)).toEqual(marks);
  const ofOne = { query: eventsOf, variables: { executionId: running } };
  const stream = subscribe('event stream', server.url, token, ofOne);
  await until(
    () => stream.events.length,
    (count) => count > 0,
  );

  const { deletedId, ...gone } = (await remove(key)).expectData().deleteProject;
  expect(gone).toEqual(contents);
  expect(await seenBy(token, [...marks, 'doomed'])).toEqual([]);
  expect(await seenBy(viewer, [...marks, 'doomed'])).toEqual([]);
  await endOf(stream);
  (await server.gql(`{ project(key: "${key}") { id } }`, {}, token)).expectError('NOT_FOUND');
  for (const id of [run, deletedId])
    (await server.gql('query($id: ID!) { node(id: $id) { id } }', { id }, token)).expectError('NOT_FOUND');
  (await server.gql('{ projects { nodes { id } } }', {}, secret)).expectError('UNAUTHENTICATED');
  const hooks = await server.gql('{ webhooks { id } }', {}, token);
  expect(JSON.stringify(hooks.expectData())).not.toContain(webhook.id);
  const refused = await server.gql(
    `mutation { createExecution(input: { name: "N", target: "t", kind: DAST, project: "${key}" }) { execution { id } } }`,
    {},
    token,
  );
  refused.expectError('NOT_FOUND');
  await untilGone(deletedId.slice(4));
  expect(await countFaults(server)).toEqual([]);
  expect(await createProject(server, token, { key })).toBe(key);
  const audit = await server.gql(
    '{ auditEvents(filter: { action: "project.delete" }) { nodes { targetId changes } } }',
    {},
    token,
  );
  expect(audit.expectData().auditEvents.nodes).toEqual([
    { targetId: deletedId, changes: { key, name: expect.stringContaining('Project'), ...contents } },
  ]);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(metrics).toMatch(/sec_tester_rows_removed [1-9]/);
  expect(metrics).toContain('sec_tester_removals_waiting 0');
});

it('refuses a project with an execution under a legal hold', async () => {
  const key = await createProject(server, token);
  const id = await importRules(server, token, 'evidence', ['r1'], key);
  const hold = (reason: string | null) =>
    server.gql(
      'mutation($id: ID!, $reason: String) { setExecutionHold(id: $id, reason: $reason) { execution { id } } }',
      { id, reason },
      token,
    );
  (await hold('Case 7')).expectData();
  expect((await remove(key, { dryRun: true })).expectData().deleteProject.heldExecutions).toBe(1);
  (await remove(key)).expectError('CONFLICT');
  expect(await seenBy(token, [key, id])).toEqual([key, id]);
  (await hold(null)).expectData();
  const { deletedId } = (await remove(key)).expectData().deleteProject;
  await untilGone(deletedId.slice(4));
});

it('leaves nothing of imports, runners and streams that are under way, and other projects as they are', async () => {
  const kept = await importRules(server, token, 'kept', ['r1', 'r2']);
  const key = await createProject(server, token);
  const many = Array.from({ length: 3000 }, (_, index) => `r${index}`);
  await importRules(server, token, 'busy', many, key);
  const waiting = await createExecution(server, token, { project: key });
  const feed = subscribe('WebSocket', server.url, token, { query: changes, variables: {} });
  const imports = Promise.allSettled(
    ['busy', 'busy', 'b2', 'b3'].map((target, index) =>
      importRules(server, token, target, many.slice(index), key),
    ),
  );
  await until(
    () => server.sql(`SELECT 1 FROM imports WHERE state = 'RUNNING'`),
    (rows) => rows.length > 0,
  );
  const deletions = await Promise.all([remove(key), remove(key)]);
  const deleted = deletions.map(({ body }) => body.data?.deleteProject?.deletedId ?? 'refused');
  expect(deleted).toContain('refused');
  const id = deleted.find((given) => given !== 'refused');
  await imports;
  await untilGone(id.slice(4));
  feed.stop();
  expect(await seenBy(token, [key, waiting, 'busy', kept])).toEqual([kept]);
  expect(await countFaults(server)).toEqual([]);
  const orphans = await server.sql(`
    SELECT id FROM test_results WHERE finding_id IS NOT NULL AND NOT EXISTS (SELECT FROM findings WHERE id = finding_id)
    UNION ALL SELECT id FROM findings WHERE NOT EXISTS (SELECT FROM test_results WHERE id = result_id)`);
  expect(orphans).toEqual([]);
});
