// How many SQL statements an operation costs, read from its line in the request log: it does not grow with the page.
import { describe, expect, it } from '@jest/globals';
import { startTestServer } from '../../kit/harness.js';
import { countingTiming, countStatements } from '../../kit/lists.js';
import { until } from '../../kit/live.js';
import {
  addResults,
  createExecution,
  createPerson,
  type Person,
  password,
  startExecution,
} from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

// Sessions are counted where there may be too many: 1,000 less what may come at once.
const server = await useServer({ LOGIN_MAX_FAILURES: '50' }, countingTiming);
const adminToken = await server.signIn();
const people: Person[] = [];
for (let index = 0; index < 5; index += 1)
  people.push(await createPerson(server, adminToken, index === 4 ? 'VIEWER' : 'ANALYST'));
const executions: string[] = [];
for (let index = 0; index < 20; index += 1) {
  const token = (people[index % 4] as Person).token;
  const id = await startExecution(server, token);
  const results = Array.from({ length: 7 }, (_, at) => ({ title: `Finding ${at}`, severity: 'LOW' }));
  await addResults(server, token, id, results);
  executions.push(id);
}

/** Statements of an operation, asked by the admin; its answer has no errors. */
async function cost(query: string, variables: Record<string, unknown> = {}): Promise<number> {
  const { answer, statements } = await countStatements(server, query, variables);
  answer.expectData();
  return statements;
}

/** What creators cost depends on whether the process knows them: it does, after this. */
const knowPeople = () =>
  server
    .gql('{ executions { nodes { createdBy { id } } } }', {}, adminToken)
    .then((answer) => answer.expectData());

describe('signing in', () => {
  it('costs three statements, and three when it fails', async () => {
    const { email } = people[0] as Person;
    for (const word of [password, 'not the password at all']) {
      const { headers } = await server.rest('POST', '/api/v1/auth/login', {
        body: { email, password: word },
      });
      const id = headers.get('x-correlation-id');
      const line = () => server.logs.find((entry) => entry.event === 'request' && entry.correlationId === id);
      await until(() => line() !== undefined, 'the request in the log');
      expect(line()?.dbQueries).toBe(3);
    }
  });
});

describe('reading', () => {
  it('costs three statements at most for executions with creators and results, on any page', async () => {
    const query = `query Page($first: Int!) { executions(first: $first) { nodes {
      id name status severityCounts { total } createdBy { id name }
      results(first: 5) { totalCount nodes { id title severity } pageInfo { hasNextPage } } } } }`;
    await knowPeople();
    for (const first of [1, 5, 20]) expect([first, await cost(query, { first })]).toEqual([first, 2]);
    const stranger = await startTestServer({ DATABASE_URL: server.databaseUrl }, countingTiming);
    try {
      const { statements } = await countStatements(stranger, query, { first: 20 });
      expect(statements).toBe(3);
    } finally {
      await stranger.close();
    }
  });

  it('costs one statement more for each other set of arguments or relation, not for each row', async () => {
    const query = `query Page($first: Int!) { executions(first: $first) { totalCount nodes {
      rerunOf { id } a: results(first: 2) { nodes { id execution { id } } } b: results(last: 2) { nodes { id } }
      c: results(filter: { search: "finding" }) { totalCount nodes { id } } } } }`;
    // the page, its count, three sets of results, the count of the third, the executions of the first
    for (const first of [1, 5, 20]) expect([first, await cost(query, { first })]).toEqual([first, 7]);
  });

  it('costs two statements for results with their executions, and creators that are known', async () => {
    const query = `query Page($first: Int!) { results(first: $first) { nodes {
      id title execution { id name createdBy { id name } } } } }`;
    await knowPeople();
    for (const first of [1, 5, 20, 100]) expect([first, await cost(query, { first })]).toEqual([first, 2]);
  });

  it('costs one statement for one thing, by its own query and by node', async () => {
    const [id] = executions;
    expect(
      await cost('query One($id: ID!) { execution(id: $id) { id severityCounts { total } } }', { id }),
    ).toBe(1);
    expect(await cost('query One($id: ID!) { node(id: $id) { id } }', { id })).toBe(1);
    const found = await server.gql('{ results(first: 1) { nodes { id } } }', {}, adminToken);
    const result = found.expectData().results.nodes[0].id;
    expect(await cost('query One($id: ID!) { result(id: $id) { id title } }', { id: result })).toBe(1);
    expect(await cost('query Me { me { id name } }')).toBe(0);
  });

  it('costs four statements for users with their sessions and keys, on any page', async () => {
    const query = `query Page($first: Int!) { users(first: $first) { nodes { id sessions { id } apiKeys { id } } } }`;
    // The page, and what Prisma reads for the relations: the users' ids, their sessions, their keys.
    for (const first of [1, 3, 6]) expect([first, await cost(query, { first })]).toEqual([first, 4]);
  });
});

describe('what the bench asks', () => {
  const summary =
    'id name target kind status progress severityCounts { critical high medium low info total } createdAt createdBy { id name }';
  const page = 'pageInfo { hasNextPage endCursor }';
  it.each([
    ['a trivial field', '{ __typename }', 0],
    ['a page', `{ executions(first: 20) { nodes { ${summary} } ${page} } }`, 1],
    [
      'a page with results',
      `{ executions(first: 20) { nodes { ${summary} results(first: 5) { nodes { id title severity } } } ${page} } }`,
      2,
    ],
    [
      'one with its results',
      `query Q($id: ID!) { execution(id: $id) { ${summary} results(first: 50) { nodes { id title tags } ${page} } } }`,
      2,
    ],
    [
      'results with their count',
      'query Q($id: ID!) { results(filter: { executionId: $id, severity: [HIGH] }) { totalCount nodes { id } } }',
      2,
    ],
    ['a page far away', `query Q($after: String) { executions(after: $after) { nodes { ${summary} } } }`, 1],
  ])('costs as few statements as it can: %s', async (_name, query, statements) => {
    await knowPeople();
    const first = await server.gql('{ executions(first: 3) { pageInfo { endCursor } } }', {}, adminToken);
    const after = first.expectData().executions.pageInfo.endCursor;
    const variables = {
      ...(query.includes('$id') && { id: executions[0] }),
      ...(query.includes('$after') && { after }),
    };
    const named = query.startsWith('{') ? `query Q ${query}` : query;
    // The first time by Yoga, the second by the fast path.
    for (let turn = 0; turn < 2; turn += 1) expect(await cost(named, variables)).toBe(statements);
  });
});

describe('changing', () => {
  const change = (mutation: string) =>
    `mutation Change($id: ID!) { ${mutation} { execution { id status } } }`;
  // BEGIN and COMMIT are statements too.
  it.each([
    ['start', 'startExecution(id: $id)', createExecution, 6],
    ['report progress', 'reportProgress(input: { executionId: $id, progress: 5 })', startExecution, 1],
    // The events of webhooks are one more.
    ['complete', 'completeExecution(id: $id)', startExecution, 6],
    ['fail', 'failExecution(id: $id, errorMessage: "no")', startExecution, 6],
    ['repeat', 'rerunExecution(id: $id)', startExecution, 5],
    ['cancel', 'cancelExecution(id: $id)', startExecution, 6],
  ] as const)('costs few statements: to %s', async (_name, mutation, make, statements) => {
    const id = await make(server, adminToken);
    expect(await cost(change(mutation), { id })).toBe(statements);
  });

  it('costs four statements to create, and eight to delete', async () => {
    const create =
      'mutation Create { createExecution(input: { name: "n", target: "t", kind: SCA }) { execution { id name } } }';
    expect(await cost(create)).toBe(4);
    const id = await startExecution(server, adminToken);
    const remove = 'mutation Remove($id: ID!) { deleteExecution(id: $id) { deletedId } }';
    expect(await cost(remove, { id })).toBe(8);
  });

  it('costs the same for one result and for a thousand', async () => {
    const query =
      'mutation Add($input: AddResultsInput!) { addResults(input: $input) { added execution { id } } }';
    const executionId = await startExecution(server, adminToken);
    for (const size of [1, 1000]) {
      const some = (name: string) =>
        Array.from({ length: size }, (_, at) => ({ title: `${name} ${size}-${at}`, severity: 'LOW' }));
      const results = some('first');
      expect([size, await cost(query, { input: { executionId, results } })]).toEqual([size, 5]);
      const keyed = { executionId, results: some('keyed'), batchKey: `k${size}` };
      expect([size, await cost(query, { input: keyed })]).toEqual([size, 7]);
      // Duplicates may be worse than what is stored.
      expect([size, await cost(query, { input: { executionId, results } })]).toEqual([size, 6]);
    }
  });

  it('costs one statement to refuse what is too late', async () => {
    const id = await startExecution(server, adminToken);
    await cost(change('completeExecution(id: $id)'), { id });
    const { answer, statements } = await countStatements(server, change('completeExecution(id: $id)'), {
      id,
    });
    answer.expectError('EXECUTION_FINISHED');
    expect(statements).toBe(1);
  });
});
