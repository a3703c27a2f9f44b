// Reports become executions, results and findings, over REST and GraphQL.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { importBody } from '../../../src/features/import/import.bodies.js';
import { until } from '../../kit/live.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

interface Sent {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
  body: any;
}

const fixture = (name: string) => readFileSync(`tests/fixtures/reports/${name}`);

async function send(
  query: Record<string, string>,
  body: Buffer | string | FormData,
  headers: Record<string, string> = {},
  path = '/api/v1/imports',
): Promise<Sent> {
  const response = await fetch(`${server.url}${path}?${new URLSearchParams(query)}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, ...headers },
    body: body as never,
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** A SARIF log of one run. */
function sarif(
  results: { rule: string; path: string; line: number; text?: string; snippet?: string }[],
  extra = {},
) {
  return JSON.stringify({
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'Toolbox', version: '1.2', rules: [] } },
        results: results.map(({ rule, path, line, text = `Problem of ${rule}`, snippet }) => ({
          ruleId: rule,
          level: 'error',
          message: { text },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: path },
                region: { startLine: line, ...(snippet !== undefined && { snippet: { text: snippet } }) },
              },
            },
          ],
        })),
        ...extra,
      },
    ],
  });
}

const five = [1, 2, 3, 4, 5].map((n) => ({
  rule: 'R1',
  path: 'src/a.c',
  line: n * 10,
  snippet: `strcpy(a${n}, b)`,
}));

describe('a log with runs of several tools', () => {
  const runOf = (tool: string, rules: string[], at: number) => {
    const results = rules.flatMap((rule, n) => [
      { rule, path: `src/${rule}.c`, line: at + n, snippet: `call_${rule}(${tool})` },
      // The same place in each tool, and twice in it.
      { rule, path: 'src/shared.c', line: at + 40, text: `${tool} does not like it` },
      { rule, path: 'src/shared.c', line: at + 44, text: `${tool} does not like it` },
    ]);
    const [run] = JSON.parse(sarif(results, { tool: { driver: { name: tool, version: '1' } } })).runs;
    return run;
  };
  const runsAt = (at: number) => [
    runOf('Toolbox', ['R1', 'R2'], at),
    runOf('Analyser', ['R1'], at),
    runOf('Toolbox', ['R3'], at),
  ];
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ] as const;
  const log = (order: readonly number[], at: number) =>
    JSON.stringify({ version: '2.1.0', runs: order.map((index) => runsAt(at)[index]) });

  test.each(orders)('gives the same findings with its runs in the order %i %i %i', async (...order) => {
    const target = `app-order-${order.join('')}`;
    const first = await send({ target, wait: '30' }, log([0, 1, 2], 10));
    expect(first.body).toMatchObject({ state: 'COMPLETED', newFindings: 12, duplicates: 0 });
    const before = await textsById(target);
    for (const at of [10, 17]) {
      const again = await send({ target, wait: '30' }, log(order, at));
      expect(again.body).toMatchObject({ newFindings: 0, unchangedFindings: 12, absentFindings: 0 });
      expect(await textsById(target)).toEqual(before);
    }
  });

  const textsById = async (target: string) => {
    const { findings } = (
      await server.gql(
        `query ($target: String) {
          findings(first: 50, filter: { target: $target }) { nodes { id tool ruleId title description } }
        }`,
        { target },
        token,
      )
    ).expectData();
    return (findings.nodes as { id: string }[]).sort((one, other) => (one.id < other.id ? -1 : 1));
  };
});

describe('POST /api/v1/imports', () => {
  test('counts a result that the report repeats as a duplicate', async () => {
    const repeated = sarif([...five, ...five, ...five.slice(0, 2)]);
    const whole = await send({ target: 'app-repeated', wait: '30' }, repeated);
    expect(whole.body).toMatchObject({
      state: 'COMPLETED',
      read: 12,
      added: 5,
      duplicates: 7,
      newFindings: 5,
    });
    const again = await send({ target: 'app-repeated', wait: '30' }, repeated);
    expect(again.body).toMatchObject({ added: 5, duplicates: 7, newFindings: 0, unchangedFindings: 5 });
  });

  test('makes an execution with results and says what it did', async () => {
    const { status, body, headers } = await send(
      { target: 'app-1', wait: '30', branch: 'main' },
      sarif(five),
    );
    expect(body).toMatchObject({ state: 'COMPLETED', read: 5, added: 5, newFindings: 5, absentFindings: 0 });
    expect(importBody.safeParse(body).error?.issues ?? []).toEqual([]);
    expect(status).toBe(200);
    expect(headers.get('location')).toBe(`/api/v1/imports/${body.id}`);
    const { execution } = (
      await server.gql(
        `query ($id: ID!) { execution(id: $id) { status tool toolVersion branch severityCounts { high total }
          results(first: 10) { totalCount nodes { title ruleId location { path startLine } } }
          imports { id state format added } } }`,
        { id: body.executionId },
        token,
      )
    ).expectData();
    expect(execution).toMatchObject({
      status: 'COMPLETED',
      tool: 'Toolbox',
      toolVersion: '1.2',
      branch: 'main',
      severityCounts: { high: 5, total: 5 },
      imports: [{ id: body.id, state: 'COMPLETED', format: 'SARIF', added: 5 }],
    });
  });

  test('of the same report again is a run that changes nothing, and stores no result', async () => {
    const first = await send({ target: 'app-2', wait: '30' }, sarif(five));
    const rows = async () =>
      (await server.sql<{ n: number }>('SELECT count(*)::int AS n FROM test_results'))[0]?.n;
    const before = await rows();
    const second = await send({ target: 'app-2', wait: '30' }, gzipSync(sarif(five)));
    expect(second.body).toMatchObject({
      state: 'COMPLETED',
      added: 5,
      newFindings: 0,
      unchangedFindings: 5,
      absentFindings: 0,
    });
    expect(second.body.executionId).not.toBe(first.body.executionId);
    expect(await rows()).toBe(before);
  });

  test('follows moved lines, closes what is fixed and opens it again', async () => {
    const query = { target: 'app-3', wait: '30' };
    await send(query, sarif(five));
    const shifted = five.map((result) => ({ ...result, line: result.line + 2 }));
    expect((await send(query, sarif(shifted))).body).toMatchObject({
      newFindings: 0,
      unchangedFindings: 5,
      absentFindings: 0,
    });
    expect((await send(query, sarif(shifted.slice(1)))).body).toMatchObject({
      newFindings: 0,
      unchangedFindings: 4,
      absentFindings: 1,
    });
    expect((await send(query, sarif(shifted.slice(1)))).body).toMatchObject({
      unchangedFindings: 4,
      absentFindings: 0,
    });
    expect((await send(query, sarif(shifted))).body).toMatchObject({
      newFindings: 0,
      unchangedFindings: 4,
      reopenedFindings: 1,
      absentFindings: 0,
    });
  });

  test('follows a renamed file beside more absent findings than are compared across files', async () => {
    await send({ target: 'app-renamed', branch: 'main', wait: '30' }, sarif(five));
    await server.sql(`
      INSERT INTO findings (id, project_id, series_id, result_id, title, rule_id, severity, reported_severity, cwe_ids, cve_ids,
        is_present, first_seen_at, last_seen_at, recipe, group_key, rule_key, message_key, line, path, search_text)
      SELECT id, project_id, series_id, result_id, title, rule_id, severity, reported_severity, cwe_ids, cve_ids,
        false, first_seen_at, first_seen_at, recipe, id, rule_key, message_key, 1, 'gone/' || id, ''
      FROM (SELECT gen_random_uuid() AS id, number FROM generate_series(1, 50001) AS number) AS made
      CROSS JOIN LATERAL (SELECT findings.project_id, series_id, result_id, title, rule_id, severity, reported_severity, cwe_ids, cve_ids,
        first_seen_at, recipe, rule_key, message_key FROM findings JOIN scan_series AS series ON series.id = series_id
        WHERE target = 'app-renamed' LIMIT 1) AS one`);
    const renamed = await send(
      { target: 'app-renamed', branch: 'main', wait: '30' },
      sarif(five.map((one) => ({ ...one, path: 'lib/b.c' }))),
    );
    expect(renamed.body).toMatchObject({
      newFindings: 0,
      unchangedFindings: 5,
      absentFindings: 0,
      warnings: [],
    });
  });

  test('of a feature branch neither closes nor opens what the default branch shows', async () => {
    await send({ target: 'app-4', wait: '30', branch: 'main' }, sarif(five));
    const branch = await send({ target: 'app-4', wait: '30', branch: 'fix' }, sarif(five.slice(0, 2)));
    expect(branch.body).toMatchObject({ newFindings: 0, unchangedFindings: 2, absentFindings: 0 });
    const [row] = await server.sql<{ present: number }>(
      `SELECT count(*) FILTER (WHERE is_present)::int AS present FROM findings
       WHERE series_id IN (SELECT id FROM scan_series WHERE target = 'app-4')`,
    );
    expect(row?.present).toBe(5);
  });

  test('without results closes nothing and fails the execution', async () => {
    await send({ target: 'app-5', wait: '30' }, sarif(five));
    const { body } = await send({ target: 'app-5', wait: '30' }, sarif([], { results: undefined }));
    expect(body).toMatchObject({ state: 'COMPLETED', absentFindings: 0, incomplete: [expect.any(String)] });
    const { execution } = (
      await server.gql(
        'query ($id: ID!) { execution(id: $id) { status errorMessage } }',
        { id: body.executionId },
        token,
      )
    ).expectData();
    expect(execution).toMatchObject({
      status: 'FAILED',
      errorMessage: expect.stringContaining('nothing was scanned'),
    });
  });

  test('that is not whole shows what it saw, and leaves the rest to the branch', async () => {
    const query = { target: 'app-6', wait: '30' };
    await send(query, sarif(five));
    const invocations = [
      {
        executionSuccessful: false,
        toolExecutionNotifications: [{ level: 'error', message: { text: 'out of memory' } }],
      },
    ];
    const seen = [...five.slice(0, 2), { rule: 'R9', path: 'src/b.c', line: 3 }];
    const { body } = await send(query, sarif(seen, { invocations }));
    expect(body).toMatchObject({
      ...{ state: 'COMPLETED', added: 3, newFindings: 1, unchangedFindings: 2, absentFindings: 0 },
      incomplete: [expect.any(String)],
    });
    const { execution, findings } = (
      await server.gql(
        `query ($id: ID!) {
          execution(id: $id) { status severityCounts { total } results(first: 10) { totalCount nodes { ruleId delta } } }
          findings(first: 10, filter: { target: "app-6" }) { totalCount }
        }`,
        { id: body.executionId },
        token,
      )
    ).expectData();
    expect(execution).toMatchObject({ status: 'FAILED', severityCounts: { total: 3 } });
    expect(execution.results.totalCount).toBe(3);
    expect(execution.results.nodes).toHaveLength(3);
    expect(execution.results.nodes.map(({ delta }: { delta: string }) => delta).sort()).toEqual([
      ...['NEW', 'UNCHANGED', 'UNCHANGED'],
    ]);
    expect(findings.totalCount).toBe(6);
    const whole = await send(query, sarif([...five, { rule: 'R9', path: 'src/b.c', line: 3 }]));
    expect(whole.body).toMatchObject({ newFindings: 0, unchangedFindings: 6, absentFindings: 0 });
  });

  test('shows the texts that results have in common in each of them, and finds each by its own', async () => {
    const explanation = 'A buffer is written without regard to its size, and what follows it is overwritten.';
    const rules = [
      {
        id: 'R1',
        fullDescription: { text: explanation },
        help: { text: 'Use strlcpy.' },
        properties: { tags: ['memory'] },
      },
    ];
    const texts = ['Copies an Überlauf into a', 'Copies an OVERFLOW into b', 'Copies too much'];
    const results = texts.map((text, n) => ({ rule: 'R1', path: `src/Part${n}.c`, line: n + 1, text }));
    const tool = { tool: { driver: { name: 'Texts', rules } } };
    const { body } = await send({ target: 'texts', wait: '30' }, sarif(results, tool));
    expect(body).toMatchObject({ state: 'COMPLETED', added: 3, newFindings: 3 });
    const fields =
      '{ nodes { title description remediation tags references cweIds cveIds location { path } } }';
    const { execution, ...lists } = (
      await server.gql(
        `query ($id: ID!) { execution(id: $id) { results(first: 10) ${fields} }
          all: findings(first: 10, filter: { target: "texts" }) ${fields}
          accent: findings(first: 10, filter: { target: "texts", search: "uberlauf" }) ${fields}
          letters: findings(first: 10, filter: { target: "texts", search: "overFlow" }) ${fields}
          path: findings(first: 10, filter: { target: "texts", search: "part2.c" }) ${fields} }`,
        { id: body.executionId },
        token,
      )
    ).expectData();
    const shown = texts.map((title, n) => ({
      title,
      description: `${title}\n\n${explanation}`,
      remediation: 'Use strlcpy.',
      tags: ['memory'],
      ...{ references: [], cweIds: [], cveIds: [], location: { path: `src/Part${n}.c` } },
    }));
    const byTitle = (nodes: { title: string }[]) => nodes.sort((a, b) => (a.title < b.title ? -1 : 1));
    expect(byTitle(execution.results.nodes)).toEqual(byTitle([...shown]));
    expect(byTitle(lists.all.nodes)).toEqual(byTitle([...shown]));
    expect(lists.accent.nodes).toEqual([shown[0]]);
    expect(lists.letters.nodes).toEqual([shown[1]]);
    expect(lists.path.nodes).toEqual([shown[2]]);
    const again = await send({ target: 'texts', wait: '30' }, sarif(results, tool));
    expect(again.body).toMatchObject({ newFindings: 0, unchangedFindings: 3 });
  });

  test('keeps all results of real reports', async () => {
    const { body } = await send({ target: 'flaws', wait: '30' }, fixture('flawfinder.sarif'));
    expect(body).toMatchObject({ state: 'COMPLETED', read: 19, added: 19, newFindings: 19, duplicates: 0 });
  });

  test('takes a form, and does not ask for a media type', async () => {
    const form = new FormData();
    form.set('report', new Blob([sarif(five)], { type: 'image/png' }), 'holiday.png');
    expect((await send({ target: 'form', wait: '30' }, form)).body).toMatchObject({
      state: 'COMPLETED',
      added: 5,
    });
  });

  test('refuses a form with two files, of which one would be lost', async () => {
    const form = new FormData();
    for (const name of ['a', 'b']) form.append('report', new Blob([sarif(five)]), name);
    expect(await send({ target: 'form-2', wait: '30' }, form)).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', detail: expect.stringContaining('more than one file') },
    });
    const [left] = await server.sql<{ n: number }>(
      `SELECT count(*)::int AS n FROM test_executions WHERE target = 'form-2'`,
    );
    expect(left?.n).toBe(0);
  });

  test('closes nothing when an entry cannot be read, and names its place', async () => {
    const query = { target: 'entries', wait: '30' };
    await send(query, sarif(five));
    const log = JSON.parse(sarif(five.slice(0, 4)));
    log.runs[0].results.push('five');
    expect((await send(query, JSON.stringify(log))).body).toMatchObject({
      ...{ state: 'COMPLETED', added: 4, absentFindings: 0 },
      incomplete: ['The report has entries that cannot be read.'],
      warnings: [{ message: 'is no result', pointer: '/runs/0/results/4' }],
    });
  });

  test('says once what is wrong with a report', async () => {
    const { body } = await send({ target: 'version', wait: '30' }, '{"version": "2.0.0", "runs": []}');
    expect(body.errorMessage).toBe('The report is SARIF 2.0.0; only 2.1.0 is supported (at /version).');
  });

  test('returns the same import for the same key and report, also at once', async () => {
    const headers = { 'Idempotency-Key': 'nightly-1' };
    const query = { target: 'keyed', wait: '30' };
    const answers = await Promise.all([1, 2, 3].map(() => send(query, sarif(five), headers)));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const other = await send(query, sarif(five.slice(1)), headers);
    expect(other).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
  });

  test.each([
    ['a truncated report', sarif(five).slice(0, 400), 'FAILED'],
    ['an unknown format', '{"hello": "world"}', 400],
    ['no JSON', 'nonsense', 400],
    ['nothing', '', 400],
  ])('of %s says so and leaves nothing behind', async (_name, report, outcome) => {
    const target = `bad-${Math.random()}`;
    const { status, body } = await send({ target, wait: '30' }, report);
    if (typeof outcome === 'number') expect(status).toBe(outcome);
    else expect(body).toMatchObject({ state: outcome, errorMessage: expect.stringMatching(/\S/) });
    const [left] = await server.sql<{ n: number }>('SELECT count(*)::int AS n FROM staged_results');
    expect(left?.n).toBe(0);
    const [findings] = await server.sql<{ n: number }>(
      `SELECT count(*)::int AS n FROM scan_series WHERE target = '${target}'`,
    );
    expect(findings?.n).toBe(0);
  });
});

describe('alike results whose lines move by the distance between them', () => {
  // Five alike calls ten lines apart, between calls that are there once.
  const at = (shift: number, calls = [10, 20, 30, 40, 50]) =>
    sarif([
      ...[5, 15, 25, 35, 45].map((line) => ({
        rule: 'R2',
        path: 'src/alike.c',
        line: line + shift,
        snippet: `unique_${line}()`,
      })),
      ...calls.map((line) => ({
        rule: 'R1',
        path: 'src/alike.c',
        line: line + shift,
        snippet: 'strcpy(a, b)',
      })),
    ]);
  const decided = async (target: string, branch?: string, isAbsent = false) => {
    const { findings } = (
      await server.gql(
        `query ($filter: FindingFilter) { findings(first: 50, filter: $filter) {
          nodes { id triage presence location { startLine } } } }`,
        { filter: { target, branch, triage: ['FALSE_POSITIVE'], presence: isAbsent ? 'ABSENT' : 'PRESENT' } },
        token,
      )
    ).expectData();
    return findings.nodes.map(
      ({ presence, location }: { presence: string; location: { startLine: number } }) =>
        `${presence} ${location.startLine}`,
    );
  };
  /** Imports the calls, and decides about the first of them. */
  const prepare = async (target: string) => {
    await send({ target, branch: 'main', wait: '30' }, at(0));
    const { findings } = (
      await server.gql(
        'query ($target: String) { findings(first: 50, filter: { target: $target }) { nodes { id location { startLine } } } }',
        { target },
        token,
      )
    ).expectData();
    const first = findings.nodes.find(
      ({ location }: { location: { startLine: number } }) => location.startLine === 10,
    );
    const input = { ids: [first.id], state: 'FALSE_POSITIVE', reason: 'constant' };
    (await server.change('triageFindings', input, 'changed', token)).expectData();
    expect(await decided(target)).toEqual(['PRESENT 10']);
  };

  test('keep their decisions', async () => {
    await prepare('app-twins');
    const moved = await send({ target: 'app-twins', branch: 'main', wait: '30' }, at(10));
    expect(moved.body).toMatchObject({ newFindings: 0, unchangedFindings: 10, absentFindings: 0, added: 10 });
    expect(await decided('app-twins')).toEqual(['PRESENT 20']);
    const back = await send({ target: 'app-twins', branch: 'main', wait: '30' }, at(0));
    expect(back.body).toMatchObject({ newFindings: 0, unchangedFindings: 10, absentFindings: 0, added: 10 });
    expect(await decided('app-twins')).toEqual(['PRESENT 10']);
  });

  test('keep their decisions when one of them is fixed', async () => {
    await prepare('app-twins-fixed');
    const moved = await send(
      { target: 'app-twins-fixed', branch: 'main', wait: '30' },
      at(10, [20, 30, 40, 50]),
    );
    expect(moved.body).toMatchObject({ newFindings: 0, unchangedFindings: 9, absentFindings: 1 });
    expect(await decided('app-twins-fixed', undefined, true)).toEqual(['ABSENT 10']);
  });

  test('keep their decisions when a copy takes the place of the first', async () => {
    await prepare('app-twins-copied');
    const moved = await send(
      { target: 'app-twins-copied', branch: 'main', wait: '30' },
      at(10, [0, 10, 20, 30, 40, 50]),
    );
    expect(moved.body).toMatchObject({ newFindings: 1, unchangedFindings: 10, absentFindings: 0 });
    expect(await decided('app-twins-copied')).toEqual(['PRESENT 20']);
  });

  test('keep their decisions on the first run of a branch', async () => {
    await prepare('app-twins-branch');
    const moved = await send({ target: 'app-twins-branch', branch: 'feature', wait: '30' }, at(10));
    expect(moved.body).toMatchObject({ newFindings: 0, unchangedFindings: 10 });
    expect(await decided('app-twins-branch', 'feature')).toHaveLength(1);
    const { findings } = (
      await server.gql(
        `query { findings(first: 1, filter: { target: "app-twins-branch", triage: [FALSE_POSITIVE] }) {
          nodes { occurrences(first: 10) { nodes { location { startLine } } } } } }`,
        {},
        token,
      )
    ).expectData();
    const lines = findings.nodes[0].occurrences.nodes.map(
      ({ location }: { location: { startLine: number } }) => location.startLine,
    );
    expect(lines.sort()).toEqual([10, 20]);
  });
});

describe('POST /api/v1/executions/{id}/reports', () => {
  test('adds results to a running execution, the same report once', async () => {
    const { createExecution } = (
      await server.gql(
        'mutation { createExecution(input: { name: "n", target: "own", kind: SAST }) { execution { id } } }',
        {},
        token,
      )
    ).expectData();
    const { id } = createExecution.execution;
    (
      await server.gql('mutation ($id: ID!) { startExecution(id: $id) { execution { id } } }', { id }, token)
    ).expectData();
    const path = `/api/v1/executions/${id}/reports`;
    const first = await send({ wait: '30' }, sarif(five), {}, path);
    expect(first.body).toMatchObject({ state: 'COMPLETED', executionId: id, added: 5 });
    const again = await send({ wait: '30' }, sarif(five), {}, path);
    expect(again.body.id).toBe(first.body.id);
  });
});

describe('an execution with reports of its own', () => {
  /** Adds logs to an execution, completes it, and waits until its results have met the findings. */
  const run = async (target: string, logs: string[], tool?: string) => {
    const { createExecution } = (
      await server.change(
        'createExecution',
        { name: 'n', target, kind: 'SAST', tool },
        'execution { id }',
        token,
      )
    ).expectData();
    const { id } = createExecution.execution;
    (
      await server.gql('mutation ($id: ID!) { startExecution(id: $id) { execution { id } } }', { id }, token)
    ).expectData();
    const receipts: Sent[] = [];
    for (const log of logs)
      receipts.push(await send({ wait: '30' }, log, {}, `/api/v1/executions/${id}/reports`));
    (
      await server.gql(
        'mutation ($id: ID!) { completeExecution(id: $id) { execution { id } } }',
        { id },
        token,
      )
    ).expectData();
    await until(async () => {
      const [row] = await server.sql<{ run: number | null }>(
        'SELECT run_number AS run FROM test_executions WHERE id = $1',
        [id.slice(4)],
      );
      return row?.run != null;
    }, 'results that have met the findings');
    return receipts.map(({ body }) => body);
  };
  const presentIn = async (target: string) => {
    const { findings } = (
      await server.gql(
        'query ($filter: FindingFilter) { findings(filter: $filter) { totalCount } }',
        { filter: { target } },
        token,
      )
    ).expectData();
    return findings.totalCount;
  };
  const failed = [{ executionSuccessful: false }];
  const unread = [
    {
      executionSuccessful: false,
      toolExecutionNotifications: [
        {
          level: 'error',
          message: { text: 'no access' },
          locations: [{ physicalLocation: { artifactLocation: { uri: 'src/a.c' } } }],
        },
      ],
    },
  ];
  const inB = { rule: 'R1', path: 'src/b.c', line: 3 };

  test.each([
    ['is incomplete', sarif([], { invocations: failed }), 6],
    ['is cut off', sarif(five).slice(0, 300), 6],
    ['could not read a file', sarif([], { invocations: unread }), 5],
    ['is clean', sarif([]), 0],
  ])('closes what its report saw, which %s', async (name, log, present) => {
    const target = `report that ${name}`;
    await run(target, [sarif([...five, inB])]);
    await run(target, [log]);
    expect(await presentIn(target)).toBe(present);
  });

  test('closes what is gone when a report that was cut off came again', async () => {
    await run('sent-again', [sarif(five)]);
    await run('sent-again', [sarif(five).slice(0, 300), sarif(five.slice(0, 4))]);
    expect(await presentIn('sent-again')).toBe(4);
  });

  test('takes reports of one tool, or of several under the name that it was created with', async () => {
    const other = sarif([inB]).replace('Toolbox', 'Otherbox');
    const [first, second] = await run('mixed', [sarif(five), other]);
    expect(first).toMatchObject({ state: 'COMPLETED', added: 5 });
    expect(second).toMatchObject({
      state: 'FAILED',
      errorMessage: expect.stringContaining('holds a report of Toolbox, this one is of Otherbox'),
    });
    for (const logs of [
      [sarif(five), other],
      [other, sarif(five)],
    ])
      expect((await run('named', logs, 'nightly')).map(({ added }) => added).sort()).toEqual([1, 5]);
    expect(await presentIn('named')).toBe(6);
  });
});

test('the same report into the same execution at once makes one import', async () => {
  const { createExecution } = (
    await server.gql(
      'mutation { createExecution(input: { name: "n", target: "twice", kind: SAST }) { execution { id } } }',
      {},
      token,
    )
  ).expectData();
  const { id } = createExecution.execution;
  (
    await server.gql('mutation ($id: ID!) { startExecution(id: $id) { execution { id } } }', { id }, token)
  ).expectData();
  const path = `/api/v1/executions/${id}/reports`;
  const receipts = await Promise.all([1, 2, 3].map(() => send({ wait: '30' }, sarif(five), {}, path)));
  expect(new Set(receipts.map(({ body }) => body.id)).size).toBe(1);
});

describe('a finding that people called RESOLVED', () => {
  const triageOf = async (target: string) => {
    const { findings } = (
      await server.gql(
        'query ($filter: FindingFilter) { findings(first: 10, filter: $filter) { nodes { id triage history { to reason } } } }',
        { filter: { target } },
        token,
      )
    ).expectData();
    return findings.nodes[0];
  };

  test('is opened by a run that sees it again, but not by one that sees it move', async () => {
    const query = { target: 'resolved', wait: '30' };
    const [one] = five;
    if (one === undefined) throw new Error('there are five');
    await send(query, sarif([one]));
    const { id } = await triageOf('resolved');
    (
      await server.change(
        'triageFindings',
        { ids: [id], state: 'RESOLVED', reason: 'fixed' },
        'changed',
        token,
      )
    ).expectData();
    await send(query, sarif([{ ...one, line: 77 }]));
    expect(await triageOf('resolved')).toMatchObject({ triage: 'RESOLVED' });
    await send(query, sarif([]));
    await send(query, sarif([one]));
    expect(await triageOf('resolved')).toMatchObject({
      triage: 'OPEN',
      history: [{ to: 'OPEN', reason: 'seen again' }, { to: 'RESOLVED' }],
    });
  });
});

describe('importReport', () => {
  test('imports a small report', async () => {
    const { importReport } = (
      await server.gql(
        `mutation ($input: ImportReportInput!) { importReport(input: $input) {
          import { state read newFindings counts { high } warnings { message pointer } } execution { id status } } }`,
        { input: { target: 'small', content: sarif(five) } },
        token,
      )
    ).expectData();
    expect(importReport.import).toMatchObject({
      state: 'COMPLETED',
      read: 5,
      newFindings: 5,
      counts: { high: 5 },
    });
  });
});

describe('deleteExecution', () => {
  const remove = async (id: string) =>
    (
      await server.gql('mutation ($id: ID!) { deleteExecution(id: $id) { deletedId } }', { id }, token)
    ).expectData();
  const presentOf = async (target: string) => {
    const { findings } = (
      await server.gql(
        'query ($filter: FindingFilter) { findings(first: 100, filter: $filter) { totalCount nodes { location { startLine } } } }',
        { filter: { target } },
        token,
      )
    ).expectData();
    return findings.nodes.map((node: { location: { startLine: number } }) => node.location.startLine).sort();
  };
  const resultsOf = async (id: string) => {
    const { execution } = (
      await server.gql(
        'query ($id: ID!) { execution(id: $id) { results { totalCount nodes { id } } } }',
        { id },
        token,
      )
    ).expectData();
    return execution.results.nodes.length;
  };

  test('of the first run keeps what later runs share', async () => {
    const query = { target: 'delete-1', wait: '30' };
    const first = await send(query, sarif(five));
    const second = await send(query, sarif(five.slice(0, 4)));
    await remove(first.body.executionId);
    expect(await presentOf('delete-1')).toEqual([10, 20, 30, 40]);
    expect(await resultsOf(second.body.executionId)).toBe(4);
  });

  test('of the last run undoes what it changed', async () => {
    const query = { target: 'delete-2', wait: '30' };
    const first = await send(query, sarif(five));
    const second = await send(query, sarif([...five.slice(0, 3), { rule: 'R2', path: 'src/b.c', line: 7 }]));
    expect(second.body).toMatchObject({ newFindings: 1, absentFindings: 2 });
    await remove(second.body.executionId);
    expect(await presentOf('delete-2')).toEqual([10, 20, 30, 40, 50]);
    expect(await resultsOf(first.body.executionId)).toBe(5);
    expect((await send(query, sarif(five))).body).toMatchObject({ newFindings: 0, unchangedFindings: 5 });
  });

  /** Imports runs of the results with these numbers; `!` marks a run that is not whole. Then deletes some, in this order. */
  const play = async (target: string, runs: string[], removed: number[]) => {
    const ids: string[] = [];
    for (const run of runs) {
      const seen = [...run.replace('!', '')].map((n) => ({
        rule: `R${n}`,
        path: 'src/a.c',
        line: Number(n) * 10,
      }));
      const extra = run.endsWith('!') ? { invocations: [{ executionSuccessful: false }] } : {};
      const { body } = await send({ target, branch: 'main', wait: '30' }, sarif(seen, extra));
      expect(body.state).toBe('COMPLETED');
      ids.push(body.executionId);
    }
    for (const number of removed) await remove(ids[number - 1] as string);
    return (await presentOf(target)).map((line: number) => line / 10).join('');
  };

  test.each([
    ['of a run in the middle, then the last', ['12', '1', '13'], [2, 3], '12'],
    ['of the last runs, from the end on', ['12', '1', '13'], [3, 2], '12'],
    ['of a run in the middle, then all from the end on', ['12', '1', '13', '4'], [2, 4, 3], '12'],
    ['of a run in the middle alone', ['12', '1', '13'], [2], '13'],
    ['of a whole run before one that is not', ['1', '23', '2!'], [2], '12'],
    ['of the first run before one that is not whole', ['12', '1!'], [1], '1'],
    ['of a run that is not whole', ['12', '34!', '3'], [2], '3'],
  ])('%s shows what the other runs saw', async (name, runs, removed, present) => {
    expect(await play(`delete ${name}`, runs, removed)).toBe(present);
  });

  test('moves the last sighting of what is absent to a run that is still there', async () => {
    expect(await play('delete-4', ['12', '12', '1'], [2])).toBe('1');
    const { findings } = (
      await server.gql(
        `{ findings(first: 9, filter: { target: "delete-4", presence: ABSENT }) { nodes { lastSeenIn { id } firstSeenIn { id } } } }`,
        {},
        token,
      )
    ).expectData();
    expect(findings.nodes).toHaveLength(1);
    expect(findings.nodes[0].lastSeenIn).toEqual(findings.nodes[0].firstSeenIn);
    expect(findings.nodes[0].lastSeenIn).not.toBeNull();
  });

  test('of the only run deletes its findings, and the counters follow', async () => {
    const only = await send({ target: 'delete-3', wait: '30' }, sarif(five));
    await remove(only.body.executionId);
    const [row] = await server.sql<{ found: number; counted: number }>(`
      SELECT (SELECT count(*)::int FROM findings) AS found, (SELECT sum(change)::int FROM finding_counts) AS counted`);
    expect(row?.counted).toBe(row?.found);
    expect(await presentOf('delete-3')).toEqual([]);
  });
});
