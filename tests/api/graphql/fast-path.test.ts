// A request gets the same answer and leaves the same lines in the log by a plan on the fast path, and by graphql-js behind Yoga: statuses, headers, bodies.
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { getOperationAST, parse } from 'graphql';
import pg from 'pg';
import { buildSchema } from '../../../src/api/schema.js';
import { planOperation } from '../../../src/graphql/execution/plan.js';
import { ownerUrlOf, type TestServer } from '../../kit/harness.js';
import { until, untilLocked } from '../../kit/live.js';
import { addResults, createPerson, startExecution } from '../../kit/seed.js';
import { meWith } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
const env = {
  JWT_SIGNING_KEYS: JSON.stringify([{ ...jwk, kid: 'both' }]),
  RATE_LIMIT_PER_MINUTE: '100000',
  RATE_LIMIT_ANONYMOUS_PER_MINUTE: '100000',
};
const short = await useServer(env);
const yoga = await useServer({ ...env, DATABASE_URL: short.databaseUrl }, { hasPlans: false });
const admin = await short.signIn();
const viewer = await createPerson(short, admin, 'VIEWER');
const analyst = await createPerson(short, admin, 'ANALYST');
const executionId = await startExecution(short, analyst.token, { parameters: { a: [1, null, 'ü'] } });
const results = Array.from({ length: 7 }, (_, index) => ({
  title: `Finding ${index} „ü“`,
  severity: 'HIGH',
}));
await addResults(short, analyst.token, executionId, results, 'once');
const found = await short.gql('{ results(first: 1) { nodes { id } } }', {}, admin);
const resultId: string = found.expectData().results.nodes[0].id;

interface Sent {
  headers?: Record<string, string>;
  token?: string | undefined;
  body: string | Uint8Array<ArrayBuffer>;
}

let count = 0;

/** What came back, and the lines of the log. */
async function answerOf(server: TestServer, id: string, { headers, token, body }: Sent) {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-correlation-id': id,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body,
  });
  const text = await response.text();
  const shown = Object.fromEntries(response.headers);
  delete shown.date;
  if (shown.ratelimit !== undefined) shown.ratelimit = shown.ratelimit.replace(/r=\d+;t=\d+/, '');
  const isOver = () =>
    server.logs.some(({ correlationId, event }) => correlationId === id && event === 'request');
  await until(isOver, 'the line of the request');
  const lines = server.logs
    // What was refused is audited once a minute for each place.
    .filter(({ correlationId, action }) => correlationId === id && action !== 'access.deny')
    .map(({ time: _time, durationMs: _duration, dbMs: _db, dbQueries: _queries, ...line }) => line);
  return { status: response.status, headers: shown, text, lines };
}

/** Sends it to both, twice: documents are cached for the fast path from the second time on. */
async function expectSame(sent: Sent): Promise<{ status: number; text: string }> {
  let last = { status: 0, text: '' };
  for (let turn = 0; turn < 2; turn += 1) {
    count += 1;
    const id = `same-${count}`;
    const [one, other] = [await answerOf(short, id, sent), await answerOf(yoga, id, sent)];
    expect(one).toEqual(other);
    last = one;
  }
  return last;
}

const json = (query: unknown, variables?: unknown, rest: object = {}) =>
  JSON.stringify({ query, variables, ...rest });

const accepts = [
  undefined,
  '*/*',
  'application/json',
  'application/graphql-response+json',
  'application/graphql-response+json, application/json;q=0.9',
  'application/json, application/graphql-response+json',
  'APPLICATION/JSON; charset=utf-8',
  'application/json; charset=latin1',
  'application/*',
  'text/event-stream, application/json',
  'text/html',
  'image/png, */*;q=0.1',
  '',
];
const fields = 'id name target kind status progress severityCounts { total high } parameters createdAt';

/** Documents with variables; `plan` tells whether the fast path has one for it. */
const operations: { query: string; variables?: () => object; name?: string; plan?: false }[] = [
  { query: '{ __typename }' },
  { query: '{ me { id name email role __typename } }' },
  {
    query: `{ executions(first: 2) { totalCount nodes { ${fields} createdBy { id name email } } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`,
  },
  {
    query: `query($id: ID!) { execution(id: $id) { ${fields} rerunOf { id } results(first: 3) { totalCount nodes { id title severity location { path } } pageInfo { endCursor } } } }`,
    variables: () => ({ id: executionId }),
  },
  {
    query: 'query($id: ID!) { execution(id: $id) { id } }',
    variables: () => ({ id: 'exe_01999999-0000-7000-8000-000000000000' }),
  },
  { query: 'query($id: ID!) { execution(id: $id) { id } }', variables: () => ({ id: 'nonsense' }) },
  { query: 'query($id: ID!) { execution(id: $id) { id } }', variables: () => ({}) },
  { query: 'query($id: ID!) { execution(id: $id) { id } }', variables: () => ({ id: { a: 1 } }) },
  {
    query: 'query($id: ID!) { a: execution(id: $id) { id } b: execution(id: "exe_no") { id } me { id } }',
    variables: () => ({ id: executionId }),
  },
  {
    query: 'query($first: Int) { executions(first: $first) { nodes { id } } }',
    variables: () => ({ first: 0 }),
  },
  {
    query: 'query($first: Int) { executions(first: $first) { nodes { id } } }',
    variables: () => ({ first: 1.5 }),
  },
  {
    query:
      'query($first: Int) { executions(first: $first) { nodes { id results(first: 100) { nodes { id execution { id results(first: 100) { nodes { id } } } } } } } }',
    variables: () => ({ first: 100 }),
  },
  {
    query: 'query($after: String) { executions(after: $after) { nodes { id } } }',
    variables: () => ({ after: 'xx' }),
  },
  {
    query:
      '{ results(first: 2, filter: { severity: [HIGH] }) { totalCount nodes { id severity execution { id name createdBy { name } } } } }',
  },
  {
    query: 'query($id: ID!) { result(id: $id) { id title cweIds tags createdAt } }',
    variables: () => ({ id: resultId }),
  },
  { query: '{ users(first: 2) { nodes { id email status sessions { ip } apiKeys { id } } } }' },
  { query: '{ auditEvents(first: 1) { nodes { id action } } }' },
  { query: 'query One { me { id } } query Two { me { name } }', name: 'Two' },
  { query: 'query One { me { id } } query Two { me { name } }', name: 'Three', plan: false },
  { query: 'query One { me { id } } query Two { me { name } }', plan: false },
  {
    query:
      'fragment F on TestExecution { id ...G } fragment G on TestExecution { name id } { executions(first: 1) { nodes { ...F ... on Node { id } ... on TestExecution { kind } ... { status } } } }',
  },
  {
    query:
      '{ executions(first: 1) { nodes { id severityCounts { high } severityCounts { low } } nodes { name } } }',
  },
  {
    query: 'query($with: Boolean!) { me { id name @include(if: $with) } }',
    variables: () => ({ with: false }),
  },
  {
    query: 'query($with: Boolean!) { me { id name @include(if: $with) } }',
    variables: () => ({ with: true }),
  },
  {
    query: 'query($with: Boolean!) { me { id name @include(if: $with) } }',
    variables: () => ({ with: 'yes' }),
  },
  {
    query: 'query($with: Boolean = true) { me { id name @skip(if: $with) } }',
    variables: () => ({ with: null }),
  },
  {
    query:
      'query($with: Boolean = false) { executions(first: 2) @skip(if: false) { totalCount @include(if: $with) nodes { id ...F @skip(if: $with) } } } fragment F on TestExecution { name createdBy @include(if: true) { id } }',
  },
  {
    query: 'query($id: ID!) { node(id: $id) { id ... on TestExecution { name } } }',
    variables: () => ({ id: executionId }),
  },
  { query: '{ __schema { queryType { name } } me { id } }' },
  { query: '{ me { id } __type(name: "User") { name } }' },
  {
    query: 'mutation($id: ID!) { startExecution(id: $id) { execution { id } } }',
    variables: () => ({ id: executionId }),
  },
  {
    query:
      'mutation($input: AddResultsInput!) { addResults(input: $input) { added duplicates execution { id createdBy { name } } } }',
    variables: () => ({
      input: { executionId, batchKey: 'once', results: [{ title: 'a', severity: 'LOW' }] },
    }),
  },
  {
    query: 'mutation($input: AddResultsInput!) { addResults(input: $input) { added } }',
    variables: () => ({
      input: {
        executionId,
        results: [
          { title: '', severity: 'LOW', cvssVector: 'x' },
          { title: 'b', severity: 'BAD' },
        ],
      },
    }),
  },
  {
    query: 'mutation($input: AddResultsInput!) { addResults(input: $input) { added } }',
    variables: () => ({ input: { executionId, results: [{ title: '', severity: 'LOW' }] } }),
  },
  {
    query:
      'mutation { login(input: { email: "nobody@x.test", password: "wrong wrong wrong wrong" }) { accessToken } }',
  },
  {
    query:
      'mutation { a: refreshToken(refreshToken: "x") { accessToken } b: refreshToken(refreshToken: "y") { accessToken } }',
  },
  { query: '{ nonsense }', plan: false },
  { query: '{ me { id }', plan: false },
  { query: 'subscription { executionChanges { id } }', plan: false },
  { query: '{ me { __proto__: id name } }', plan: false },
];

describe('by the fast path and by Yoga the answer is the same', () => {
  it.each(operations.map((operation, index) => [index, operation.query.slice(0, 70), operation] as const))(
    'to operation %i, for each caller: %s',
    async (_index, _text, { query, variables, name }) => {
      const body = json(query, variables?.(), name === undefined ? {} : { operationName: name });
      for (const token of [undefined, admin, analyst.token, viewer.token, 'nonsense', `${viewer.token}x`])
        await expectSame({ body, token });
    },
  );

  it.each(accepts)('to Accept: %s', async (accept) => {
    const headers: Record<string, string> = accept === undefined ? {} : { accept };
    for (const { query, variables } of operations.slice(1, 8))
      await expectSame({ body: json(query, variables?.()), token: viewer.token, headers });
  });

  it.each<[string, Sent]>([
    ['no JSON', { body: '{' }],
    ['nothing', { body: '' }],
    ['a list', { body: '[]' }],
    ['a text', { body: '"{ __typename }"' }],
    ['null', { body: 'null' }],
    ['no query', { body: '{}' }],
    ['a query that is no text', { body: '{"query":5}' }],
    ['a query that is null', { body: '{"query":null}' }],
    ['an empty query', { body: '{"query":""}' }],
    ['a key twice', { body: '{"query":"{ __typename }","query":"{ me { id } }"}' }],
    ['bytes that are no UTF-8', { body: new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]) }],
    ['variables that are a text', { body: json('{ __typename }', 'x') }],
    ['variables that are a list', { body: json('{ __typename }', []) }],
    ['variables that are null', { body: json('{ __typename }', null) }],
    ['variables that nobody asked for', { body: json('{ __typename }', { x: 1 }) }],
    ['an operation name that is a number', { body: json('{ __typename }', {}, { operationName: 5 }) }],
    ['an operation name that is empty', { body: json('{ __typename }', {}, { operationName: '' }) }],
    ['an operation name that is null', { body: json('{ __typename }', {}, { operationName: null }) }],
    ['an unknown parameter', { body: json('{ __typename }', {}, { more: 1 }) }],
    ['an unknown parameter that is null', { body: json('{ __typename }', {}, { more: null }) }],
    ['extensions', { body: json('{ __typename }', {}, { extensions: { a: 1 } }) }],
    [
      'extensions of Apollo Client',
      {
        body: json(
          '{ me { id } }',
          {},
          { extensions: { clientLibrary: { name: '@apollo/client', version: '4.3.8' } } },
        ),
      },
    ],
    ['extensions that are null', { body: json('{ __typename }', {}, { extensions: null }) }],
    ['extensions that are a list', { body: json('{ __typename }', {}, { extensions: [] }) }],
    ['extensions that are a text', { body: json('{ __typename }', {}, { extensions: 'x' }) }],
    [
      'a persisted query',
      {
        body: json('{ __typename }', {}, { extensions: { persistedQuery: { version: 1, sha256Hash: 'x' } } }),
      },
    ],
    ['a document id', { body: json(undefined, {}, { documentId: 'x' }) }],
    [
      'another charset',
      { body: json('{ __typename }'), headers: { 'content-type': 'application/json; charset=utf-16' } },
    ],
    [
      'the right charset',
      { body: json('{ __typename }'), headers: { 'content-type': 'application/json;charset=UTF-8' } },
    ],
    ['a form', { body: 'query=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    ['a bare document', { body: '{ __typename }', headers: { 'content-type': 'application/graphql' } }],
    ['compression', { body: json('{ __typename }'), headers: { 'content-encoding': 'gzip' } }],
    ['an origin', { body: json('{ __typename }'), headers: { origin: 'https://a.test' } }],
    ['too much from nobody', { body: json(`{ __typename } #${'x'.repeat(1_100_000)}`) }],
    [
      'a scheme that is no Bearer',
      { body: json('{ __typename }'), headers: { authorization: 'Basic eDp5' } },
    ],
    ['a bearer in small letters', { body: json('{ me { id } }'), headers: { authorization: 'bearer x' } }],
    ['too many tokens', { body: json(`{ ${'me { id } '.repeat(1000)} }`) }],
    [
      'too many aliases',
      { body: json(`{ ${Array.from({ length: 40 }, (_, n) => `a${n}: __typename`).join(' ')} }`) },
    ],
    ['a document that is too long to be kept', { body: json(`{ __typename } #${'x'.repeat(30_000)}`) }],
  ])('to a body with %s', async (_what, sent) => {
    await expectSame(sent);
    if (sent.headers?.authorization === undefined) await expectSame({ ...sent, token: viewer.token });
  });

  it('to keys, and once a session has ended', async () => {
    const { id, token } = await createPerson(short, admin, 'VIEWER');
    const body = json('{ me { id } executions { nodes { id } } }');
    expect((await expectSame({ body, token })).status).toBe(200);
    const deactivate = 'mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }';
    (await short.gql(deactivate, { id }, admin)).expectData();
    // What the other instance may believe without Redis.
    await until(async () => (await meWith(yoga, token)) !== '200', 'the end of belief');
    expect((await expectSame({ body, token })).text).toContain('TOKEN_REVOKED');
  });
});

describe('once the client is gone', () => {
  it('nothing more of its operation is begun, by either way', async () => {
    const query = `mutation($a: CreateExecutionInput!, $b: CreateExecutionInput!) {
      a: createExecution(input: $a) { execution { id } } b: createExecution(input: $b) { execution { id } } }`;
    for (const [way, server] of Object.entries({ short, yoga })) {
      const input = (name: string) => ({ name: `${way} ${name}`, target: 'x', kind: 'SCA' });
      await server.gql(query, { a: input('known'), b: input('known') }, analyst.token);
      const blocker = new pg.Client({ connectionString: ownerUrlOf(server.databaseUrl) });
      await blocker.connect();
      await blocker.query('BEGIN; LOCK TABLE test_executions IN EXCLUSIVE MODE');
      const controller = new AbortController();
      const id = `gone-${way}`;
      const headers = {
        ...{ 'content-type': 'application/json', 'x-correlation-id': id },
        authorization: `Bearer ${analyst.token}`,
      };
      const body = json(query, { a: input('first'), b: input('second') });
      const { signal } = controller;
      const sent = fetch(`${server.url}/graphql`, { method: 'POST', headers, body, signal }).catch(() => {});
      await untilLocked(server, 1);
      controller.abort();
      await sent;
      const isGone = () => server.logs.some(({ correlationId }) => correlationId === id);
      await until(isGone, 'the server to notice');
      await blocker.query('COMMIT');
      await blocker.end();
      const made = () =>
        server.sql<{ name: string }>(
          `SELECT name FROM test_executions WHERE name IN ('${way} first', '${way} second')`,
        );
      await until(async () => (await made()).length > 0, 'the first');
      await new Promise((resolve) => setTimeout(resolve, 200)); // for a second to begin
      const rows = await made();
      expect(rows.map(({ name }) => name)).toEqual([`${way} first`]);
      expect(server.logs.filter(({ event }) => event === 'internal_error')).toEqual([]);
    }
  });
});

describe('the fast path', () => {
  const schema = buildSchema();
  const planned = (query: string, name: string | undefined) => {
    const operation = getOperationAST(parse(query), name);
    return operation == null ? undefined : planOperation(schema, parse(query), operation, { with: false });
  };
  it.each(operations.filter(({ plan }) => plan !== false).map(({ query, name }) => [query, name] as const))(
    'knows %s',
    (query, name) => {
      expect(planned(query, name)).toBeDefined();
    },
  );

  it('leaves the rest to Yoga', () => {
    const rest = operations.filter(
      ({ plan, query }) => plan === false && !/nonsense|\{ me \{ id \}$/.test(query),
    );
    for (const { query, name } of rest) expect(planned(query, name)).toBeUndefined();
  });
});
