// What people met elsewhere: results that a server swallowed, doubled, made harmless, or refused by the thousand.
import { describe, expect, it } from '@jest/globals';
import { createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const analyst = await createPerson(server, await server.signIn(), 'ANALYST');

type Result = Record<string, unknown>;

const addMutation = `mutation($input: AddResultsInput!) { addResults(input: $input) {
  added duplicates raised skippedCount skipped { index title path message } execution { severityCounts { low high critical total } } } }`;

const add = (executionId: string, results: Result[], more: Result = {}) =>
  server.gql(addMutation, { input: { executionId, results, ...more } }, analyst.token);

async function added(results: Result[], more: Result = {}) {
  const id = await startExecution(server, analyst.token);
  return { id, ...(await add(id, results, more)).expectData().addResults };
}

async function resultsOf(id: string, fields: string, filter: Result = {}) {
  const answer = await server.gql(
    `query($id: ID!, $filter: ResultFilter) { execution(id: $id) { results(first: 100, filter: $filter) { nodes { ${fields} } } } }`,
    { id, filter },
    analyst.token,
  );
  return answer.expectData().execution.results.nodes;
}

describe('only what is alike in place and content is a duplicate', () => {
  const rule = { title: 'strcpy', severity: 'HIGH', ruleId: 'FF1001' };
  const at = (location: Result, more: Result = {}) => ({ ...rule, location, ...more });

  it.each<[string, Result[], number]>([
    ['one rule at three lines', [10, 250, 900].map((startLine) => at({ path: 'a.c', startLine })), 3],
    [
      'one rule at two columns',
      [3, 9].map((startColumn) => at({ path: 'a.c', startLine: 1, startColumn })),
      2,
    ],
    [
      'one CVE in two versions',
      ['1.1.1', '3.0.0'].map((version) => at({ component: `openssl@${version}` })),
      2,
    ],
    [
      'one page with three queries',
      ['id=1', 'page=2', 'q=3'].map((query) => at({ url: `https://a.test/item?${query}` })),
      3,
    ],
    ['one URL by two methods', ['GET', 'POST'].map((method) => at({ url: 'https://a.test/', method })), 2],
    [
      'one parameter in two places',
      ['id', 'page'].map((parameter) => at({ url: 'https://a.test/', parameter })),
      2,
    ],
    ['two hosts', ['a.test', 'b.test'].map((host) => at({ host })), 2],
    [
      'a fingerprint that a tool gives to all',
      [1, 2, 3].map((startLine) => at({ path: 'a.c', startLine }, { fingerprint: 'same' })),
      3,
    ],
    [
      'two messages at one line',
      ['x', 'y'].map((text) => at({ path: 'a.c', startLine: 1 }, { description: text })),
      2,
    ],
    [
      'two pieces of evidence',
      ['x', 'y'].map((text) => at({ path: 'a.c', startLine: 1 }, { evidence: text })),
      2,
    ],
    ['the very same twice', [at({ path: 'a.c', startLine: 1 }), at({ path: 'a.c', startLine: 1 })], 1],
    [
      'the very same with its keys in another order',
      [at({ path: 'a.c', startLine: 1 }), at({ startLine: 1, path: 'a.c' })],
      1,
    ],
  ])('%s', async (_name, results, expected) => {
    const counts = { added: expected, duplicates: results.length - expected };
    const { id, ...answer } = await added(results);
    expect(answer).toMatchObject({ ...counts, execution: { severityCounts: { total: expected } } });
    expect((await add(id, results)).expectData().addResults).toMatchObject({
      added: 0,
      duplicates: results.length,
    });
  });
});

describe('a result that is seen again as worse', () => {
  const seen = (severity: string, more: Result = {}) => ({
    title: 'Injection',
    severity,
    ruleId: 'r',
    location: { path: 'a.c' },
    ...more,
  });

  it('raises the stored one, with its data, the counters and an event', async () => {
    const { id } = await added([seen('LOW', { remediation: 'later' })]);
    const vector = 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H';
    const answer = (
      await add(id, [seen('CRITICAL', { remediation: 'now', cvssVector: vector })])
    ).expectData();
    expect(answer.addResults).toMatchObject({
      added: 0,
      duplicates: 1,
      raised: 1,
      execution: { severityCounts: { low: 0, critical: 1, total: 1 } },
    });
    const [kept] = await resultsOf(id, 'id severity remediation cvssScore');
    expect(kept).toMatchObject({ severity: 'CRITICAL', remediation: 'now', cvssScore: 9.8 });
    const [event] = await server.sql<{ ids: string[] }>(
      'SELECT result_ids AS ids FROM execution_events WHERE execution_id = $1 ORDER BY number DESC LIMIT 1',
      [id.slice(4)],
    );
    expect(event?.ids).toEqual([kept.id.slice(4)]);
  });

  it.each([[['LOW', 'CRITICAL', 'HIGH']], [['CRITICAL', 'LOW', 'HIGH']], [['HIGH', 'LOW', 'CRITICAL']]])(
    'within one batch, in the order %j, is stored once with the worst severity',
    async (order) => {
      const answer = await added(order.map((severity) => seen(severity)));
      expect(answer).toMatchObject({
        added: 1,
        duplicates: 2,
        execution: { severityCounts: { low: 0, critical: 1, total: 1 } },
      });
    },
  );

  it.each([
    ['in a later batch', true],
    ['within one batch', false],
  ])('of the same severity with a higher score, %s, takes it over', async (_name, isLater) => {
    const [low, high] = [
      seen('HIGH', { cvssScore: 7.1 }),
      seen('HIGH', { cvssScore: 8.8, remediation: 'now' }),
    ];
    const { id } = await added(isLater ? [low] : [low, high]);
    if (isLater)
      expect((await add(id, [high])).expectData().addResults).toMatchObject({ added: 0, raised: 1 });
    expect((await add(id, [low])).expectData().addResults).toMatchObject({
      raised: 0,
      execution: { severityCounts: { high: 1, total: 1 } },
    });
    expect(await resultsOf(id, 'cvssScore remediation')).toEqual([{ cvssScore: 8.8, remediation: 'now' }]);
  });

  it('stays as it is when it comes back as harmless', async () => {
    const { id } = await added([seen('CRITICAL', { remediation: 'now' })]);
    expect((await add(id, [seen('INFO')])).expectData().addResults).toMatchObject({
      raised: 0,
      execution: { severityCounts: { critical: 1 } },
    });
    expect(await resultsOf(id, 'severity remediation')).toEqual([
      { severity: 'CRITICAL', remediation: 'now' },
    ]);
  });

  it('is counted right when batches race', async () => {
    const { id } = await added([seen('INFO')]);
    const severities = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];
    await Promise.all(Array.from({ length: 20 }, (_, at) => add(id, [seen(severities[at % 4] as string)])));
    const answer = await server.gql(
      'query($id: ID!) { execution(id: $id) { severityCounts { info low medium high critical total } } }',
      { id },
      analyst.token,
    );
    expect(answer.expectData().execution.severityCounts).toEqual({
      info: 0,
      low: 0,
      medium: 0,
      high: 0,
      critical: 1,
      total: 1,
    });
  });
});

describe('a key that is used again', () => {
  const one = [{ title: 'One', severity: 'LOW' }];

  it('is refused for another batch, which would be lost otherwise', async () => {
    const { id } = await added(one, { batchKey: 'k' });
    for (const other of [
      [{ title: 'Two', severity: 'LOW' }],
      [{ title: 'One', severity: 'HIGH' }],
      [...one, ...one],
    ])
      (await add(id, other, { batchKey: 'k' })).expectError('IDEMPOTENCY_KEY_REUSED');
    expect((await add(id, one, { batchKey: 'k' })).expectData().addResults).toMatchObject({
      added: 0,
      duplicates: 1,
    });
  });

  it('is refused for another execution, and replayed for the same in any order of keys', async () => {
    const create = (input: Result) =>
      server.change(
        'createExecution',
        { name: 'n', target: 't', kind: 'SAST', idempotencyKey: 'nightly', ...input },
        'execution { id }',
        analyst.token,
      );
    const first = (await create({ parameters: { a: 1, b: { c: 2, d: 3 } } })).expectData();
    expect((await create({ parameters: { b: { d: 3, c: 2 }, a: 1 } })).expectData()).toEqual(first);
    for (const other of [
      { target: 'u' },
      { parameters: { a: 2 } },
      {},
      { kind: 'DAST', parameters: { a: 1, b: { c: 2, d: 3 } } },
    ])
      (await create(other)).expectError('IDEMPOTENCY_KEY_REUSED');
  });
});

describe('ids and vectors as scanners write them', () => {
  it('are accepted, normalised and distinguished by scheme', async () => {
    const { id } = await added([
      {
        title: 'Log4Shell',
        severity: 'CRITICAL',
        cveIds: ['cve-2021-44228', 'ghsa-JFH8-C2JP-5V3Q', 'CVE-2021-44228'],
        vulnerabilityIds: [
          'RUSTSEC-2021-0003',
          'PYSEC-2021-19',
          'RHSA-2024:1234',
          'CVE-2021-45046',
          'VU#930724',
        ],
        cvssVector: 'CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H/',
      },
      { title: 'Old', severity: 'HIGH', cvssVector: '(AV:N/AC:L/Au:N/C:P/I:P/A:P)' },
      { title: 'Score alone', severity: 'HIGH', cvssScore: 8.1 },
    ]);
    const fields = 'title cveIds vulnerabilityIds cvssVector cvssScore';
    expect(await resultsOf(id, fields)).toEqual([
      { title: 'Score alone', cveIds: [], vulnerabilityIds: [], cvssVector: null, cvssScore: 8.1 },
      {
        title: 'Old',
        cveIds: [],
        vulnerabilityIds: [],
        cvssVector: 'CVSS:2.0/AV:N/AC:L/Au:N/C:P/I:P/A:P',
        cvssScore: 7.5,
      },
      {
        title: 'Log4Shell',
        cveIds: ['CVE-2021-44228', 'CVE-2021-45046'],
        vulnerabilityIds: [
          'GHSA-jfh8-c2jp-5v3q',
          'RUSTSEC-2021-0003',
          'PYSEC-2021-19',
          'RHSA-2024:1234',
          'VU#930724',
        ],
        cvssVector: 'CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H',
        cvssScore: 10,
      },
    ]);
    for (const cveId of ['CVE-2021-44228', 'cve-2021-44228', 'GHSA-JFH8-C2JP-5V3Q', 'VU#930724'])
      expect(await resultsOf(id, 'title', { cveId })).toEqual([{ title: 'Log4Shell' }]);
  });

  it.each([
    [{ cveIds: ['not an id'] }, 'cveIds.0'],
    [{ cveIds: ['CVE-21-1'] }, 'cveIds.0'],
    [{ cvssVector: 'CVSS:3.1/AV:N' }, 'cvssVector'],
    [{ cvssScore: 11 }, 'cvssScore'],
    ...[...'\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069'].map(
      (control): [object, string] => [{ title: `a${control}b` }, 'title'],
    ),
  ])('%j is refused, and named by its position and title', async (fault, path) => {
    const id = await startExecution(server, analyst.token);
    const results = [
      { title: 'Fine', severity: 'LOW' },
      { title: 'Faulty one', severity: 'LOW', ...fault },
    ];
    const error = (await add(id, results)).expectError('VALIDATION_FAILED');
    expect(error.extensions.fields).toEqual([
      { path: `input.results.1.${path}`, message: expect.stringContaining('result 1') },
    ]);
    const skipped = (await add(id, results, { onInvalid: 'SKIP' })).expectData().addResults;
    expect(skipped).toMatchObject({ added: 1, skippedCount: 1 });
    expect(skipped.skipped).toEqual([
      { index: 1, title: expect.any(String), path, message: expect.any(String) },
    ]);
  });

  it('may all be invalid: then the batch is listed and nothing is added', async () => {
    const {
      added: count,
      skipped,
      skippedCount,
    } = await added(
      Array.from({ length: 150 }, () => ({ title: 'x', severity: 'LOW', cveIds: ['?'] })),
      { onInvalid: 'SKIP' },
    );
    expect([count, skippedCount, skipped.length]).toEqual([0, 150, 100]);
  });

  it('does not skip a fault of the batch itself', async () => {
    const id = await startExecution(server, analyst.token);
    (await add(id, [], { onInvalid: 'SKIP' })).expectError('VALIDATION_FAILED');
    (await add(id, [{ title: 'x', severity: 'LOW' }], { onInvalid: 'SKIP', batchKey: '' })).expectError(
      'VALIDATION_FAILED',
    );
  });
});

describe('search', () => {
  it.each([
    ['cafe', 'Caf\u00e9 au lait'],
    ['CAF\u00c9', 'Caf\u00e9 au lait'],
    ['\u6f0f\u6d1e', 'SQL \u6ce8\u5165\u6f0f\u6d1e'],
    ['\u6f0f', 'SQL \u6ce8\u5165\u6f0f\u6d1e'],
    ['\u0438\u043d\u044a\u0435\u043a', '\u0418\u041d\u042a\u0415\u041a\u0426\u0418\u042f'],
    ['poetry.lock', 'In a lock file'],
    ['log4j-core@2.14.1', 'In a package'],
    ['GHSA-JFH8', 'With an id'],
  ])('for %s finds %s', async (search, title) => {
    const { id } = await added([
      { title: 'Caf\u00e9 au lait', severity: 'LOW' },
      { title: 'SQL \u6ce8\u5165\u6f0f\u6d1e', severity: 'LOW' },
      { title: '\u0418\u041d\u042a\u0415\u041a\u0426\u0418\u042f', severity: 'LOW' },
      { title: 'In a lock file', severity: 'LOW', location: { path: 'app/poetry.lock' } },
      { title: 'In a package', severity: 'LOW', location: { component: 'log4j-core@2.14.1' } },
      { title: 'With an id', severity: 'LOW', vulnerabilityIds: ['GHSA-jfh8-c2jp-5v3q'] },
    ]);
    expect(await resultsOf(id, 'title', { search })).toEqual([{ title }]);
  });

  it.each(['a', 'ab', '%', '%%%%', '---', ' c '])('for %j is refused: no index serves it', async (search) => {
    const answer = await server.gql(
      'query($search: String) { results(filter: { search: $search }) { nodes { id } } }',
      { search },
      analyst.token,
    );
    expect(answer.expectError('VALIDATION_FAILED').extensions.fields).toEqual([
      { path: 'filter.search', message: expect.stringContaining('three letters') },
    ]);
  });
});

it('sixty batches for one execution at once all succeed', async () => {
  const id = await startExecution(server, analyst.token);
  const batches = Array.from({ length: 60 }, (_, batch) =>
    add(
      id,
      Array.from({ length: 20 }, (_result, at) => ({ title: `${batch}-${at}`, severity: 'LOW' })),
    ),
  );
  for (const answer of await Promise.all(batches))
    expect(answer.expectData().addResults).toMatchObject({ added: 20 });
});

describe('filters and order of results', () => {
  it('reach what belongs to the execution, the place and the time', async () => {
    const make = async (input: Result, location: Result) => {
      const id = await startExecution(server, analyst.token, input);
      await add(id, [{ title: String(input.branch), severity: 'LOW', location }]);
      return id;
    };
    await make({ target: 'shop', tool: 'zap', branch: 'main' }, { host: 'a.test:443' });
    await make({ target: 'shop', tool: 'nuclei', branch: 'feature/x' }, { path: 'src/app.py' });
    const titles = async (filter: Result) => {
      const answer = await server.gql(
        'query($filter: ResultFilter) { results(first: 100, filter: $filter) { nodes { title } } }',
        { filter },
        analyst.token,
      );
      return answer.expectData().results.nodes.map(({ title }: { title: string }) => title);
    };
    expect(await titles({ target: 'shop' })).toEqual(['feature/x', 'main']);
    expect(await titles({ target: 'shop', tool: 'zap' })).toEqual(['main']);
    expect(await titles({ branch: 'feature/x' })).toEqual(['feature/x']);
    expect(await titles({ target: 'shop', kind: ['MANUAL'] })).toEqual([]);
    expect(await titles({ host: 'a.test:443' })).toEqual(['main']);
    expect(await titles({ host: 'a.test:44' })).toEqual([]);
    expect(await titles({ path: 'src/app.py' })).toEqual(['feature/x']);
    expect(await titles({ target: 'shop', createdAfter: '2999-01-01T00:00:00Z' })).toEqual([]);
    expect(await titles({ target: 'shop', createdBefore: '2999-01-01T00:00:00Z' })).toHaveLength(2);
    const executions = await server.gql(
      '{ executions(filter: { branch: "feature/x", tool: "nuclei", target: "shop" }) { nodes { branch } } }',
      {},
      analyst.token,
    );
    expect(executions.expectData().executions.nodes).toEqual([{ branch: 'feature/x' }]);
  });

  it('order by CVSS score, results without one last, page by page', async () => {
    const scores = [9.8, null, 5, 7.5, null, 10, 0];
    const { id } = await added(
      scores.map((cvssScore, at) => ({ title: `s${at}`, severity: 'LOW', cvssScore })),
    );
    const found: (number | null)[] = [];
    let after: string | null = null;
    do {
      const answer = await server.gql(
        `query($id: ID!, $after: String) { results(first: 2, after: $after, filter: { executionId: $id },
          orderBy: { field: CVSS_SCORE, direction: DESC }) { nodes { cvssScore } pageInfo { endCursor hasNextPage } } }`,
        { id, after },
        analyst.token,
      );
      const { nodes, pageInfo } = answer.expectData().results;
      found.push(...nodes.map((node: { cvssScore: number | null }) => node.cvssScore));
      after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
    } while (after !== null);
    expect(found).toEqual([10, 9.8, 7.5, 5, 0, null, null]);
  });
});
