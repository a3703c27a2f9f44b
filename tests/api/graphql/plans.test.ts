// How PostgreSQL would run every list that the API offers, on 5,000 executions and 100,000 results: by an index.
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { encodeCursor } from '../../../src/core/pagination.js';
import type { Viewer } from '../../../src/core/permissions.js';
import type { ExecutionFilter, ExecutionOrder } from '../../../src/features/execution/execution.input.js';
import {
  createExecutionService,
  type ExecutionRow,
} from '../../../src/features/execution/execution.service.js';
import type { ResultFilter, ResultOrder } from '../../../src/features/result/result.input.js';
import { createResultService } from '../../../src/features/result/result.service.js';
import type { Sql } from '../../../src/infra/postgres/sql.js';
import { createTestDatabase, ownerUrlOf } from '../../kit/harness.js';
import { atEnd } from '../../kit/use.js';

const viewer = { userId: 'u', role: 'ADMIN' } as unknown as Viewer;
let statements: { statement: Sql; isKept: boolean }[] = [];

/** Takes the statements that services send and answers nothing. */
const take = async (statement: Sql) => {
  statements.push({ statement, isKept: false });
  return [];
};
/** Statements whose best index depends on what is sought must be planned for their values: these plans are kept. */
const takeKept = async (statement: Sql) => {
  expect(statement.text).not.toMatch(/ILIKE|@>|(status|kind|target|rule_id|fingerprint) =/);
  if (/severity =/.test(statement.text)) expect(statement.text).toMatch(/execution_id = /);
  statements.push({ statement, isKept: true });
  return [];
};
const reads = { query: takeKept, read: takeKept, queryUncached: take };
const db = { ...reads, lists: reads } as never;
const unused = {} as never;
const executions = createExecutionService({
  ...{
    db,
    events: unused,
    audit: unused,
    removeExecution: unused,
    transactLong: unused,
    reportExecution: unused,
  },
  now: Date.now,
});
const results = createResultService({ db, audit: unused, executions, now: Date.now, batchWaitMs: 1000 });

const minute = 60_000;
const start = Date.UTC(2026, 0, 1);
/** The id of the nth execution, one a minute. */
const executionId = (n: number) =>
  `${(start + n * minute)
    .toString(16)
    .padStart(12, '0')
    .replace(/^(.{8})/, '$1-')}-7000-8000-000000000000`;
const userId = '0199a5a0-0000-7000-8000-000000000001';

const client = new pg.Client({ connectionString: ownerUrlOf(await createTestDatabase()) });
atEnd(() => client.end());
await client.connect();
await client.query("SET jit = off; SET TimeZone = 'UTC'");
// Every row is looked at: a sample would differ from run to run, and plans with it.
await client.query('SET default_statistics_target = 400');
await client.query(
  `INSERT INTO users (id, email, email_key, name, role, password_hash, created_at, updated_at)
   SELECT ('0199a5a0-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, n || '@a.test', n || '@a.test', 'n', 'ANALYST', 'x', now(), now()
   FROM generate_series(1, 50) n`,
);
await client.query(
  `INSERT INTO test_executions (id, name, target, kind, status, created_by_id, created_at, started_at, finished_at)
   SELECT (regexp_replace(lpad(to_hex($1::bigint + n * 60000), 12, '0'), '^(.{8})', '\\1-') || '-7000-8000-000000000000')::uuid,
     'scan ' || md5(n::text), 'https://' || (n % 500) || '.test/', (enum_range(NULL::test_kind))[1 + n % 8], status,
     ('0199a5a0-0000-7000-8000-' || lpad(to_hex(1 + n % 50), 12, '0'))::uuid, now(), now(),
     CASE WHEN status IN ('COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED') THEN now() - n * interval '1 min' END
   FROM generate_series(1, 5000) n, LATERAL (SELECT (enum_range(NULL::execution_status))[1 + n % 7] AS status) s`,
  [start],
);
await client.query(
  `INSERT INTO test_results (id, execution_id, title, severity, rule_id, cwe_ids, fingerprint, created_at)
   SELECT (regexp_replace(lpad(to_hex($1::bigint + n * 3000), 12, '0'), '^(.{8})', '\\1-') || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
     (regexp_replace(lpad(to_hex($1::bigint + (1 + n / 20) * 60000), 12, '0'), '^(.{8})', '\\1-') || '-7000-8000-000000000000')::uuid,
     'finding ' || md5(n::text), n % 5, 'rule-' || (n % 1000), ARRAY[n % 700], md5((n % 25000)::text), now()
   FROM generate_series(0, 99999) n`,
  [start],
);
await client.query(
  `INSERT INTO result_texts (digest, description) SELECT gen_random_uuid(), repeat('text ', 40) FROM generate_series(1, 20000)`,
);
// Half as many rows again that runs share, with their findings.
await client.query(
  `INSERT INTO test_results (id, execution_id, title, severity, rule_id, cwe_ids, fingerprint, created_at, finding_id,
     scan_branch_id, from_run, delta, is_shared, text_id)
   SELECT id, ($1::text)::uuid, title, severity, rule_id, cwe_ids, fingerprint, now(), id, 1, 1, 0, true, 1 + (severity * 7919) % 20000
   FROM (SELECT ('0199a5a0-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid AS id, 'finding ' || md5(n::text) AS title,
     n % 5 AS severity, 'rule-' || (n % 1000) AS rule_id, ARRAY[n % 700] AS cwe_ids, md5((n % 25000)::text) AS fingerprint
     FROM generate_series(0, 49999) n) AS found`,
  [executionId(4999)],
);
await client.query(
  `INSERT INTO findings (id, project_id, series_id, result_id, title, rule_id, severity, reported_severity, cwe_ids, is_present,
     first_seen_at, recipe, group_key, rule_key, message_key, line, path, search_text)
   SELECT id, '00000000-0000-7000-8000-000000000001', 1, id, title, rule_id, severity, severity, cwe_ids, true, now(), 1, id, id,
     id, 1, 'a', title
   FROM test_results WHERE is_shared`,
);
await client.query('VACUUM ANALYZE');

interface Plan {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  Plans?: Plan[];
}

/** The plans of what the work sends: those that are kept for any values, the others for theirs. */
async function plansOf(work: () => Promise<unknown>): Promise<Plan[]> {
  statements = [];
  await work();
  expect(statements.length).toBeGreaterThan(0);
  const plans: Plan[] = [];
  for (const { statement, isKept } of statements) {
    const { text, values } = statement;
    const { rows } = isKept
      ? await client.query(`EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${text}`)
      : await client.query(`EXPLAIN (FORMAT JSON) ${text}`, values);
    plans.push(rows[0]['QUERY PLAN'][0].Plan);
  }
  return plans;
}

/** All nodes of plans, from the top. */
function nodesOf(plans: Plan[]): Plan[] {
  return plans.flatMap((plan) => [plan, ...nodesOf(plan.Plans ?? [])]);
}

/** Scans of whole tables in the plans of what the work sends. */
async function sequentialScans(work: () => Promise<unknown>): Promise<string[]> {
  return (
    nodesOf(await plansOf(work))
      // Projects are few: their table is read as a whole.
      .filter((node) => node['Node Type'] === 'Seq Scan' && node['Relation Name'] !== 'projects')
      .map((node) => `${node['Relation Name']}`)
  );
}

const directions = ['ASC', 'DESC'] as const;
const [early, late] = [new Date(start + 100 * minute), new Date(start + 120 * minute)];
const somewhere = { id: executionId(2500) };

describe('lists of executions', () => {
  const filters: [string, ExecutionFilter][] = [
    ['nothing', {}],
    ['a status', { status: ['QUEUED'] }],
    ['statuses', { status: ['RUNNING', 'FAILED'] }],
    ['kinds', { kind: ['DAST', 'SCA'] }],
    ['a target', { target: 'https://7.test/' }],
    ['a text', { search: 'abcd' }],
    ['a text that is everywhere', { search: 'scan' }],
    ['a creator', { createdById: userId }],
    ['a span of time', { createdAfter: early, createdBefore: late }],
    ['a creator and a status', { createdById: userId, status: ['COMPLETED'] }],
  ];
  const orders: [ExecutionOrder['field'], string | undefined][] = [
    ['CREATED_AT', undefined],
    ['FINISHED_AT', '2026-01-02T00:00:00.000Z'],
    ['NAME', 'scan 8'],
  ];

  it.each(filters)('find %s by an index, in any order, from any cursor', async (_name, filter) => {
    for (const [field, key] of orders) {
      const cursor = encodeCursor(field, key === undefined ? somewhere : { ...somewhere, key });
      for (const direction of directions) {
        for (const args of [{}, { after: cursor }, { last: 20, before: cursor }]) {
          const scans = await sequentialScans(() =>
            executions.list(viewer, filter, { field, direction }, args),
          );
          expect([field, direction, args, scans]).toEqual([field, direction, args, []]);
        }
      }
    }
  });
});

describe('lists of results', () => {
  const filters: [string, ResultFilter][] = [
    ['nothing', {}],
    ['an execution', { executionId: executionId(77) }],
    ['a severity', { severity: ['CRITICAL'] }],
    ['severities', { severity: ['LOW', 'HIGH'] }],
    ['a rule', { ruleId: 'rule-77' }],
    ['a CWE', { cweId: 79 }],
    ['a text', { search: 'abcde' }],
    ['a text that is everywhere', { search: 'finding' }],
    ['a fingerprint', { fingerprint: '0cc175b9c0f1b6a831c399e269772661' }],
    ['an execution’s severities', { executionId: executionId(77), severity: ['LOW', 'HIGH'] }],
  ];
  const orders: [ResultOrder['field'], string | undefined][] = [
    ['CREATED_AT', undefined],
    ['SEVERITY', '2'],
  ];

  it.each(filters)('find %s by an index, in any order, from any cursor', async (_name, filter) => {
    for (const [field, key] of orders) {
      const cursor = encodeCursor(field, key === undefined ? somewhere : { ...somewhere, key });
      for (const direction of directions) {
        for (const args of [{}, { after: cursor }, { last: 20, before: cursor }]) {
          const scans = await sequentialScans(() => results.list(viewer, filter, { field, direction }, args));
          expect([field, direction, args, scans]).toEqual([field, direction, args, []]);
        }
      }
    }
  });

  it.each(filters)('find %s of twenty executions by an index', async (_name, filter) => {
    const parents = Array.from({ length: 20 }, (_, n) => ({ id: executionId(70 + n) }) as ExecutionRow);
    const { executionId: _dropped, ...rest } = filter;
    for (const args of [{ first: 5 }, { last: 5 }]) {
      const scans = await sequentialScans(async () => {
        const pages = await results.listOfEach(viewer, parents, rest, args);
        if (Object.keys(rest).some((name) => name !== 'severity')) await pages[0]?.totalCount();
      });
      expect([args, scans]).toEqual([args, []]);
    }
  });
});

describe('counts', () => {
  it.each<[string, () => Promise<{ totalCount: () => Promise<number> }>]>([
    ['a target', () => executions.list(viewer, { target: 'https://7.test/' }, null, {})],
    ['a creator', () => executions.list(viewer, { createdById: userId }, null, {})],
    ['a span of time', () => executions.list(viewer, { createdAfter: early, createdBefore: late }, null, {})],
    ['a text', () => executions.list(viewer, { search: 'abcd' }, null, {})],
    ['a rule', () => results.list(viewer, { ruleId: 'rule-77' }, null, {})],
    ['a CWE', () => results.list(viewer, { cweId: 79 }, null, {})],
    ['a fingerprint', () => results.list(viewer, { fingerprint: 'a' }, null, {})],
    ['a text in results', () => results.list(viewer, { search: 'abcde' }, null, {})],
    ['a severity', () => results.list(viewer, { severity: ['CRITICAL'] }, null, {})],
  ])('of what is rare use an index: %s', async (_name, list) => {
    const scans = await sequentialScans(async () => (await list()).totalCount());
    expect(scans).toEqual([]);
  });
});

describe('a page is found in the same way, wherever in the list it is', () => {
  const places = [1, 60, 2500, 4990].map((n) => ({ id: executionId(n) }));
  const shapeOf = async (work: () => Promise<unknown>) =>
    nodesOf(await plansOf(work)).map((node) => [node['Node Type'], node['Index Name']]);

  it.each<[string, (after: string) => Promise<unknown>, string, string | undefined]>([
    ['executions', (after) => executions.list(viewer, {}, null, { after }), 'CREATED_AT', undefined],
    [
      'executions by name',
      (after) => executions.list(viewer, {}, { field: 'NAME', direction: 'ASC' }, { after }),
      ...(['NAME', 'scan 8'] as const),
    ],
    ['results', (after) => results.list(viewer, {}, null, { after }), 'CREATED_AT', undefined],
    [
      'results by severity',
      (after) => results.list(viewer, {}, { field: 'SEVERITY', direction: 'DESC' }, { after }),
      ...(['SEVERITY', '2'] as const),
    ],
    [
      'results of an execution',
      (after) => results.list(viewer, { executionId: executionId(77) }, null, { after }),
      ...(['CREATED_AT', undefined] as const),
    ],
  ])('%s', async (_name, list, order, key) => {
    const cursors = places.map((place) => encodeCursor(order, key === undefined ? place : { ...place, key }));
    const shapes = [];
    for (const cursor of cursors) {
      shapes.push(await shapeOf(() => list(cursor)));
      // As it would be planned for this very place.
      const sent = statements.map(({ statement }) => statement);
      const anew = await Promise.all(
        sent.map(({ text, values }) => client.query(`EXPLAIN (FORMAT JSON) ${text}`, values)),
      );
      const plans = anew.map(({ rows }) => rows[0]['QUERY PLAN'][0].Plan as Plan);
      shapes.push(nodesOf(plans).map((node) => [node['Node Type'], node['Index Name']]));
    }
    for (const shape of shapes) expect(shape).toEqual(shapes[0]);
  });
});
