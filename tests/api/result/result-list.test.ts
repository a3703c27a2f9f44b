// Lists of results, of all executions and within one: every filter, order and direction, counts, refused arguments.
import { describe, expect, it } from '@jest/globals';
import {
  brokenCursors,
  type Connection,
  connectionFields,
  countingTiming,
  countStatements,
  forged,
  nodesOf,
  type PageVariables,
  walk,
} from '../../kit/lists.js';
import { addResults, createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

interface Row {
  id: string;
  executionId: string;
  title: string;
  severity: string;
  ruleId: string | null;
  cweIds: number[];
  fingerprint: string;
}

const severities = ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];
const titles = ['SQL injection', 'XSS 100% sure', 'weak_cipher', 'Missing header', 'C:\\path leak'];
const rules = ['sqli-1', 'XSS_2', null];

const server = await useServer({}, countingTiming);
const analyst = await createPerson(server, await server.signIn(), 'ANALYST');
const executions: string[] = [];
for (const size of [23, 8, 0]) {
  const id = await startExecution(server, analyst.token);
  executions.push(id);
  const results = Array.from({ length: size }, (_, index) => ({
    title: titles[index % titles.length],
    severity: severities[(index >> 1) % 4],
    ruleId: rules[index % rules.length],
    cweIds: [[79], [89, 79], []][index % 3],
    fingerprint: `f${index}`,
  }));
  for (let at = 0; at < size; at += 5) await addResults(server, analyst.token, id, results.slice(at, at + 5));
}
const fields = 'id execution { id } title severity ruleId cweIds fingerprint';
const nodes = await nodesOf<Row & { execution: { id: string } }>(server, analyst.token, 'results', fields);
/** Newest first. */
const rows = nodes.map(({ execution, ...row }) => ({ ...row, executionId: execution.id }));

const listQuery = (fields: string, name = '') => `
  query ${name}($first: Int, $after: String, $last: Int, $before: String, $filter: ResultFilter, $orderBy: ResultOrder) {
    results(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) { ${fields} }
  }`;
const nestedQuery = (fields: string, name = '') => `
  query ${name}($id: ID!, $first: Int, $after: String, $last: Int, $before: String, $filter: ResultFilter) {
    execution(id: $id) {
      results(first: $first, after: $after, last: $last, before: $before, filter: $filter) { ${fields} }
    }
  }`;

const request = (variables: Record<string, unknown>, fields = connectionFields) =>
  server.gql(listQuery(fields), variables, analyst.token);

async function list(variables: Record<string, unknown>, fields?: string): Promise<Connection> {
  return (await request(variables, fields)).expectData().results;
}

const requestNested = (
  id: string | undefined,
  variables: Record<string, unknown>,
  fields = connectionFields,
) => server.gql(nestedQuery(fields), { id, ...variables }, analyst.token);

async function nested(
  id: string | undefined,
  variables: Record<string, unknown>,
  fields?: string,
): Promise<Connection> {
  return (await requestNested(id, variables, fields)).expectData().execution.results;
}

const idsOf = (fits: (row: Row) => boolean) => rows.filter(fits).map(({ id }) => id);
const of = (execution: string | undefined) => (row: Row) => row.executionId === execution;

function inOrder(field: string, direction: string): string[] {
  const rank = (row: Row) => (field === 'SEVERITY' ? severities.indexOf(row.severity) : 0);
  const sorted = [...rows].reverse().sort((a, b) => rank(a) - rank(b));
  return (direction === 'ASC' ? sorted : sorted.reverse()).map(({ id }) => id);
}

describe('paging through results', () => {
  for (const field of ['CREATED_AT', 'SEVERITY']) {
    for (const direction of ['ASC', 'DESC']) {
      it.each([
        [1, 'forward'],
        [3, 'backward'],
        [7, 'forward'],
        [31, 'backward'],
        [100, 'forward'],
      ] as const)(`gives all by ${field} ${direction}, %d at a time, %s`, async (size, way) => {
        const read = (page: PageVariables) => list({ ...page, orderBy: { field, direction } });
        expect(await walk(read, size, way)).toEqual(inOrder(field, direction));
      });
    }
  }

  it('gives those of one execution, newest first, in both directions', async () => {
    for (const id of executions) {
      for (const way of ['forward', 'backward'] as const) {
        expect(await walk((page) => nested(id, page), 4, way)).toEqual(idsOf(of(id)));
      }
    }
  });

  it('gives each execution of a list its own page, forward and backward, filtered or not', async () => {
    for (const [args, pick] of [
      ['first: 3', (ids: string[]) => ids.slice(0, 3)],
      ['last: 2', (ids: string[]) => ids.slice(-2)],
    ] as const) {
      const answer = await server.gql(
        `{ executions { nodes { id all: results(${args}) { nodes { id } }
             low: results(${args}, filter: { severity: [LOW] }) { totalCount nodes { id } } } } }`,
        {},
        analyst.token,
      );
      for (const { id, all, low } of answer.expectData().executions.nodes) {
        const lows = idsOf((row) => of(id)(row) && row.severity === 'LOW');
        expect(all.nodes.map((node: Row) => node.id)).toEqual(pick(idsOf(of(id))));
        expect(low).toEqual({ totalCount: lows.length, nodes: pick(lows).map((one) => ({ id: one })) });
      }
    }
  });

  it('gives one execution, met more than once in an answer, the same page each time', async () => {
    for (const [args, pick] of [
      ['first: 3', (ids: string[]) => ids.slice(0, 3)],
      ['last: 3', (ids: string[]) => ids.slice(-3)],
      ['first: 50', (ids: string[]) => ids],
      ['last: 50', (ids: string[]) => ids],
    ] as const) {
      const answer = await server.gql(
        `{ results(first: 10) { nodes { execution { id results(${args}) { nodes { id } } } } } }`,
        {},
        analyst.token,
      );
      for (const { execution } of answer.expectData().results.nodes) {
        const expected = pick(idsOf(of(execution.id))).map((id) => ({ id }));
        expect(execution.results.nodes).toEqual(expected);
      }
    }
  });
});

describe('filtering results', () => {
  const contains = (text: string) => (row: Row) =>
    `${row.title}\n${row.ruleId ?? ''}`.toLowerCase().includes(text.toLowerCase());
  type Case = [string, () => Record<string, unknown>, (row: Row) => boolean];
  const cases: Case[] = [
    ['one execution', () => ({ executionId: executions[1] }), (row) => of(executions[1])(row)],
    ['an execution without any', () => ({ executionId: executions[2] }), () => false],
    ['one severity', () => ({ severity: ['HIGH'] }), ({ severity }) => severity === 'HIGH'],
    ['two severities', () => ({ severity: ['LOW', 'INFO'] }), ({ severity }) => /LOW|INFO/.test(severity)],
    ['a severity twice', () => ({ severity: ['LOW', 'LOW'] }), ({ severity }) => severity === 'LOW'],
    ['a severity that none has', () => ({ severity: ['CRITICAL'] }), () => false],
    ['no severity at all', () => ({ severity: [] }), () => false],
    ['a rule', () => ({ ruleId: 'XSS_2' }), ({ ruleId }) => ruleId === 'XSS_2'],
    ['a rule in another case', () => ({ ruleId: 'xss_2' }), () => false],
    ['a CWE', () => ({ cweId: 79 }), ({ cweIds }) => cweIds.includes(79)],
    ['a second CWE', () => ({ cweId: 89 }), ({ cweIds }) => cweIds.includes(89)],
    ['a fingerprint', () => ({ fingerprint: 'f3' }), ({ fingerprint }) => fingerprint === 'f3'],
    ['a text in any case', () => ({ search: 'INJECTION' }), contains('injection')],
    ['part of a rule', () => ({ search: 'sqli' }), contains('sqli')],
    ['a per cent sign', () => ({ search: '100%' }), contains('100%')],
    ['an underscore', () => ({ search: 'weak_c' }), contains('weak_c')],
    ['a backslash', () => ({ search: ':\\path' }), contains(':\\path')],
    ['any of two rules', () => ({ ruleIds: ['sqli-1', 'none'] }), ({ ruleId }) => ruleId === 'sqli-1'],
    ['any of two CWEs', () => ({ cweIds: [89, 20] }), ({ cweIds }) => cweIds.includes(89)],
  ];

  it.each(cases)('finds those with %s, in a list and within an execution', async (_name, filter, fits) => {
    const fields = `totalCount ${connectionFields}`;
    const found = (await list({ first: 100, filter: filter() }, fields)) as Connection & {
      totalCount: number;
    };
    expect(found.nodes.map(({ id }) => id)).toEqual(idsOf(fits));
    expect(found.totalCount).toBe(idsOf(fits).length);
    const within = await nested(executions[0], { first: 100, filter: filter() }, 'totalCount nodes { id }');
    const expected = idsOf((row) => of(executions[0])(row) && fits(row)).map((id) => ({ id }));
    expect(within).toEqual({ totalCount: expected.length, nodes: expected });
  });

  it('joins every two conditions by and', async () => {
    for (const [name, filter, fits] of cases) {
      for (const [otherName, otherFilter, otherFits] of cases) {
        if (Object.keys(filter())[0] === Object.keys(otherFilter())[0]) continue;
        const found = await list(
          { first: 100, filter: { ...filter(), ...otherFilter() } },
          'totalCount nodes { id }',
        );
        const expected = idsOf((row) => fits(row) && otherFits(row)).map((id) => ({ id }));
        const answer = { totalCount: expected.length, nodes: expected };
        expect([name, otherName, found]).toEqual([name, otherName, answer]);
      }
    }
  });

  it('pages by severity through what a filter leaves, in both directions', async () => {
    const fits = new Set(idsOf(({ cweIds }) => cweIds.includes(79)));
    const expected = inOrder('SEVERITY', 'DESC').filter((id) => fits.has(id));
    const orderBy = { field: 'SEVERITY', direction: 'DESC' };
    for (const way of ['forward', 'backward'] as const) {
      expect(await walk((page) => list({ ...page, orderBy, filter: { cweId: 79 } }), 4, way)).toEqual(
        expected,
      );
    }
  });

  it.each([
    [{ executionId: 'res_0199a5a0-0000-7000-8000-000000000000' }, 'filter.executionId'],
    [{ executionId: 'nonsense' }, 'filter.executionId'],
    [{ severity: ['LOW', 'SEVERE'] }, 'filter.severity.1'],
    [{ cweId: 0 }, 'filter.cweId'],
    [{ cweId: 2 ** 31 }, 'filter.cweId'],
    [{ search: '\0' }, 'filter.search'],
    [{ search: 'ab' }, 'filter.search'],
    [{ search: '%%%' }, 'filter.search'],
    [{ fingerprint: '' }, 'filter.fingerprint'],
    [{ title: 'x' }, 'filter.title'],
  ])('refuses the filter %j', async (filter, path) => {
    for (const answer of [await request({ filter }), await requestNested(executions[0], { filter })]) {
      const error = answer.expectError('VALIDATION_FAILED');
      expect(error.extensions.fields).toEqual([expect.objectContaining({ path })]);
    }
  });
});

describe('arguments of the lists', () => {
  const both = async (variables: Record<string, unknown>) => [
    await request(variables),
    await requestNested(executions[0], variables),
  ];

  it.each([0, -1, 101, 2 ** 31])('refuses %d entries, as a variable and as a literal', async (size) => {
    for (const name of ['first', 'last']) {
      const literals = [
        `{ results(${name}: ${size}) { nodes { id } } }`,
        `{ executions { nodes { results(${name}: ${size}) { nodes { id } } } } }`,
      ];
      const answers = literals.map((literal) => server.gql(literal, {}, analyst.token));
      for (const answer of [...(await both({ [name]: size })), ...(await Promise.all(answers))]) {
        const error = answer.expectError('VALIDATION_FAILED');
        expect(error.extensions.fields).toEqual([expect.objectContaining({ path: name })]);
      }
    }
  });

  it('refuses first and last together', async () => {
    for (const answer of await both({ first: 1, last: 1 })) {
      const error = answer.expectError('VALIDATION_FAILED');
      expect(error.extensions.fields).toEqual([expect.objectContaining({ path: 'last' })]);
    }
  });

  it('refuses malformed and forged cursors, and those of another order', async () => {
    const orderBy = { field: 'SEVERITY', direction: 'ASC' };
    const ranks = [undefined, '', 'HIGH', '5', '-1', '1.5', '99999', '1\0'].map((key) =>
      forged('SEVERITY', key),
    );
    for (const after of [...ranks, forged('CREATED_AT'), ...brokenCursors]) {
      const error = (await request({ after, orderBy })).expectError('VALIDATION_FAILED');
      expect([after, error.extensions.fields?.[0]?.path]).toEqual([after, 'after']);
    }
    for (const before of [forged('SEVERITY', '1'), forged('NAME', 'a'), ...brokenCursors]) {
      for (const answer of await both({ before })) {
        const error = answer.expectError('VALIDATION_FAILED');
        expect([before, error.extensions.fields?.[0]?.path]).toEqual([before, 'before']);
      }
    }
  });

  it('counts with a statement of its own, with none where the execution’s counters know', async () => {
    const count = async (query: string, variables: Record<string, unknown>) =>
      (await countStatements(server, query, variables)).statements;
    expect(await count(listQuery('nodes { id }', 'A'), {})).toBe(1);
    expect(await count(listQuery('nodes { id } totalCount', 'B'), { filter: { ruleId: 'x' } })).toBe(2);
    const id = executions[0];
    expect(await count(nestedQuery('nodes { id }', 'C'), { id })).toBe(2);
    expect(await count(nestedQuery('nodes { id } totalCount', 'D'), { id })).toBe(2);
    const filter = { severity: ['LOW', 'HIGH'] };
    expect(await count(nestedQuery('nodes { id } totalCount', 'E'), { id, filter })).toBe(2);
    expect(await count(nestedQuery('nodes { id } totalCount', 'F'), { id, filter: { cweId: 79 } })).toBe(3);
  });
});
