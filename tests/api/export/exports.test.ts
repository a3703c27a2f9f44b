// Exports as files: SARIF that imports again without a change, CSV that is harmless, NDJSON; streamed, and only for readers.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { githubErrors } from '../../kit/exports/github-rules.js';
import { sarifErrors } from '../../kit/exports/schemas.js';
import { insertBranch, insertFinding, insertRun } from '../../kit/findings.js';
import { createBoundKey, createProject } from '../../kit/projects.js';
import { until } from '../../kit/receiver.js';
import { createPerson } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ IMPORTS_AT_ONCE: '4' });
const token = await server.signIn();

const folder = 'tests/fixtures/reports';
const fixtures = ['', '/formats'].flatMap((under) =>
  readdirSync(`${folder}${under}`, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => `${folder}${under}/${name}`),
);

async function importReport(content: Buffer | string, target: string, query = '') {
  const answer = await fetch(
    `${server.url}/api/v1/imports?target=${encodeURIComponent(target)}&wait=120${query}`,
    {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
      body: content as never,
    },
  );
  return { status: answer.status, body: await answer.json() };
}

async function get(
  path: string,
  bearer = token,
): Promise<{ status: number; type: string | null; text: string }> {
  const answer = await fetch(server.url + path, { headers: { Authorization: `Bearer ${bearer}` } });
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
}

interface SarifRunShape {
  results: object[];
  tool: { driver: { rules: object[] } };
  properties: { target: string };
}

const exportOf = (execution: string, format: string) =>
  get(`/api/v1/executions/${execution}/export?format=${format}`);

describe('SARIF of an execution', () => {
  it.each(fixtures)('of %s changes nothing when it is imported again', async (file) => {
    const first = await importReport(readFileSync(file), file);
    expect(first.body.state).toBe('COMPLETED');
    const { status, type, text } = await exportOf(first.body.executionId, 'sarif');
    expect([status, type]).toEqual([200, 'application/sarif+json']);
    const log = JSON.parse(text);
    expect(sarifErrors(log)).toEqual([]);
    expect(log.runs).toHaveLength(1);
    expect(log.runs[0].results).toHaveLength(first.body.added);
    // The standard demands a rule (3.27.5), which sarif-multitool checks: npm run check:sarif.
    expect(log.runs[0].results.filter(({ ruleId }: ComparedResult) => !ruleId)).toEqual([]);
    expect(githubErrors((await exportOf(first.body.executionId, 'github')).text)).toEqual([]);
    const again = await importReport(text, file);
    expect(again.body).toMatchObject({
      state: 'COMPLETED',
      added: first.body.added,
      newFindings: 0,
      reopenedFindings: 0,
      absentFindings: 0,
    });
  });

  it('has decisions as suppressions, which a new import keeps', async () => {
    const { body } = await importReport(readFileSync(`${folder}/eslint.sarif`), 'decided');
    const found = await server.gql(
      '{ findings(first: 1, filter: { target: "decided" }) { nodes { id } } }',
      {},
      token,
    );
    const [{ id }] = found.expectData().findings.nodes;
    const decide = await server.change(
      'triageFindings',
      { ids: [id], state: 'FALSE_POSITIVE', reason: 'checked by hand' },
      'changed',
      token,
    );
    expect(decide.expectData().triageFindings.changed).toBe(1);
    const { text } = await exportOf(body.executionId, 'sarif');
    const suppressed = JSON.parse(text).runs[0].results.filter((result: object) => 'suppressions' in result);
    expect(suppressed).toEqual([
      expect.objectContaining({
        partialFingerprints: { 'secTesterFinding/v1': id },
        suppressions: [
          { kind: 'external', status: 'accepted', justification: 'False positive: checked by hand' },
        ],
      }),
    ]);
    const again = await importReport(text, 'decided');
    expect(again.body).toMatchObject({ added: body.added, newFindings: 0, absentFindings: 0, skipped: 0 });
    const after = await server.gql('query($id: ID!) { finding(id: $id) { triage presence } }', { id }, token);
    expect(after.expectData().finding).toEqual({ triage: 'FALSE_POSITIVE', presence: 'PRESENT' });
  });
});

it('SARIF of an execution without a tool comes back without one', async () => {
  const report = JSON.stringify({ results: [{ title: 'By hand', severity: 'HIGH' }] });
  const { body } = await importReport(report, 'toolless', '&format=GENERIC_JSON');
  const { text } = await exportOf(body.executionId, 'sarif');
  expect((await importReport(text, 'toolless')).body).toMatchObject({
    added: 1,
    newFindings: 0,
    absentFindings: 0,
  });
});

const sarifOf = (tool: string, lines: number[], more: object = {}) =>
  JSON.stringify({
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: tool } },
        results: lines.map((line) => ({
          ruleId: `r${line}`,
          message: { text: `Problem of line ${line}` },
          properties: { tags: ['CWE-79'] },
          locations: [
            { physicalLocation: { artifactLocation: { uri: 'a.js' }, region: { startLine: line } } },
          ],
          ...more,
        })),
      },
    ],
  });

interface ComparedResult {
  ruleId: string;
  baselineState?: string;
}
const statesOf = (text: string) => {
  const log = JSON.parse(text);
  expect(sarifErrors(log)).toEqual([]);
  return log.runs[0].results.map(({ ruleId, baselineState }: ComparedResult) => [ruleId, baselineState]);
};

describe('an export with a base', () => {
  it('marks what is new, unchanged and absent against an execution or a branch', async () => {
    const main = await importReport(sarifOf('cmp', [1, 2, 3]), 'compared', '&branch=main');
    const head = await importReport(sarifOf('cmp', [2, 3, 4]), 'compared', '&branch=pr');
    const path = `/api/v1/executions/${head.body.executionId}/export`;
    const expected = [
      ['r2', 'unchanged'],
      ['r3', 'unchanged'],
      ['r4', 'new'],
      ['r1', 'absent'],
    ];
    expect(statesOf((await get(`${path}?base=main`)).text)).toEqual(expected);
    const ofExecution = await get(`${path}?base=${main.body.executionId}`);
    expect(statesOf(ofExecution.text)).toEqual(expected);
    expect(statesOf((await get(path)).text)).toEqual([
      ['r2', undefined],
      ['r3', undefined],
      ['r4', undefined],
    ]);
    const found = await get('/api/v1/findings/export?target=compared&branch=pr&base=main&format=csv');
    expect(
      found.text
        .trim()
        .split('\r\n')
        .map((line) => line.split(',').at(-1))
        .sort(),
    ).toEqual(['absent', 'baselineState', 'new', 'unchanged', 'unchanged']);
    // Absent results are no results: the import of the export leaves the branch as it is.
    expect((await importReport(ofExecution.text, 'compared', '&branch=pr')).body).toMatchObject({
      added: 3,
      newFindings: 0,
      absentFindings: 0,
    });
  });

  it('is refused where the base is of another scan, or has no place in the format', async () => {
    const { body } = await importReport(sarifOf('cmp', [1]), 'compared-alone');
    const other = await importReport(sarifOf('cmp', [1]), 'compared-other');
    const path = `/api/v1/executions/${body.executionId}/export`;
    for (const query of [`base=${other.body.executionId}`, 'base=nowhere', 'format=github&base=main'])
      expect([query, (await get(`${path}?${query}`)).status]).toEqual([query, 400]);
    expect((await get('/api/v1/findings/export?base=main&presence=ABSENT')).status).toBe(400);
    expect((await get(`${path}?base=exe_00000000-0000-7000-8000-000000000000`)).status).toBe(404);
  });
});

describe('SARIF for GitHub', () => {
  it('keeps the worst results of a run, without decided ones and ones without a path', async () => {
    const lines = Array.from({ length: 5003 }, (_, number) => number + 1);
    const log = JSON.parse(sarifOf('big', lines));
    // The schema compares each rule with each other one, so there are few.
    for (const result of log.runs[0].results.slice(2, 5002)) result.ruleId = 'common';
    log.runs[0].results[5002].level = 'error';
    delete log.runs[0].results[7].locations;
    const { body } = await importReport(JSON.stringify(log), 'big');
    const found = await server.gql(
      '{ findings(first: 1, filter: { target: "big", ruleId: "r2" }) { nodes { id } } }',
      {},
      token,
    );
    await server.change(
      'triageFindings',
      { ids: [found.expectData().findings.nodes[0].id], state: 'FALSE_POSITIVE', reason: 'no' },
      'changed',
      token,
    );
    const { text } = await exportOf(body.executionId, 'github');
    const exported = JSON.parse(text);
    expect(sarifErrors(exported)).toEqual([]);
    const [{ results, tool, invocations }] = exported.runs;
    expect(results).toHaveLength(5000);
    expect(results[0].ruleId).toBe('r5003');
    expect(results.map(({ ruleId }: ComparedResult) => ruleId)).not.toContain('r2');
    expect(
      invocations[0].toolExecutionNotifications.map(({ message }: { message: object }) => message),
    ).toEqual([
      { text: 'Kept the worst 5000 of 5001 results, as GitHub does.' },
      { text: 'Left out 1 results without a path, which GitHub cannot show.' },
    ]);
    const keys = results.map(
      (result: { partialFingerprints: { primaryLocationLineHash: string } }) =>
        result.partialFingerprints.primaryLocationLineHash,
    );
    expect(new Set(keys).size).toBe(5000);
    expect(tool.driver.rules[0]).toMatchObject({
      id: 'r5003',
      help: { text: 'Problem of line 5003' },
      properties: { tags: ['security', 'external/cwe/cwe-79'], 'security-severity': '8.0' },
    });
  });

  it('gives each scan a category of its own, and refuses more scans than GitHub takes', async () => {
    for (let number = 0; number < 21; number += 1) {
      const branch = await insertBranch(server, { target: `runs-${number}`, tool: 'many' });
      const executionId = await insertRun(server, branch, new Date());
      await insertFinding(server, { executionId, branch });
    }
    expect((await get('/api/v1/findings/export?format=github&tool=many')).status).toBe(400);
    const { text } = await get('/api/v1/findings/export?format=github&tool=many&target=runs-4');
    expect(JSON.parse(text).runs).toEqual([
      expect.objectContaining({ automationDetails: { id: 'runs-4/' }, results: [expect.anything()] }),
    ]);
  });
});

it('SARIF of an execution without results names its tool', async () => {
  await importReport(sarifOf('empty', [1]), 'emptied');
  const { body } = await importReport(sarifOf('empty', []), 'emptied');
  const { text } = await exportOf(body.executionId, 'sarif');
  expect(JSON.parse(text).runs[0].tool.driver.name).toBe('empty');
  expect(sarifErrors(JSON.parse(text))).toEqual([]);
});

describe('CSV', () => {
  it('makes formulas harmless and quotes what needs it', async () => {
    const branch = await insertBranch(server, { target: 'csv' });
    const executionId = await insertRun(server, branch, new Date());
    const titles = ['=cmd|A1', '+1', '-1', '@SUM(A1)', '\t=1', ' =1', '＝1', 'a "quoted", one', 'two\nlines'];
    for (const title of titles) await insertFinding(server, { executionId, branch, title });
    const { status, type, text } = await get('/api/v1/findings/export?format=csv&target=csv');
    expect([status, type]).toEqual([200, 'text/csv; charset=utf-8']);
    expect(text.startsWith('resultId,findingId,severity,reportedSeverity,title,')).toBe(true);
    for (const cell of [
      "'=cmd|A1",
      "'+1",
      "'-1",
      "'@SUM(A1)",
      "'\t'=1",
      "' =1",
      "'＝1",
      '"a ""quoted"", one"',
      '"two\nlines"',
    ])
      expect(text).toContain(`,${cell},`);
    expect(text).not.toMatch(/,[=+@]/);
  });

  it('begins no formula within a cell for spreadsheets that separate by semicolons', async () => {
    const branch = await insertBranch(server, { target: 'csv-inner' });
    const executionId = await insertRun(server, branch, new Date());
    const inner = ['a;=1', 'b\n=1', 'c\t"@x', 'd\r\n- one\n+1', 'e; f', 'g=1;h'];
    for (const title of inner) await insertFinding(server, { executionId, branch, title });
    const { text } = await get('/api/v1/findings/export?format=csv&target=csv-inner');
    for (const cell of ["a;'=1", "b\n'=1", 'c\t""\'@x', "d\r\n'- one\n'+1", 'e; f', 'g=1;h'])
      expect(text).toContain(`,"${cell}",`);
  });

  it('has a header where there is nothing', async () => {
    const { text } = await get('/api/v1/findings/export?format=csv&target=nowhere');
    expect(text.trim().split('\n')).toHaveLength(1);
  });
});

describe('an export of findings', () => {
  it('has an object on each line, and a SARIF run for each scan', async () => {
    const results = Array.from({ length: 600 }, (_, number) => ({
      ruleId: `r${number % 3}`,
      message: { text: `Finding ${number}` },
      locations: [
        { physicalLocation: { artifactLocation: { uri: 'a.js' }, region: { startLine: number + 1 } } },
      ],
    }));
    const log = JSON.stringify({ version: '2.1.0', runs: [{ tool: { driver: { name: 'nd' } }, results }] });
    for (const target of ['nd-one', 'nd-two']) await importReport(log, target);
    const { text } = await get('/api/v1/findings/export?format=ndjson&tool=nd');
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(1200);
    expect(new Set(lines.map(({ findingId }) => findingId)).size).toBe(1200);
    const { runs } = JSON.parse((await get('/api/v1/findings/export?format=sarif&tool=nd')).text);
    expect(
      (runs as SarifRunShape[]).map(({ results: found, tool, properties }) => [
        found.length,
        tool.driver.rules.length,
        properties.target,
      ]),
    ).toEqual([
      [600, 3, 'nd-one'],
      [600, 3, 'nd-two'],
    ]);
  });

  it('takes every filter of findings', async () => {
    for (const lines of [
      [3, 5, 9],
      [3, 5],
    ])
      await importReport(sarifOf('flt', lines), 'filtered', '&category=nightly');
    await importReport(sarifOf('flt', [3]), 'filtered', '&category=nightly&branch=pr');
    const me = (await server.gql('{ me { id } }', {}, token)).expectData().me.id;
    const cases: [string, number][] = [
      ['', 2],
      ['tool=FLT&category=nightly', 2],
      ['category=other', 0],
      ['branch=pr', 1],
      ['severity=MEDIUM,LOW', 2],
      ['severity=HIGH', 0],
      ['triage=OPEN,CONFIRMED', 2],
      ['triage=RESOLVED', 0],
      ['presence=ABSENT', 1],
      ['ruleId=r5', 1],
      ['cweId=79', 2],
      ['cweId=80', 0],
      ['cveId=CVE-2024-1000', 0],
      ['search=line+5', 1],
      [`assigneeId=${me}`, 0],
      ['overdue=true', 0],
      ['overdue=false', 2],
      ['firstSeenAfter=2020-01-01T00:00:00Z', 2],
      ['firstSeenBefore=2020-01-01T00:00:00Z', 0],
    ];
    const counts = [];
    for (const [filter] of cases) {
      const { text } = await get(
        `/api/v1/findings/export?format=ndjson&target=filtered&project=default&${filter}`,
      );
      counts.push([filter, text === '' ? 0 : text.trim().split('\n').length]);
    }
    expect(counts).toEqual(cases);
    for (const wrong of [
      'severity=WORST',
      'cweId=x',
      'overdue=maybe',
      'triage=OPEN,',
      'firstSeenAfter=now',
      'assigneeId=me',
    ])
      expect([wrong, (await get(`/api/v1/findings/export?${wrong}`)).status]).toEqual([wrong, 400]);
  });

  it('is valid SARIF where there is nothing', async () => {
    const { runs } = JSON.parse((await get('/api/v1/findings/export?target=nowhere')).text);
    expect(runs).toEqual([expect.objectContaining({ results: [] })]);
  });
});

describe('a reader', () => {
  it('gets only what it may see', async () => {
    const key = await createProject(server, token, { visibility: 'PRIVATE' });
    const { body } = await importReport(readFileSync(`${folder}/eslint.sarif`), 'secret', `&project=${key}`);
    const { token: outsider } = await createPerson(server, token, 'VIEWER');
    const path = `/api/v1/executions/${body.executionId}/export`;
    expect((await get(path, outsider)).status).toBe(404);
    expect(
      JSON.parse((await get('/api/v1/findings/export?target=secret', outsider)).text).runs[0].results,
    ).toEqual([]);
    const half = await createBoundKey(server, token, null, ['result:read', 'execution:read']);
    expect((await get(path, half)).status).toBe(403);
    expect((await server.rest('GET', path)).status).toBe(401);
    expect((await server.rest('GET', `${path}?format=exe`, { token })).status).toBe(400);
  });

  it('that leaves lets go of the connection to the database', async () => {
    const { body } = await importReport(readFileSync(`${folder}/flawfinder.sarif`), 'left');
    await server.sql(
      `INSERT INTO test_results (id, execution_id, title, severity, location, cwe_ids, cve_ids, "references", tags, fingerprint, created_at, finding_id, scan_branch_id, from_run, delta, is_shared, evidence)
       SELECT gen_random_uuid(), r.execution_id, 'T', 1, NULL, '{}', '{}', '{}', '{}', 'f', now(), r.finding_id, r.scan_branch_id, r.from_run, 0, true, repeat('x', 40000)
       FROM (SELECT * FROM test_results WHERE execution_id = $1 LIMIT 1) AS r, generate_series(1, 2000)`,
      [body.executionId.slice(4)],
    );
    const leaving = new AbortController();
    const answer = await fetch(`${server.url}/api/v1/executions/${body.executionId}/export?format=ndjson`, {
      headers: { Authorization: `Bearer ${token}` },
      signal: leaving.signal,
    });
    expect(answer.status).toBe(200);
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const open = async () =>
      (
        await server.sql(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'`,
        )
      ).length;
    expect(await open()).toBe(1);
    leaving.abort();
    await until(open, (count) => count === 0);
  });
});

describe('filters of an export', () => {
  it.each([
    `it's`,
    String.raw`a\b\' OR 1=1 --`,
    `{"x","y"},NULL`,
    `$1 $tag$ x $tag$`,
    `'; DROP TABLE findings; --`,
    `%s ' || "_"`,
  ])('take %s as text, and find just that', async (name) => {
    const target = `quoted ${name}`;
    await importReport(sarifOf(`tool ${target}`, [1]), target);
    for (const filter of [{ target }, { tool: `tool ${target}` }, { target, search: 'problem' }]) {
      const query = new URLSearchParams(
        Object.entries({ format: 'ndjson', severity: 'MEDIUM,HIGH', ...filter }),
      );
      const { status, text } = await get(`/api/v1/findings/export?${query}`);
      expect([status, text.trim().split('\n').length]).toEqual([200, 1]);
      expect(JSON.parse(text)).toMatchObject({ target, ruleId: 'r1' });
    }
    const none = new URLSearchParams({ format: 'ndjson', target, ruleId: name });
    expect((await get(`/api/v1/findings/export?${none}`)).text).toBe('');
  });

  it.each([
    ['severity', 'TERRIBLE'],
    ['triage', 'OPEN,CLOSED'],
    ['presence', 'GONE'],
    ['cweId', '-1'],
    ['cweId', '79; --'],
    ['cveId', 'x'.repeat(101)],
    ['assigneeId', 'exe_1'],
    ['overdue', 'perhaps'],
    ['firstSeenAfter', 'yesterday'],
    ['firstSeenBefore', '2026-13-01T00:00:00Z'],
    ['target', '\0'],
    ['first', '100001'],
    ['format', 'pdf'],
  ])('that are forged are refused with their name: %s=%s', async (name, value) => {
    const { status, text } = await get(`/api/v1/findings/export?${new URLSearchParams({ [name]: value })}`);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ code: 'VALIDATION_FAILED' });
    const paths = JSON.parse(text).errors.map(({ path }: { path: string }) => path.split(/[.[]/)[0]);
    expect([...new Set(paths)]).toEqual([name]);
  });
});
