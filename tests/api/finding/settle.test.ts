// What test modules add through addResults meets the findings once their execution has ended.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestServer, type TestServer } from '../../kit/harness.js';
import { addResults, startExecution } from '../../kit/seed.js';

let server: TestServer;
let token: string;

beforeAll(async () => {
  server = await startTestServer();
  token = await server.signIn();
});
afterAll(() => server.close());

const results = [1, 2, 3].map((n) => ({
  title: `Header ${n} is missing`,
  severity: 'LOW',
  ruleId: `header-${n}`,
  location: { url: 'https://shop.test/', parameter: `X-${n}` },
}));

/** Runs a module that reports these results; the deltas of its results by rule once they have met the findings. */
async function runModule(target: string, reported: Record<string, unknown>[], isFailed = false) {
  const id = await startExecution(server, token, { target, tool: 'probe' });
  if (reported.length > 0) await addResults(server, token, id, reported);
  const end = isFailed
    ? 'mutation ($id: ID!) { failExecution(id: $id, errorMessage: "broken") { execution { id } } }'
    : 'mutation ($id: ID!) { completeExecution(id: $id) { execution { id } } }';
  (await server.gql(end, { id }, token)).expectData();
  for (;;) {
    const [row] = await server.sql<{ run: number | null }>(
      'SELECT run_number AS run FROM test_executions WHERE id = $1',
      [id.slice(4)],
    );
    if (row?.run != null) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { execution } = (
    await server.gql(
      `query ($id: ID!) { execution(id: $id) { results(first: 100) { nodes { ruleId delta finding { id firstSeenIn { id } } } } } }`,
      { id },
      token,
    )
  ).expectData();
  return { id, results: execution.results.nodes };
}

async function findingsOf(target: string, presence: string) {
  const { findings } = (
    await server.gql(
      `query ($filter: FindingFilter) { findings(first: 100, filter: $filter) { totalCount nodes { ruleId lastSeenIn { id } } } }`,
      { filter: { target, presence } },
      token,
    )
  ).expectData();
  return findings;
}

test('a first run makes findings, the next one sees them again and closes what is gone', async () => {
  const first = await runModule('t-1', results);
  expect(first.results.map(({ delta }: { delta: string }) => delta)).toEqual(['NEW', 'NEW', 'NEW']);
  const second = await runModule('t-1', results.slice(0, 2));
  expect(second.results).toEqual([
    {
      ruleId: 'header-2',
      delta: 'UNCHANGED',
      finding: expect.objectContaining({ firstSeenIn: { id: first.id } }),
    },
    {
      ruleId: 'header-1',
      delta: 'UNCHANGED',
      finding: expect.objectContaining({ firstSeenIn: { id: first.id } }),
    },
  ]);
  expect(await findingsOf('t-1', 'PRESENT')).toMatchObject({ totalCount: 2 });
  expect(await findingsOf('t-1', 'ABSENT')).toEqual({
    totalCount: 1,
    nodes: [{ ruleId: 'header-3', lastSeenIn: { id: first.id } }],
  });
  const third = await runModule('t-1', results);
  expect(third.results.map(({ delta }: { delta: string }) => delta).sort()).toEqual([
    'REOPENED',
    'UNCHANGED',
    'UNCHANGED',
  ]);
});

test('a run that did not end well closes nothing', async () => {
  await runModule('t-2', results);
  const failed = await runModule('t-2', results.slice(0, 1), true);
  expect(failed.results).toMatchObject([{ delta: 'UNCHANGED' }]);
  expect(await findingsOf('t-2', 'PRESENT')).toMatchObject({ totalCount: 3 });
});

test('a run that found nothing closes what there was', async () => {
  await runModule('t-3', results);
  await runModule('t-3', []);
  expect(await findingsOf('t-3', 'PRESENT')).toMatchObject({ totalCount: 0 });
});

test('leaves nothing in the working tables', async () => {
  const [left] = await server.sql<{ n: number }>(
    'SELECT (SELECT count(*) FROM staged_results)::int + (SELECT count(*) FROM staged_matches)::int AS n',
  );
  expect(left?.n).toBe(0);
});
