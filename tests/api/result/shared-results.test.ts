// Results of runs that share the rows of their branch: each run shows its own picture, with its own deltas and counts.
import { describe, expect, it } from '@jest/globals';
import { insertBranch, insertFinding, insertRun } from '../../kit/findings.js';
import {
  type Connection,
  connectionFields,
  countStatements,
  type PageVariables,
  walk,
} from '../../kit/lists.js';
import { addResults, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

/** Ids of the results by the run that saw them first, oldest first. */
const ids = { gone: [] as string[], kept: [] as string[], fresh: [] as string[] };

const server = await useServer();
const token = await server.signIn();
const branch = await insertBranch(server, { target: 'repo', name: 'main' });
const at = (day: number) => new Date(Date.UTC(2026, 4, day));
const runs = [await insertRun(server, branch, at(1))];
const add = async (names: string[], run: number, title: string, severity: number, until?: number) => {
  const id = await insertFinding(server, {
    ...{
      executionId: runs[run - 1] as string,
      branch,
      title,
      severity,
      fromRun: run,
      path: `src/${title}.ts`,
    },
    ...{ firstSeenAt: at(run), cweIds: [79], ruleId: `rule-${title}` },
    ...(until === undefined ? {} : { until: { run: until, at: at(until) } }),
  });
  names.push(id.replace('fnd_', 'res_'));
};
await add(ids.gone, 1, 'alpha', 4, 1);
for (const [index, title] of ['bravo', 'charlie', 'delta', 'echo', 'foxtrot'].entries())
  await add(ids.kept, 1, title, index);
runs.push(await insertRun(server, branch, at(2)), await insertRun(server, branch, at(3)));
await add(ids.fresh, 2, 'golf', 2);
for (const [index, counts] of [
  [1, 1, 1, 1, 2],
  [1, 1, 2, 1, 1],
  [1, 1, 2, 1, 1],
].entries())
  await server.sql(
    `UPDATE test_executions SET info_count = $2, low_count = $3, medium_count = $4, high_count = $5, critical_count = $6 WHERE id = $1`,
    [runs[index], ...counts],
  );
const [first, second, third] = runs.map((id) => `exe_${id}`) as [string, string, string];
const own = await startExecution(server, token);
await addResults(server, token, own, [{ title: 'golf of its own', severity: 'LOW' }]);

const rootQuery = (fields: string, name = '') => `
  query ${name}($first: Int, $after: String, $last: Int, $before: String, $filter: ResultFilter, $orderBy: ResultOrder) {
    results(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) { ${fields} }
  }`;
const nestedQuery = `query($id: ID!, $first: Int, $after: String, $last: Int, $before: String, $filter: ResultFilter) {
  execution(id: $id) {
    results(first: $first, after: $after, last: $last, before: $before, filter: $filter) { ${connectionFields} totalCount }
  } }`;

async function root(
  filter: object,
  page: object = { first: 100 },
  fields = `${connectionFields} totalCount`,
) {
  return (await server.gql(rootQuery(fields), { ...page, filter }, token)).expectData().results;
}
async function nested(id: string, filter: object = {}, page: object = { first: 100 }): Promise<Connection> {
  return (await server.gql(nestedQuery, { ...page, id, filter }, token)).expectData().execution.results;
}
const idsOf = ({ nodes }: Connection) => nodes.map(({ id }) => id);

describe('results of runs that share rows', () => {
  const seenBy = () => ({
    [first]: [...ids.kept].reverse().concat(ids.gone),
    [second]: [...ids.fresh, ...[...ids.kept].reverse()],
    [third]: [...ids.fresh, ...[...ids.kept].reverse()],
  });

  it('show what each run saw, newest first, with the number from its counters', async () => {
    for (const [id, wanted] of Object.entries(seenBy())) {
      for (const page of [await nested(id), await root({ executionId: id })]) {
        expect(idsOf(page)).toEqual(wanted);
        expect(page).toMatchObject({ totalCount: 6 });
      }
    }
  });

  it('come page by page in both directions', async () => {
    for (const [id, wanted] of Object.entries(seenBy())) {
      for (const way of ['forward', 'backward'] as const) {
        expect(await walk((page: PageVariables) => nested(id, {}, page), 2, way)).toEqual(wanted);
        expect(await walk((page: PageVariables) => root({ executionId: id }, page), 4, way)).toEqual(wanted);
      }
    }
  });

  it('belong to the run that is asked for, and are new only in the run that saw them first', async () => {
    const fields = 'nodes { id delta execution { id } finding { id title } }';
    const { nodes } = await root({ executionId: second }, { first: 100 }, fields);
    for (const node of nodes) {
      expect(node.execution.id).toBe(second);
      expect(node.delta).toBe(ids.fresh.includes(node.id) ? 'NEW' : 'UNCHANGED');
      expect(node.finding.id).toBe(node.id.replace('res_', 'fnd_'));
    }
    const third_ = await root({ executionId: third }, { first: 100 }, fields);
    expect(third_.nodes.map(({ delta }: { delta: string }) => delta)).toEqual(Array(6).fill('UNCHANGED'));
  });

  it('are filtered within a run', async () => {
    const [bravo, charlie, delta] = ids.kept;
    const filters: [object, (string | undefined)[]][] = [
      [{ severity: ['MEDIUM'] }, [ids.fresh[0], delta]],
      [{ severity: ['INFO', 'LOW'] }, [charlie, bravo]],
      [{ search: 'RAV' }, [bravo]],
      [{ search: 'alpha' }, []],
      [{ path: 'src/golf.ts' }, ids.fresh],
      [{ ruleId: 'rule-bravo', cweId: 79 }, [bravo]],
      [{ tool: 'nothing' }, []],
      [{ target: 'repo', severity: ['LOW'] }, [charlie]],
    ];
    for (const [filter, wanted] of filters) {
      for (const page of [await nested(second, filter), await root({ executionId: second, ...filter })]) {
        expect({ filter, ids: idsOf(page) }).toEqual({ filter, ids: wanted });
        expect(page).toMatchObject({ totalCount: wanted.length });
      }
    }
    expect(idsOf(await nested(second, { executionId: first }))).toEqual([]);
  });

  it('are ordered by severity within a run', async () => {
    const orderBy = { field: 'SEVERITY', direction: 'DESC' };
    const read = (page: PageVariables) => root({ executionId: second }, { ...page, orderBy });
    const [bravo, charlie, delta, echo, foxtrot] = ids.kept;
    expect(await walk(read, 2, 'forward')).toEqual([foxtrot, echo, ids.fresh[0], delta, charlie, bravo]);
  });

  it('stand beside those of executions with rows of their own', async () => {
    const list = await server.gql(
      '{ executions(first: 10) { nodes { id results(first: 2) { nodes { id } totalCount } } } }',
      {},
      token,
    );
    const found = new Map<string, { nodes: { id: string }[]; totalCount: number }>(
      list.expectData().executions.nodes.map(({ id, results }: never) => [id, results]),
    );
    for (const [id, wanted] of Object.entries(seenBy())) {
      expect(found.get(id)?.nodes.map((node) => node.id)).toEqual(wanted.slice(0, 2));
      expect(found.get(id)?.totalCount).toBe(6);
    }
    expect(found.get(own)?.totalCount).toBe(1);
  });

  it('are found once across all executions', async () => {
    expect(idsOf(await root({}))).toHaveLength(8);
    const golf = await root({ search: 'golf' });
    expect(idsOf(golf)).toHaveLength(2);
    expect(golf.totalCount).toBe(2);
    expect(idsOf(await root({ search: 'bravo', cweId: 79 }))).toEqual([ids.kept[0]]);
    expect(idsOf(await root({ path: 'src/alpha.ts' }))).toEqual(ids.gone);
  });

  it('cost an execution with rows of its own no further statement', async () => {
    const query = rootQuery('nodes { id }', 'Own');
    const { statements } = await countStatements(server, query, { filter: { executionId: own } });
    const shared = await countStatements(server, rootQuery('nodes { id }', 'Shared'), {
      filter: { executionId: second },
    });
    expect(shared.statements).toBe(statements + 2);
  });
});

describe('a finding', () => {
  const fields = `id title presence onMain: presence(branch: "main") elsewhere: presence(branch: "other")
    firstSeenAt lastSeenAt firstSeenIn { id } lastSeenIn { id } target tool category description tags
    branches { branch presence firstSeenAt lastSeenAt } occurrences { nodes { id } totalCount } history { at }`;
  const read = async (id = '') =>
    (await server.gql(`query($id: ID!) { finding(id: $id) { ${fields} } }`, { id }, token)).expectData()
      .finding;

  it('names the runs that saw it first and last', async () => {
    const found = await read(ids.kept[0]?.replace('res_', 'fnd_'));
    expect(found).toMatchObject({
      ...{ title: 'bravo', presence: 'PRESENT', onMain: 'PRESENT', elsewhere: 'ABSENT' },
      ...{ firstSeenAt: '2026-05-01T00:00:00.000Z', lastSeenAt: '2026-05-03T00:00:00.000Z' },
      ...{ firstSeenIn: { id: first }, lastSeenIn: { id: third } },
      ...{ target: 'repo', tool: 'semgrep', category: null, description: 'What it is', tags: ['tag'] },
      occurrences: { nodes: [{ id: ids.kept[0] }], totalCount: 1 },
      history: [],
    });
    expect(found.branches).toEqual([
      {
        ...{ branch: 'main', presence: 'PRESENT' },
        ...{ firstSeenAt: '2026-05-01T00:00:00.000Z', lastSeenAt: '2026-05-03T00:00:00.000Z' },
      },
    ]);
  });

  it('is absent once a run did not see it, and keeps the run before as its last', async () => {
    const found = await read(ids.gone[0]?.replace('res_', 'fnd_'));
    expect(found).toMatchObject({
      presence: 'ABSENT',
      onMain: 'ABSENT',
      lastSeenAt: '2026-05-01T00:00:00.000Z',
    });
    expect(found.lastSeenIn).toEqual({ id: first });
    expect(found.branches).toMatchObject([{ presence: 'ABSENT', lastSeenAt: '2026-05-01T00:00:00.000Z' }]);
  });
});
