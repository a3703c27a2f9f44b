// Deletion of executions: in pieces as in one go, for each run of a branch; texts that nothing uses any more.
import { expect, it } from '@jest/globals';
import { countFaults } from '../../kit/findings.js';
import { importSarif, type Problem } from '../../kit/imports.js';
import { createProject } from '../../kit/projects.js';
import { until } from '../../kit/receiver.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();
const project = await createProject(server, token);

const idOf = async (target: string, problems: readonly Problem[], extra: object = {}) =>
  (await importSarif(server, token, { project, target }, problems, extra)).executionId;
const rules = (...names: string[]): Problem[] => names.map((rule) => ({ rule }));

/** Deletes an execution, and waits until its last row is gone. */
async function remove(id: string): Promise<void> {
  const answer = await server.gql(
    'mutation($id: ID!) { deleteExecution(id: $id) { deletedId } }',
    { id },
    token,
  );
  answer.expectData();
  await until(
    () => server.sql('SELECT 1 FROM test_executions WHERE id = $1', [id.slice(4)]),
    (rows) => rows.length === 0,
  );
}

interface Seen {
  ruleId: string;
  lastSeenIn: { id: string } | null;
  firstSeenIn: { id: string } | null;
}

/** All findings of a target, with runs as their places in `ids`. */
async function findingsOf(target: string, ids: readonly string[]): Promise<object[]> {
  const found: Seen[] = [];
  for (const presence of ['PRESENT', 'ABSENT']) {
    const answer = await server.gql(
      `query($filter: FindingFilter) { findings(first: 100, filter: $filter) { totalCount nodes {
        ruleId presence severity triage description remediation location { path } firstSeenIn { id } lastSeenIn { id }
        branches { presence } history { to severityTo } } } }`,
      { filter: { project, target, presence } },
      token,
    );
    const { nodes, totalCount } = answer.expectData().findings;
    expect(totalCount).toBe(nodes.length);
    found.push(...nodes);
  }
  return found
    .sort((a, b) => (a.ruleId < b.ruleId ? -1 : 1))
    .map(({ firstSeenIn, lastSeenIn, ...finding }) => ({
      ...finding,
      firstSeenIn: ids.indexOf(firstSeenIn?.id ?? ''),
      lastSeenIn: ids.indexOf(lastSeenIn?.id ?? ''),
    }));
}

const history: Problem[][] = [
  [...rules('stays', 'gone', 'back'), { rule: 'changed' }],
  [...rules('stays', 'once'), { rule: 'changed', level: 'warning' }],
  [...rules('stays', 'back', 'late'), { rule: 'changed', level: 'warning' }],
  [...rules('stays', 'late', 'last'), { rule: 'changed' }],
];

it.each([0, 1, 2, 3])('ends piece by piece as it does in one go, for run %i of four', async (deleted) => {
  const ends = await Promise.all(
    [10, 2100].map(async (size) => {
      const target = `run-${deleted}-with-${size}`;
      const bulk = rules(...Array.from({ length: size }, (_, index) => `bulk-${index}`));
      const ids: string[] = [];
      for (const [index, problems] of history.entries())
        ids.push(await idOf(target, index === deleted ? [...problems, ...bulk] : problems));
      await remove(ids[deleted] as string);
      const after = await findingsOf(target, ids);
      await idOf(target, rules('stays', 'gone', 'changed'));
      return { after, again: await findingsOf(target, ids) };
    }),
  );
  const [atOnce, inPieces] = ends;
  expect(atOnce?.after.length).toBeGreaterThan(3);
  expect(inPieces).toEqual(atOnce);
  expect(await countFaults(server)).toEqual([]);
  const orphans = await server.sql(`
    SELECT id FROM test_results WHERE finding_id IS NOT NULL AND NOT EXISTS (SELECT FROM findings WHERE id = finding_id)
    UNION ALL SELECT id FROM findings WHERE NOT EXISTS (SELECT FROM test_results WHERE id = result_id)
    UNION ALL SELECT id FROM projects WHERE deleted_at IS NOT NULL`);
  expect(orphans).toEqual([]);
});

it('opens what the deleted run closed, where the later run could not read the file', async () => {
  const notification = (path: string) => ({
    level: 'error',
    message: { text: 'no access' },
    locations: [{ physicalLocation: { artifactLocation: { uri: path } } }],
  });
  const invocations = [
    { executionSuccessful: false, toolExecutionNotifications: [notification('src/hidden.c')] },
  ];
  const ids = [
    await idOf('unread', rules('stays', 'hidden', 'fixed')),
    await idOf('unread', rules('stays')),
    await idOf('unread', rules('stays'), { invocations }),
  ];
  await remove(ids[1] as string);
  expect(await findingsOf('unread', ids)).toMatchObject([
    { ruleId: 'fixed', presence: 'ABSENT' },
    { ruleId: 'hidden', presence: 'PRESENT' },
    { ruleId: 'stays', presence: 'PRESENT' },
  ]);
});

it('recognises a finding by the newest result that is left, as if the deleted run had never been', async () => {
  const at = (path: string) => ({
    results: [
      {
        ruleId: 'moves',
        message: { text: 'Problem' },
        locations: [
          {
            physicalLocation: {
              artifactLocation: { uri: path },
              region: { startLine: 3, snippet: { text: 'strcpy(to, from);' } },
            },
          },
        ],
      },
    ],
  });
  const keysOf = (target: string) =>
    server.sql(
      `SELECT group_key, rule_key, snippet_key, message_key, line, path, finding.search_text
       FROM findings AS finding JOIN scan_series AS series ON series.id = series_id WHERE target = $1`,
      [target],
    );
  await idOf('moved', [], at('src/old.c'));
  const before = await keysOf('moved');
  const renamed = await importSarif(server, token, { project, target: 'moved' }, [], at('lib/new.c'));
  expect(renamed).toMatchObject({ newFindings: 0, unchangedFindings: 1 });
  await remove(renamed.executionId);
  expect(await keysOf('moved')).toEqual(before);
  expect(await findingsOf('moved', [])).toMatchObject([{ location: { path: 'src/old.c' } }]);
});

it('removes texts that no result uses, unless an import is about to use them', async () => {
  const help = 'Explains the rule at such length that results have the text in common. '.repeat(3);
  const results = ['one', 'two', 'three'].map((path) => ({
    ruleId: 'explained',
    message: { text: `Problem in ${path}` },
    locations: [{ physicalLocation: { artifactLocation: { uri: path }, region: { startLine: 1 } } }],
  }));
  const tool = { driver: { name: 'Explainer', rules: [{ id: 'explained', help: { text: help } }] } };
  const importTexts = () => idOf('texts', [], { tool, results });
  const texts = () => server.sql('SELECT unused_at FROM result_texts');
  const passDay = () => server.sql(`UPDATE result_texts SET unused_at = unused_at - interval '25 hours'`);
  const sweep = () => server.services.retention.removeTexts();

  const first = await importTexts();
  expect(await sweep()).toBe(0);
  expect(await texts()).toEqual([{ unused_at: null }]);
  await remove(first);
  expect(await sweep()).toBe(0); // marked, and kept for a day
  await passDay();
  const second = await importTexts();
  expect(await texts()).toEqual([{ unused_at: null }]);
  expect(await sweep()).toBe(0);
  const described = await findingsOf('texts', []);
  expect(described).toHaveLength(3);
  for (const finding of described) expect(JSON.stringify(finding)).toContain('Explains the rule');

  await remove(second);
  await sweep();
  await passDay();
  // An import from before the mark may have looked at the text already. Its lease keeps the server from taking it up.
  await idOf('under-way', rules('other'));
  const setState = (state: string, worker: string | null) =>
    server.sql(
      `UPDATE imports SET state = $1, worker_id = $2, lease_expires_at = now() + interval '1 hour',
         created_at = now() - interval '2 days'
       FROM test_executions AS execution WHERE execution.id = execution_id AND target = 'under-way' RETURNING 1`,
      [state, worker],
    );
  expect(await setState('RUNNING', '00000000-0000-7000-8000-0000000000ff')).toHaveLength(1);
  expect(await sweep()).toBe(0);
  expect(await setState('COMPLETED', null)).toHaveLength(1);
  expect(await sweep()).toBe(1);
  expect(await texts()).toEqual([]);
});
