// Adding results: batches of any size, all or nothing, duplicates, repeated batches, exact counts, refused states.
import { describe, expect, it } from '@jest/globals';
import { addResults, createExecution, createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const adminToken = await server.signIn();
const analyst = await createPerson(server, adminToken, 'ANALYST');
const other = await createPerson(server, adminToken, 'ANALYST');

const resultFields = `id title description severity ruleId cweIds cveIds cvssVector cvssScore
  location { path startLine startColumn endLine endColumn url method parameter component host }
  evidence remediation references tags fingerprint createdAt`;
const counts = 'severityCounts { info low medium high critical total }';
const severities = ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'] as const;

function add(
  executionId: string,
  results: unknown,
  more: Record<string, unknown> = {},
  token = analyst.token,
) {
  return server.change(
    'addResults',
    { executionId, results, ...more },
    `added duplicates execution { status ${counts} }`,
    token,
  );
}

async function read(executionId: string) {
  const answer = await server.gql(
    `query($id: ID!) { execution(id: $id) { ${counts} results(first: 100) { nodes { ${resultFields} } } } }`,
    { id: executionId },
    adminToken,
  );
  return answer.expectData().execution;
}

async function stored(executionId: string): Promise<Record<string, number> | undefined> {
  const [row] = await server.sql<Record<string, number>>(
    `SELECT (SELECT count(*)::int FROM test_results WHERE execution_id = e.id) AS results,
       (SELECT count(*)::int FROM result_batches WHERE execution_id = e.id) AS batches,
       (SELECT count(*)::int FROM execution_events WHERE execution_id = e.id) AS events,
       (SELECT count(*)::int FROM audit_events WHERE target_id = e.id) AS audits,
       info_count + low_count + medium_count + high_count + critical_count AS counted
     FROM test_executions e WHERE id = $1`,
    [executionId.slice(4)],
  );
  return row;
}

/** So many findings that differ. */
const many = (size: number, from = 0) =>
  Array.from({ length: size }, (_, index) => ({
    title: `Finding ${from + index}`,
    severity: severities[(from + index) % severities.length],
  }));

describe('adding results', () => {
  it('keeps every field and answers with the execution and its counts', async () => {
    const id = await startExecution(server, analyst.token);
    const result = {
      ...{
        title: 'Reflected XSS',
        description: 'In the search.\n\n* twice',
        severity: 'HIGH',
        ruleId: '40012',
      },
      ...{ cweIds: [79, 80], cveIds: ['CVE-2021-44228', 'CVE-1999-0001'] },
      cvssVector: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N',
      location: {
        ...{ path: 'src/a.ts', startLine: 1, startColumn: 2, endLine: 3, endColumn: 2_147_483_647 },
        ...{
          url: 'https://a.test/?q=1',
          method: 'GET',
          parameter: 'q',
          component: 'app@1.0',
          host: 'a.test',
        },
      },
      ...{ evidence: '<script>\t\u{1F50E}</script>', remediation: 'Escape.', fingerprint: 'mine' },
      ...{ references: ['https://owasp.org/'], tags: ['owasp:a03', 'ünïcode'] },
    };
    expect((await add(id, [result])).expectData().addResults).toEqual({
      ...{ added: 1, duplicates: 0 },
      execution: {
        status: 'RUNNING',
        severityCounts: { info: 0, low: 0, medium: 0, high: 1, critical: 0, total: 1 },
      },
    });
    const [kept] = (await read(id)).results.nodes;
    expect(kept).toEqual({
      ...result,
      id: expect.stringMatching(/^res_/),
      cvssScore: 6.1,
      createdAt: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
    });
    const single = await server.gql(
      `query($id: ID!) { result(id: $id) { ${resultFields} execution { id } } node(id: $id) { id } }`,
      { id: kept.id },
      adminToken,
    );
    expect(single.expectData()).toEqual({ result: { ...kept, execution: { id } }, node: { id: kept.id } });
  });

  it('leaves empty what is not given or null', async () => {
    const id = await startExecution(server, analyst.token);
    await addResults(server, analyst.token, id, [
      { title: 'Bare', severity: 'INFO' },
      { title: 'Nulls', severity: 'INFO', cweIds: null, location: null, tags: null, cvssVector: null },
      { title: 'Part of a place', severity: 'INFO', location: { startLine: 7, path: null } },
    ]);
    const [part, nulls, bare] = (await read(id)).results.nodes;
    for (const result of [nulls, bare]) {
      expect(result).toMatchObject({ cweIds: [], cveIds: [], references: [], tags: [], location: null });
      expect(result).toMatchObject({ description: null, cvssVector: null, cvssScore: null, evidence: null });
    }
    expect(part.location).toMatchObject({ startLine: 7, path: null, url: null, host: null });
  });

  it('takes 1 to 1,000 in one call, in their order, and says so in one event', async () => {
    const id = await startExecution(server, analyst.token);
    expect((await add(id, many(1))).expectData().addResults).toMatchObject({ added: 1 });
    const answer = (await add(id, many(1000, 1))).expectData().addResults;
    expect(answer).toMatchObject({ added: 1000, duplicates: 0 });
    expect(answer.execution.severityCounts).toEqual({
      ...{ info: 201, low: 200, medium: 200, high: 200, critical: 200, total: 1001 },
    });
    const newest = (await read(id)).results.nodes.slice(0, 3).map(({ title }: { title: string }) => title);
    expect(newest).toEqual(['Finding 1000', 'Finding 999', 'Finding 998']);
    expect(await stored(id)).toMatchObject({ results: 1001, counted: 1001, events: 4 });
    const [event] = await server.sql<{ type: string; ids: number; total: number }>(
      `SELECT type, cardinality(result_ids) AS ids, (snapshot->>'highCount')::int AS total
       FROM execution_events WHERE execution_id = $1 ORDER BY number DESC LIMIT 1`,
      [id.slice(4)],
    );
    expect(event).toEqual({ type: 'RESULTS_ADDED', ids: 100, total: 200 });
  });

  it.each([
    [[], 'input.results'],
    [many(1001), 'input.results'],
    [null, 'input.results'],
    ['text', 'input.results.title'],
  ])('refuses 0, 1,001 and what is no list', async (results, path) => {
    const id = await startExecution(server, analyst.token);
    const before = await stored(id);
    const error = (await add(id, results)).expectError('VALIDATION_FAILED');
    expect(error.extensions.fields?.[0]?.path).toMatch(path.replace('.title', ''));
    expect(await stored(id)).toEqual(before);
  });

  it('writes nothing when one of 1,000 is not valid, and names it', async () => {
    const id = await startExecution(server, analyst.token);
    const before = await stored(id);
    for (const [fault, path] of [
      [{ title: '' }, 'title'],
      [{ cvssVector: 'CVSS:3.1/AV:N' }, 'cvssVector'],
      [{ severity: 'SEVERE' }, 'severity'],
      [{ location: { startLine: 0 } }, 'location.startLine'],
    ] as const) {
      const results = many(1000).map((result, index) => (index === 517 ? { ...result, ...fault } : result));
      const error = (await add(id, results)).expectError('VALIDATION_FAILED');
      expect(error.extensions.fields).toEqual([
        { path: `input.results.517.${path}`, message: expect.any(String) },
      ]);
      expect(await stored(id)).toEqual(before);
    }
  });
});

describe('duplicates', () => {
  it('are counted and not doubled, within a batch and across batches', async () => {
    const id = await startExecution(server, analyst.token);
    const results = [...many(3), ...many(2), { title: 'Other', severity: 'LOW', fingerprint: 'same' }];
    expect(await addResults(server, analyst.token, id, results)).toEqual({ added: 4, duplicates: 2 });
    const again = [{ title: 'Renamed', severity: 'CRITICAL', fingerprint: 'same' }, ...many(4)];
    expect(await addResults(server, analyst.token, id, again)).toEqual({ added: 2, duplicates: 3 });
    expect((await read(id)).severityCounts).toMatchObject({ total: 6, critical: 1, low: 2 });
  });

  it('do not reach from one execution into another', async () => {
    for (let round = 0; round < 2; round += 1) {
      const id = await startExecution(server, analyst.token);
      expect(await addResults(server, analyst.token, id, many(3))).toEqual({ added: 3, duplicates: 0 });
    }
  });

  it('keep their own fingerprints beside computed ones, and the order in which they came', async () => {
    const [mixed, plain] = [
      await startExecution(server, analyst.token),
      await startExecution(server, analyst.token),
    ];
    const own = (index: number) => (index % 3 === 0 ? { fingerprint: `own ${index}` } : {});
    await add(
      mixed,
      many(9).map((result, index) => ({ ...result, ...own(index) })),
    );
    await add(plain, many(9));
    await add(mixed, many(1, 9));
    const shown = async (id: string) =>
      (await read(id)).results.nodes
        .reverse()
        .map(({ title, fingerprint }: { title: string; fingerprint: string }) => [title, fingerprint]);
    const computed = await shown(plain);
    expect(computed).toHaveLength(9);
    expect((await shown(mixed)).slice(0, 9)).toEqual(
      computed.map(([title, fingerprint]: string[], index: number) => [
        title,
        own(index).fingerprint ?? fingerprint,
      ]),
    );
    expect((await shown(mixed)).map(([title]: string[]) => title)).toEqual(
      many(10).map(({ title }) => title),
    );
  });

  it('are no results with the same computed fingerprint, which ignores lines and minds rule, place and title', async () => {
    const id = await startExecution(server, analyst.token, { tool: 'semgrep' });
    const base = { title: 'Leak', severity: 'LOW', ruleId: 'r1', location: { path: 'a/b.ts', startLine: 5 } };
    const moved = { ...base, severity: 'HIGH', location: { path: './a\\b.ts', startLine: 90, endColumn: 3 } };
    expect(await addResults(server, analyst.token, id, [base, moved])).toEqual({ added: 2, duplicates: 0 });
    const prints = (await read(id)).results.nodes.map(
      ({ fingerprint }: { fingerprint: string }) => fingerprint,
    );
    expect(new Set(prints).size).toBe(1);
    const different = [
      { ...base, ruleId: 'r2' },
      { ...base, title: 'Leak!' },
      { ...base, location: { path: 'a/c.ts' } },
    ];
    expect(await addResults(server, analyst.token, id, different)).toEqual({ added: 3, duplicates: 0 });
    const twin = await startExecution(server, analyst.token, { tool: 'SEMGREP' });
    await addResults(server, analyst.token, twin, [base]);
    const stranger = await startExecution(server, analyst.token, { tool: 'zap' });
    await addResults(server, analyst.token, stranger, [base]);
    const fingerprintOf = async (execution: string) =>
      (await read(execution)).results.nodes.at(-1).fingerprint;
    expect(await fingerprintOf(twin)).toBe(await fingerprintOf(id));
    expect(await fingerprintOf(stranger)).not.toBe(await fingerprintOf(id));
  });
});

describe('a repeated batch key', () => {
  it('adds nothing and writes nothing; with another batch it is refused', async () => {
    const id = await startExecution(server, analyst.token);
    expect(await addResults(server, analyst.token, id, many(2), 'b1')).toEqual({ added: 2, duplicates: 0 });
    const before = await stored(id);
    const repeated = (await add(id, many(2), { batchKey: 'b1' })).expectData().addResults;
    expect(repeated).toMatchObject({ added: 0, duplicates: 2, execution: { severityCounts: { total: 2 } } });
    const error = (await add(id, many(5, 10), { batchKey: 'b1' })).expectError('IDEMPOTENCY_KEY_REUSED');
    expect(error.extensions.fields).toEqual([expect.objectContaining({ path: 'input.batchKey' })]);
    expect(await stored(id)).toEqual(before);
    expect(await addResults(server, analyst.token, id, many(1, 10), 'b2')).toEqual({
      added: 1,
      duplicates: 0,
    });
  });

  it('adds once in ten parallel calls', async () => {
    const id = await startExecution(server, analyst.token);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => add(id, many(20), { batchKey: 'once' })),
    );
    const added = answers.map((answer) => answer.expectData().addResults.added);
    expect(added.sort((a, b) => b - a)).toEqual([20, ...Array(9).fill(0)]);
    expect(await stored(id)).toMatchObject({ results: 20, counted: 20, batches: 1, events: 3 });
  });

  it('belongs to its execution', async () => {
    for (let round = 0; round < 2; round += 1) {
      const id = await startExecution(server, analyst.token);
      expect(await addResults(server, analyst.token, id, many(2), 'b')).toEqual({ added: 2, duplicates: 0 });
    }
  });
});

describe('the counts of an execution', () => {
  it('are exact after ten parallel batches that overlap', async () => {
    const id = await startExecution(server, analyst.token);
    const batches = Array.from({ length: 10 }, (_, index) => add(id, many(100, index * 50)));
    const answers = (await Promise.all(batches)).map((answer) => answer.expectData().addResults);
    expect(answers.reduce((sum, { added }) => sum + added, 0)).toBe(550);
    const { severityCounts } = await read(id);
    expect(severityCounts).toEqual({
      info: 110,
      low: 110,
      medium: 110,
      high: 110,
      critical: 110,
      total: 550,
    });
    expect(await stored(id)).toMatchObject({ results: 550, counted: 550, events: 12 });
  });
});

describe('when and by whom results are taken', () => {
  it('not before the start, and not after the end', async () => {
    const id = await createExecution(server, analyst.token);
    (await add(id, many(1))).expectError('CONFLICT');
    for (const mutation of ['completeExecution', 'cancelExecution']) {
      const run = await startExecution(server, analyst.token);
      const call = `mutation($id: ID!) { ${mutation}(id: $id) { execution { id } } }`;
      await server.gql(call, { id: run }, analyst.token);
      if (mutation === 'cancelExecution') {
        expect(await addResults(server, analyst.token, run, many(1), 'last')).toMatchObject({ added: 1 });
        await server.gql(call, { id: run }, analyst.token);
      }
      (await add(run, many(1, 1))).expectError('EXECUTION_FINISHED');
    }
  });

  it('only from who owns or has claimed the run, and admins', async () => {
    const id = await startExecution(server, analyst.token);
    (await add(id, many(1), {}, other.token)).expectError('FORBIDDEN');
    (await add(id, many(1), {}, adminToken)).expectData();
    await server.sql('UPDATE test_executions SET claimed_by_id = $1 WHERE id = $2', [
      other.id.slice(4),
      id.slice(4),
    ]);
    (await add(id, many(1, 1), {}, other.token)).expectData();
    (await add('exe_0199a5a0-0000-7000-8000-000000000000', many(1))).expectError('NOT_FOUND');
  });
});
