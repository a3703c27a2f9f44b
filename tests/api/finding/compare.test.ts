// Two executions of one target side by side, over real imports.
import { expect, test } from '@jest/globals';
import { importSarif } from '../../kit/imports.js';
import { act } from '../../kit/live.js';
import { createProject } from '../../kit/projects.js';
import { addResults, createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

const run = async (target: string, rules: string, branch?: string) => {
  const problems = rules.split('').map((rule) => ({ rule }));
  return (await importSarif(server, token, { target, branch }, problems)).executionId;
};

const part = '{ totalCount nodes { ruleId } }';
const query = `query ($base: ID!, $head: ID!) {
  compareExecutions(base: $base, head: $head) { new ${part} fixed ${part} unchanged ${part} reopened ${part} } }`;

/** The rules of each part, sorted. */
async function compare(base: string, head: string): Promise<Record<string, string>> {
  const { compareExecutions } = (await server.gql(query, { base, head }, token)).expectData();
  const shown = Object.entries(
    compareExecutions as Record<string, { totalCount: number; nodes: { ruleId: string }[] }>,
  ).map(([name, { totalCount, nodes }]) => {
    expect([name, totalCount]).toEqual([name, nodes.length]);
    return [
      name,
      nodes
        .map(({ ruleId }) => ruleId)
        .sort()
        .join(''),
    ];
  });
  return Object.fromEntries(shown);
}

test('runs of one branch differ in what is new, fixed, unchanged and reopened, in either direction', async () => {
  const target = 'compare-1';
  const first = await run(target, 'ABC');
  const second = await run(target, 'BCD');
  const third = await run(target, 'ADE');
  expect(await compare(first, second)).toEqual({ new: 'D', fixed: 'A', unchanged: 'BC', reopened: '' });
  expect(await compare(second, third)).toEqual({ new: 'E', fixed: 'BC', unchanged: 'D', reopened: 'A' });
  expect(await compare(first, third)).toEqual({ new: 'DE', fixed: 'BC', unchanged: 'A', reopened: '' });
  expect(await compare(second, first)).toEqual({ new: '', fixed: 'D', unchanged: 'BC', reopened: 'A' });
  expect(await compare(third, third)).toEqual({ new: '', fixed: '', unchanged: 'ADE', reopened: '' });
});

test('a feature branch adds the same findings to its base however often it runs', async () => {
  const target = 'compare-2';
  const base = await run(target, 'AB', 'main');
  await run(target, 'BC', 'feature');
  const again = await run(target, 'BC', 'feature');
  expect(await compare(base, again)).toEqual({ new: 'C', fixed: 'A', unchanged: 'B', reopened: '' });
});

test('results that test modules added are compared once they have met the findings', async () => {
  const settled = async (rules: string) => {
    const id = await startExecution(server, token, { target: 'compare-3', tool: 'own' });
    const results = rules
      .split('')
      .map((ruleId) => ({ title: ruleId, ruleId, severity: 'LOW', location: { path: ruleId } }));
    await addResults(server, token, id, results);
    const codeOf = async () =>
      (await server.gql(query, { base: id, head: id }, token)).body.errors?.[0]?.extensions.code;
    expect(await codeOf()).toBe('CONFLICT');
    await act(server, token, 'completeExecution', id);
    // The gate waits until they have.
    await server.gql('query ($id: ID!) { gate(executionId: $id, policy: {}) { verdict } }', { id }, token);
    return id;
  };
  const base = await settled('AB');
  expect(await compare(base, await settled('BC'))).toEqual({
    new: 'C',
    fixed: 'A',
    unchanged: 'B',
    reopened: '',
  });
});

test('pages follow each other from the worst on', async () => {
  const target = 'compare-4';
  const base = await run(target, '');
  const levels = ['note', 'error', 'warning', 'error', 'note'] as const;
  const problems = levels.map((level, index) => ({ rule: `R${index}`, level }));
  const { executionId: head } = await importSarif(server, token, { target }, problems);
  const seen: string[] = [];
  let after: string | null = null;
  for (let page = 0; page < 3; page += 1) {
    const answer = await server.gql(
      `query ($base: ID!, $head: ID!, $after: String) { compareExecutions(base: $base, head: $head) {
        new(first: 2, after: $after) { totalCount nodes { severity target } pageInfo { hasNextPage endCursor } } } }`,
      { base, head, after },
      token,
    );
    const { new: found } = answer.expectData().compareExecutions;
    expect(found).toMatchObject({ totalCount: 5, pageInfo: { hasNextPage: page < 2 } });
    seen.push(...found.nodes.map(({ severity }: { severity: string }) => severity));
    after = found.pageInfo.endCursor;
  }
  expect(seen).toEqual(['HIGH', 'HIGH', 'MEDIUM', 'LOW', 'LOW']);
});

test('executions of other targets or projects are refused, and invisible ones do not exist', async () => {
  const codeOf = async (base: string, head: string, as = token) =>
    (await server.gql(query, { base, head }, as)).body.errors?.[0]?.extensions.code;
  const base = await run('compare-5', 'A');
  expect(await codeOf(base, await run('compare-6', 'A'))).toBe('VALIDATION_FAILED');
  const project = await createProject(server, token, { visibility: 'PRIVATE' });
  const { executionId: hidden } = await importSarif(server, token, { target: 'compare-5', project }, [
    { rule: 'A' },
  ]);
  expect(await codeOf(base, hidden)).toBe('VALIDATION_FAILED');
  const viewer = await createPerson(server, token, 'VIEWER');
  expect(await codeOf(base, hidden, viewer.token)).toBe('NOT_FOUND');
  expect(await codeOf(hidden, base, viewer.token)).toBe('NOT_FOUND');
  expect(await codeOf(base, base, viewer.token)).toBeUndefined();
});

test('pages larger than allowed, forged cursors and cursors of other lists are refused', async () => {
  const head = await run('compare-7', 'AB');
  const list = await server.gql(
    '{ findings(first: 1, orderBy: { field: DUE, direction: ASC }) { pageInfo { endCursor } } }',
    {},
    token,
  );
  const ofAnotherList = list.expectData().findings.pageInfo.endCursor;
  const page = (args: string) =>
    server.gql(
      `query ($id: ID!) { compareExecutions(base: $id, head: $id) { unchanged(${args}) { nodes { id } } } }`,
      { id: head },
      token,
    );
  const forged = Buffer.from(JSON.stringify(['SEVERITY', "9'; --", 'x'])).toString('base64url');
  for (const args of [
    'first: 101',
    'first: -1',
    `after: "${forged}"`,
    `after: "${ofAnotherList}"`,
    'after: "%"',
  ])
    expect([args, (await page(args)).body.errors?.[0]?.extensions.code]).toEqual([args, 'VALIDATION_FAILED']);
  expect((await page('first: 100')).expectData().compareExecutions.unchanged.nodes).toHaveLength(2);
});

test('a pull request beside its base is exact on both sides, also when both branches have moved on', async () => {
  const target = 'compare-8';
  await run(target, 'ABX', 'main');
  const base = await run(target, 'ABC', 'main');
  const head = await run(target, 'BCDX', 'feature');
  await run(target, 'Z', 'main');
  await run(target, 'Z', 'feature');
  expect(await compare(base, head)).toEqual({ new: 'D', fixed: 'A', unchanged: 'BC', reopened: 'X' });
});

test('parts are counted without their pages, and paged both ways side by side', async () => {
  const base = await run('compare-9', 'ABCX');
  const head = await run('compare-9', 'BCDEF');
  const ask = async (selection: string) => {
    const answer = await server.gql(
      `query ($base: ID!, $head: ID!) { compareExecutions(base: $base, head: $head) { ${selection} } }`,
      { base, head },
      token,
    );
    return answer.expectData().compareExecutions;
  };
  expect(
    await ask('new { totalCount } fixed { totalCount } unchanged { totalCount } reopened { totalCount }'),
  ).toEqual({
    new: { totalCount: 3 },
    fixed: { totalCount: 2 },
    unchanged: { totalCount: 2 },
    reopened: { totalCount: 0 },
  });
  const page = '{ nodes { title } pageInfo { endCursor startCursor hasNextPage hasPreviousPage } }';
  const all = await ask('new { nodes { title } } fixed { nodes { title } }');
  const first = await ask(`new(first: 2) ${page} fixed(first: 1) ${page}`);
  const rest = await ask(`new(first: 2, after: "${first.new.pageInfo.endCursor}") ${page}`);
  expect([...first.new.nodes, ...rest.new.nodes]).toEqual(all.new.nodes);
  expect([first.new.pageInfo.hasNextPage, rest.new.pageInfo.hasNextPage]).toEqual([true, false]);
  expect(first.fixed.nodes).toEqual(all.fixed.nodes.slice(0, 1));
  const back = await ask(`new(last: 2, before: "${rest.new.pageInfo.startCursor}") ${page}`);
  expect(back.new.nodes).toEqual(first.new.nodes);
});
