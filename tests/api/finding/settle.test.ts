// What test modules add through addResults meets the findings once their execution has ended.
import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import pg from 'pg';
import { findEnded } from '../../../src/features/finding/runs/settle-queue.js';
import { lockKeys } from '../../../src/infra/postgres/advisory-lock.js';
import { importSarif } from '../../kit/imports.js';
import { addResults, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

const results = [1, 2, 3].map((n) => ({
  title: `Header ${n} is missing`,
  severity: 'LOW',
  ruleId: `header-${n}`,
  location: { url: 'https://shop.test/', parameter: `X-${n}` },
}));

/** An execution that has reported these results and ended. */
async function endModule(target: string, reported: Record<string, unknown>[], isFailed = false) {
  const id = await startExecution(server, token, { target, tool: 'probe' });
  if (reported.length > 0) await addResults(server, token, id, reported);
  const end = isFailed
    ? 'mutation ($id: ID!) { failExecution(id: $id, errorMessage: "broken") { execution { id } } }'
    : 'mutation ($id: ID!) { completeExecution(id: $id) { execution { id } } }';
  (await server.gql(end, { id }, token)).expectData();
  return id;
}

async function untilSettled(id: string): Promise<void> {
  for (;;) {
    const [row] = await server.sql<{ run: number | null }>(
      'SELECT run_number AS run FROM test_executions WHERE id = $1',
      [id.slice(4)],
    );
    if (row?.run != null) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Runs a module that reports these results; the deltas of its results by rule once they have met the findings. */
async function runModule(target: string, reported: Record<string, unknown>[], isFailed = false) {
  const id = await endModule(target, reported, isFailed);
  await untilSettled(id);
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

/** Keeps the server from settling until the work is done. */
async function whileNothingSettles(work: () => Promise<void>): Promise<void> {
  const holder = new pg.Client({ connectionString: server.databaseUrl });
  await holder.connect();
  try {
    await holder.query('SELECT pg_advisory_lock($1)', [lockKeys.settling]);
    await work();
  } finally {
    await holder.end();
  }
}

test('an import waits for executions of its target that ended before, and holds up no other target', async () => {
  const probe = { tool: { driver: { name: 'probe' } } };
  let waiting: Promise<unknown> | undefined;
  const isSeen = async (target: string) => (await findingsOf(target, 'PRESENT')).totalCount > 0;
  await whileNothingSettles(async () => {
    await endModule('t-4', []);
    waiting = importSarif(server, token, { target: 't-4' }, [{ rule: 'a' }], probe);
    for (const target of ['t-5', 't-6', 't-7']) await importSarif(server, token, { target }, [{ rule: 'a' }]);
    expect(await isSeen('t-5')).toBe(true);
    expect(await isSeen('t-4')).toBe(false);
  });
  expect(await waiting).toMatchObject({ state: 'COMPLETED', newFindings: 1, absentFindings: 0 });
  expect(await isSeen('t-4')).toBe(true);
});

test('webhooks hear nothing of executions that ended before they were made', async () => {
  const heard = () => server.sql<{ id: string }>('SELECT webhook_id AS id FROM webhook_deliveries');
  const makeWebhook = (id: string, at: string) =>
    server.sql(
      `INSERT INTO webhooks (id, url, events, secret, created_at) VALUES ($1, 'https://hooks.test/', '{finding.new}', '', ${at})`,
      [id],
    );
  const [early, late] = [randomUUID(), randomUUID()];
  await whileNothingSettles(async () => {
    await makeWebhook(early, `now() - interval '1 hour'`);
    await endModule('t-8', results);
    await makeWebhook(late, `now() + interval '1 minute'`);
  });
  const [{ id } = { id: '' }] = await server.sql<{ id: string }>(
    `SELECT id FROM test_executions WHERE target = 't-8'`,
  );
  await untilSettled(`exe_${id}`);
  expect(await heard()).toEqual([{ id: early }]);
  await server.sql('DELETE FROM webhooks');
});

test('targets in use come before an old backlog, which goes on beside them', async () => {
  const connection = {
    query: <Row>({ text, values }: { text: string; values: unknown[] }) =>
      server.sql<Row & pg.QueryResultRow>(text, values),
  };
  await whileNothingSettles(async () => {
    await server.sql(`INSERT INTO test_executions (id, name, target, kind, status, created_at, finished_at)
      SELECT gen_random_uuid(), 'Old', 't-old', 'SAST', 'FAILED', at, at
      FROM generate_series('2020-01-01Z'::timestamptz, '2020-01-05Z', '1 day') AS at`);
    for (const _ of [1, 2, 3]) await endModule('t-9', results);
    const targets = async (limit: number) =>
      (await findEnded(connection, limit, [])).map(({ target }) => target);
    expect(await targets(4)).toEqual(['t-9', 't-9', 't-old', 't-old']);
    expect(await targets(7)).toEqual(['t-9', 't-9', 't-9', 't-old', 't-old', 't-old', 't-old']);
    const ascending = (a: number, b: number) => a - b;
    const ended = await findEnded(connection, 8, []);
    const ends = ended.map(({ finishedAt }) => Date.parse(finishedAt));
    expect([...ends.slice(0, 3).toSorted(ascending), ...ends.slice(3).toSorted(ascending)]).toEqual(ends);
  });
});

test('leaves nothing in the working tables', async () => {
  const [left] = await server.sql<{ n: number }>(
    'SELECT (SELECT count(*) FROM staged_results)::int + (SELECT count(*) FROM staged_matches)::int AS n',
  );
  expect(left?.n).toBe(0);
});
