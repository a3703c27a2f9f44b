// Exports as files: SARIF that imports again without a change, CSV that is harmless, NDJSON; streamed, and only for readers.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { insertBranch, insertFinding, insertRun } from '../../kit/findings.js';
import { startTestServer, type TestServer } from '../../kit/harness.js';
import { createBoundKey, createProject } from '../../kit/projects.js';
import { until } from '../../kit/receiver.js';
import { createPerson } from '../../kit/seed.js';

let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startTestServer({ IMPORTS_AT_ONCE: '4' });
  token = await server.signIn();
});
afterAll(() => server.close());

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
    expect(log.version).toBe('2.1.0');
    expect(log.runs).toHaveLength(1);
    expect(log.runs[0].results).toHaveLength(first.body.added);
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
    const decide = await server.gql(
      'mutation($input: TriageFindingsInput!) { triageFindings(input: $input) { changed } }',
      { input: { ids: [id], state: 'FALSE_POSITIVE', reason: 'checked by hand' } },
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
      "'\t=1",
      "' =1",
      "'＝1",
      '"a ""quoted"", one"',
      '"two\nlines"',
    ])
      expect(text).toContain(`,${cell},`);
    expect(text).not.toMatch(/,[=+@]/);
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
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'FETCH%'`,
        )
      ).length;
    expect(await open()).toBe(1);
    leaving.abort();
    await until(open, (count) => count === 0);
  });
});
