// Lists fetch the columns that are shown: each field alone gives what it gives among all, and no rule is passed by.
import { describe, expect, it } from '@jest/globals';
import {
  type GraphQLField,
  type GraphQLObjectType,
  getNamedType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
} from 'graphql';
import { buildSchema } from '../../../src/api/schema.js';
import { propertyOf } from '../../../src/graphql/execution/plan.js';
import { insertBranch, insertFinding } from '../../kit/findings.js';
import { addResults, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const schema = buildSchema();

const server = await useServer();
const token = await server.signIn();
const execution = await startExecution(server, token, {
  ...{
    category: 'nightly',
    tool: 'zap',
    toolVersion: '2',
    branch: 'main',
    commitSha: 'abc1234',
    parameters: { a: 1 },
  },
});
await addResults(server, token, execution, [
  {
    ...{ title: 'One', description: 'text', severity: 'HIGH', ruleId: 'r', cweIds: [79], evidence: 'e' },
    ...{ cveIds: ['CVE-2021-44228'], location: { path: 'a.ts', startLine: 3 }, remediation: 'm' },
    ...{ cvssVector: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H', references: ['x'], tags: ['t'] },
  },
]);
await server.sql(
  `UPDATE test_executions SET phase = 'p', error_message = 'm', rerun_of_id = id, status = 'COMPLETED', finished_at = now(), run_number = 1,
    held_at = now(), hold_reason = 'r'`, // or the server settles it
);
await beFound();
const found = await server.gql('{ results { nodes { id } } }', {}, token);
const ids: Record<'execution' | 'result', string> = {
  execution,
  result: found.expectData().results.nodes[0].id,
};

/** Gives the result a finding, of which every column has a value. */
async function beFound() {
  const branch = await insertBranch(server, { category: 'nightly', name: 'main' });
  const [result] = await server.sql<{ id: string; execution_id: string }>(
    'SELECT id, execution_id FROM test_results',
  );
  const { id = '', execution_id: executionId = '' } = result ?? {};
  await server.sql('UPDATE test_results SET finding_id = id, scan_branch_id = $1, from_run = 1, delta = 0', [
    branch.id,
  ]);
  await insertFinding(server, {
    branch,
    executionId,
    ofResult: id,
    ruleId: 'r',
    cweIds: [79],
    cveIds: ['CVE-2021-44228'],
  });
  await server.sql(
    `UPDATE findings SET severity_override = 3, triage = 'RISK_ACCEPTED', triage_reason = 'r', triage_comment = 'c',
       accepted_until = now() + interval '1 day', due_at = now(), assignee_id = (SELECT id FROM users LIMIT 1),
       last_seen_at = now(), last_seen_in_id = first_seen_in_id`,
  );
}

/** The field with what must be said of it: plain fields of what it gives, two levels deep. */
function selectionOf(field: GraphQLField<unknown, unknown>, levels = 2): string | undefined {
  const type = getNamedType(field.type);
  if (field.args.some(isRequiredArgument)) return undefined;
  if (isLeafType(type)) return field.name;
  if (!isObjectType(type) || levels === 0) return undefined;
  const inner = Object.values(type.getFields()).flatMap((each) => selectionOf(each, levels - 1) ?? []);
  return inner.length === 0 ? undefined : `${field.name} { ${inner.join(' ')} }`;
}

const fieldsOf = (name: string) => Object.values((schema.getType(name) as GraphQLObjectType).getFields());
const selections = (name: string) =>
  fieldsOf(name).map((field) => [field.name, selectionOf(field) as string] as const);

async function ask(query: string): Promise<Record<string, Record<string, unknown>>> {
  return (await server.gql(query, {}, token)).expectData();
}

/** Ways to the rows of a type: what stands before and after their fields, and where they are in the answer. */
const ways: Record<string, [string, string, (data: never) => unknown][]> = {
  TestExecution: [
    [
      '{ executions(first: 1) { nodes {',
      '} } }',
      ({ executions }: never) => (executions as { nodes: object[] }).nodes[0],
    ],
    [
      '{ executions(first: 1, orderBy: { field: NAME, direction: ASC }) { edges { cursor node {',
      '} } } }',
      ({ executions }: never) => (executions as { edges: { node: object }[] }).edges[0]?.node,
    ],
    ['{ execution(id: "$execution") {', '} }', ({ execution }: never) => execution],
  ],
  TestResult: [
    [
      '{ results(first: 1) { nodes {',
      '} pageInfo { endCursor } } }',
      ({ results }: never) => (results as { nodes: object[] }).nodes[0],
    ],
    [
      '{ results(first: 1, orderBy: { field: SEVERITY, direction: DESC }) { edges { cursor node {',
      '} } totalCount } }',
      ({ results }: never) => (results as { edges: { node: object }[] }).edges[0]?.node,
    ],
    ['{ result(id: "$result") {', '} }', ({ result }: never) => result],
    [
      '{ executions(first: 1) { nodes { results(first: 1) { nodes {',
      '} } } } }',
      ({ executions }: never) =>
        (executions as { nodes: { results: { nodes: object[] } }[] }).nodes[0]?.results.nodes[0],
    ],
  ],
  Finding: [
    [
      '{ findings(first: 1) { nodes {',
      '} } }',
      ({ findings }: never) => (findings as { nodes: object[] }).nodes[0],
    ],
    [
      '{ findings(first: 1, orderBy: { field: LAST_SEEN, direction: DESC }) { edges { cursor node {',
      '} } totalCount } }',
      ({ findings }: never) => (findings as { edges: { node: object }[] }).edges[0]?.node,
    ],
    ['{ finding(id: "$finding") {', '} }', ({ finding }: never) => finding],
  ],
};

describe('a field alone gives what it gives among all', () => {
  it.each(
    Object.entries(ways).flatMap(([type, list]) =>
      list.map(([before, after, rowIn]) => [type, before, after, rowIn] as const),
    ),
  )('of %s by %s', async (type, before, after, rowIn) => {
    const text = (fields: string) =>
      `${before} ${fields} ${after}`
        .replace('$execution', ids.execution)
        .replace('$result', ids.result)
        .replace('$finding', ids.result.replace('res_', 'fnd_'));
    const all = selections(type);
    const whole = rowIn((await ask(text(all.map(([, selection]) => selection).join(' ')))) as never);
    for (const [name, selection] of all) {
      const row = rowIn((await ask(text(selection))) as never) as Record<string, unknown>;
      expect([name, row[name]]).toEqual([name, (whole as Record<string, unknown>)[name]]);
      expect([name, row[name]]).not.toEqual([name, null]);
    }
  });

  it('when each column was fetched in combinations beyond the ones that get statements of their own', async () => {
    const names = ['name', 'target', 'kind', 'status', 'progress', 'tool', 'branch'];
    const whole = await ask(`{ executions { nodes { ${names.join(' ')} } } }`);
    for (let bits = 1; bits < 2 ** names.length; bits += 1) {
      const some = names.filter((_name, index) => (bits >> index) % 2 === 1);
      const { executions } = await ask(`{ executions { nodes { ${some.join(' ')} } } }`);
      expect(whole.executions?.nodes).toMatchObject(executions?.nodes as object[]);
    }
  });
});

describe('a field with a rule', () => {
  const guarded = Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .filter(({ name }) => !name.startsWith('__'))
    .flatMap((type) =>
      Object.values(type.getFields()).map((field) => [`${type.name}.${field.name}`, field] as const),
    )
    .filter(([, { extensions }]) => {
      const { authScopes } = (extensions.pothosOptions ?? {}) as { authScopes?: unknown };
      return authScopes !== undefined;
    });

  it('is never shown as a bare property: its rule is asked', () => {
    expect(guarded.length).toBeGreaterThan(40);
    for (const [name, field] of guarded) expect([name, propertyOf(field)]).toEqual([name, undefined]);
  });
});
