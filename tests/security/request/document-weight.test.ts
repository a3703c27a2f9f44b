// Attack: documents whose page sizes hide in defaults of variables, fragments and nulls, and documents that repeat large
// values until the response fills the memory. ASVS 5.0: 2.4.1, 4.3.1.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type ExecutionResult, parse } from 'graphql';
import { buildSchema } from '../../../src/api/schema.js';
import { checkWeight } from '../../../src/graphql/documents/complexity.js';
import { openSignedInWire } from '../../kit/network/wire.js';
import { addResults, createExecution, createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ RESPONSE_MAX_BYTES: '1000000' });
const analyst = await createPerson(server, await server.signIn(), 'ANALYST');
for (let at = 0; at < 12; at += 1) {
  const id = await startExecution(server, analyst.token, { parameters: { text: 'p'.repeat(50_000) } });
  await addResults(
    server,
    analyst.token,
    id,
    Array.from({ length: 25 }, (_, index) => ({
      title: `r${at}-${index}`,
      severity: 'LOW',
      evidence: 'e'.repeat(500),
    })),
  );
}
await createExecution(server, analyst.token);

const inner = 'nodes { id results(first: $n) { nodes { id execution { id } } } }';
const hidden: [string, string, Record<string, unknown>][] = [
  ['a default', `query($n: Int = 100) { executions(first: $n) { ${inner} } }`, {}],
  [
    'a default, with the variable undefined',
    `query($n: Int = 100) { executions(first: $n) { ${inner} } }`,
    { n: undefined },
  ],
  ['a variable', `query($n: Int) { executions(first: $n) { ${inner} } }`, { n: 100 }],
  ['a literal', `{ executions(first: 100) { ${inner.replace('$n', '100')} } }`, {}],
  ['`last`', `query($n: Int = 100) { executions(last: $n) { ${inner.replace('first', 'last')} } }`, {}],
  [
    'a fragment',
    `query($n: Int = 100) { executions(first: $n) { ...f } } fragment f on ExecutionConnection { ${inner} }`,
    {},
  ],
  ['an inline fragment', `query($n: Int = 100) { executions(first: $n) { ... { ${inner} } } }`, {}],
  [
    'the second of two operations',
    `query A($n: Int = 1) { executions(first: $n) { ...f } } query B($n: Int = 100) { executions(first: $n) { ...f } } fragment f on ExecutionConnection { ${inner} }`,
    {},
  ],
];

describe('a page size that hides in', () => {
  it.each(hidden)('%s counts, over POST, GET and WebSocket', async (_name, query, variables) => {
    const operationName = query.includes('query B') ? 'B' : undefined;
    const headers = { authorization: `Bearer ${analyst.token}`, 'content-type': 'application/json' };
    const post = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ query, variables, operationName }),
    });
    const search = new URLSearchParams({
      query,
      variables: JSON.stringify(variables),
      ...(operationName && { operationName }),
    });
    const get = await fetch(`${server.url}/graphql?${search}`, {
      headers: { authorization: headers.authorization },
    });
    for (const response of [post, get]) {
      const { errors } = (await response.json()) as { errors?: { extensions: { code: string } }[] };
      expect(errors?.[0]?.extensions.code).toBe('QUERY_TOO_COMPLEX');
    }
    const wire = await openSignedInWire(server, analyst.token);
    wire.send({ type: 'subscribe', id: '1', payload: { query, variables, operationName } });
    const message = await wire.next();
    expect(JSON.stringify(message)).toContain('QUERY_TOO_COMPLEX');
    wire.end();
  });

  it('a null is the default size, and a smaller variable lets the same document pass', async () => {
    const query = `query($n: Int = 100) { executions(first: $n) { nodes { id results(first: $n) { nodes { id } } } } }`;
    for (const n of [null, 5]) (await server.gql(query, { n }, analyst.token)).expectData();
  });
});

/** Objects of a response: what the estimate must not lie below. */
function objectsIn(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + objectsIn(item), 0);
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Object.values(value).reduce((sum: number, item) => sum + objectsIn(item), 0);
}

it('the estimate never lies below the objects that come back', async () => {
  const schema = buildSchema();
  const size = fc.oneof(
    fc.record({ kind: fc.constant('literal'), n: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ kind: fc.constant('variable'), n: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ kind: fc.constant('default'), n: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ kind: fc.constant('absent'), n: fc.constant(20) }),
  );
  await fc.assert(
    fc.asyncProperty(
      size,
      size,
      fc.boolean(),
      fc.boolean(),
      fc.constantFrom('nodes', 'edges'),
      async (outer, within, isLast, isFragment, list) => {
        const names = [outer, within].map(({ kind }, at) =>
          kind === 'variable' || kind === 'default' ? `$v${at}` : undefined,
        );
        const variables = Object.fromEntries(
          [outer, within].flatMap(({ kind, n }, at) => (kind === 'variable' ? [[`v${at}`, n]] : [])),
        );
        const declared = [outer, within].flatMap(({ kind, n }, at) =>
          kind === 'variable' ? [`$v${at}: Int`] : kind === 'default' ? [`$v${at}: Int = ${n}`] : [],
        );
        const args = [outer, within].map(({ kind, n }, at) =>
          kind === 'absent' ? '' : `(${isLast ? 'last' : 'first'}: ${names[at] ?? n})`,
        );
        const open = list === 'nodes' ? 'nodes {' : 'edges { cursor node {';
        const shut = list === 'nodes' ? '}' : '} }';
        const body = `${open} id createdBy { id } results${args[1]} { pageInfo { endCursor } ${open} id execution { id } ${shut} } ${shut}`;
        const head = declared.length > 0 ? `query(${declared.join(', ')})` : 'query';
        const query = isFragment
          ? `${head} { executions${args[0]} { ...f } } fragment f on ExecutionConnection { ${body} }`
          : `${head} { executions${args[0]} { ${body} } }`;
        const { body: answer } = await server.gql(query, variables, analyst.token);
        expect(answer.errors).toBeUndefined();
        const objects = objectsIn((answer as ExecutionResult).data);
        expect(checkWeight(schema, parse(query), variables).cost).toBeGreaterThanOrEqual(objects - 1);
      },
    ),
    { numRuns: 60 },
  );
});

describe('large values', () => {
  it('that one document repeats are refused before anything is read', async () => {
    const aliases = Array.from({ length: 29 }, (_, at) => `a${at}: execution { parameters }`).join(' ');
    const answer = await server.gql(`{ results(first: 99) { nodes { ${aliases} } } }`, {}, analyst.token);
    answer.expectError('QUERY_TOO_COMPLEX');
  });

  it('beyond the largest response are refused before they are serialized, on the fast path and through Yoga', async () => {
    const query = '{ results(first: 40) { nodes { execution { parameters } } } }';
    for (const sent of [
      query,
      query,
      `query($x: Boolean = true) ${query.replace('parameters', 'parameters @include(if: $x)')}`,
    ]) {
      const answer = await server.gql(sent, {}, analyst.token);
      expect(answer.expectError('QUERY_TOO_COMPLEX').message).toContain('1,000,000 bytes');
      expect(answer.body.data ?? null).toBeNull();
    }
    (
      await server.gql('{ results(first: 5) { nodes { execution { parameters } } } }', {}, analyst.token)
    ).expectData();
  });
});
