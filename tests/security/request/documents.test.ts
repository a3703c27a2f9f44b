// Attack: documents that cost more than they weigh (too deep, too many aliases, fragments, directives, circles, large
// pages), on every transport. ASVS 4.3.1 (and 2.4.1): a limit on depth, amount and cost. How long they hold up the server is
// measured by faults/f10-hostile-documents.mjs.
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { documentLimits } from '../../../src/graphql/documents/document-limits.js';
import { openSignedInWire } from '../../kit/network/wire.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ RATE_LIMIT_PER_MINUTE: '0', RATE_LIMIT_ANONYMOUS_PER_MINUTE: '0' });
const token = await server.signIn();
afterEach(() => {
  jest.restoreAllMocks();
});

const times = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => make(index)).join(' ');
const nestedPages = 'executions(first: 100) { nodes { results(first: 100) { nodes { id } } } }';

/** Name → what the refusal names, which limit that is; and the document. */
const hostile: Record<string, [limit: string, document: string]> = {
  'selections 5,000 deep': ['nested too deeply', `{ ${'a { '.repeat(5000)}b${' }'.repeat(5000)} }`],
  'selections within the tokens, but too deep': [
    'deeper than 12 fields',
    `{ node(id: "x") { ... on TestExecution ${'{ results { nodes { execution '.repeat(6)}{ id }${' } } }'.repeat(6)} } }`,
  ],
  'depth behind fragments': [
    'deeper than 12 fields',
    `{ me { ...F0 } node(id: "x") { ...A } } ${times(20, (index) => `fragment F${index} on User { sessions { id } ...F${index + 1} }`)} fragment F20 on User { id } fragment A on TestExecution { results { nodes { execution { results { nodes { execution { ...C } } } } } } } fragment C on TestExecution { results { nodes { execution { results { nodes { execution { id } } } } } } }`,
  ],
  '10,000 fragments': [
    'longer than 200000 characters',
    `{ ...F0 } ${times(10_000, (index) => `fragment F${index} on Query { ...F${index + 1} }`)}`,
  ],
  '10,000 aliases': ['30 aliases', `{ ${times(10_000, (index) => `a${index}: me { id }`)} }`],
  '10,000 aliases of __typename': ['30 aliases', `{ ${times(10_000, (index) => `a${index}: __typename`)} }`],
  '101 sign-ins under aliases': [
    '30 aliases',
    `mutation { ${times(101, (index) => `a${index}: login(input: { email: "a@b.test", password: "x" }) { expiresIn }`)} }`,
  ],
  'a list nested 20,000 times': [
    'nested too deeply',
    `{ executions(filter: { status: ${'['.repeat(20_000)}${']'.repeat(20_000)} }) { totalCount } }`,
  ],
  'an object nested 20,000 times': [
    'nested too deeply',
    `{ executions(filter: ${'{a:'.repeat(20_000)}1${'}'.repeat(20_000)}) { totalCount } }`,
  ],
  'a list type nested 20,000 times': [
    'nested too deeply',
    `query($x: ${'['.repeat(20_000)}Int${']'.repeat(20_000)}) { me { id } }`,
  ],
  'brackets that never close': ['nested too deeply', '{'.repeat(100_000)],
  '5,000 directives on a field': [
    '5 directives on one field',
    `{ me { id ${'@skip(if: false) '.repeat(5000)} } }`,
  ],
  '5,000 directives nobody knows': ['5 directives on one field', `{ me ${'@aa'.repeat(5000)} { id } }`],
  '5,000 directives on an operation': [
    '5 directives on one field',
    `query ${'@a '.repeat(5000)} { me { id } }`,
  ],
  '10 directives nobody knows on a field, an error each (graphql-cop)': [
    '5 directives on one field',
    'query cop { __typename @aa@aa@aa@aa@aa@aa@aa@aa@aa@aa }',
  ],
  'directives with arguments on a fragment': [
    '5 directives on one field',
    `query($a: Boolean!) { ... ${'@skip(if: $a) '.repeat(6)} { me { id } } }`,
  ],
  '60 directives on fields of their own': [
    '50 directives',
    `{ me { ${'id @skip(if: false) '.repeat(60)} } }`,
  ],
  'the same field 10,000 times': ['2000 tokens', `{ me { ${'id '.repeat(10_000)} } }`],
  'the same object 2,000 times': ['2000 tokens', `{ ${'me { id } '.repeat(2000)} }`],
  '500 inline fragments': ['100 uses of fragments', `{ ${'... on Query { me { id } } '.repeat(500)} }`],
  '1,000 operations': ['2000 tokens', times(1000, (index) => `query Q${index} { me { id } }`)],
  '1,000 variables': ['2000 tokens', `query(${times(1000, (index) => `$v${index}: Int`)}) { me { id } }`],
  'as many fields as fit, all alike': ['30 fields of one name', `{ me { ${'id nothing '.repeat(990)} } }`],
  'as many arguments as fit, all alike': ['2000 tokens', `{ me { ${'id(a:1) '.repeat(380)} } }`],
  'as many objects as fit, all alike': ['30 fields of one name', `{ ${'me { id nothing } '.repeat(390)} }`],
  'fragments that all use each other': [
    '30 fields of one name',
    `{ ${times(9, (a) => `...F${a}`)} } ${times(9, (a) => `fragment F${a} on Query { me { id nothing } ${times(9, (b) => (a === b ? '' : `...F${b}`))} }`)}`,
  ],
  'fields that clash, in fragments': [
    '30 fields of one name',
    `{ ${times(20, (a) => `...F${a}`)} } ${times(20, (a) => `fragment F${a} on Query { ${times(8, (b) => `x: user(id: "${a}${b}") { id name }`)} }`).replaceAll('x:', '')}`,
  ],
  'comments only': ['5,000 lines', '#\n'.repeat(90_000)],
  'commas and blanks only': ['longer than 200000 characters', ', '.repeat(250_000)],
  'pages within pages': ['more than 10,000', `{ ${nestedPages} }`],
  'pages within pages, in a fragment': [
    'more than 10,000',
    `{ executions(first: 100) { nodes { ...R } } } fragment R on TestExecution { results(last: 100) { nodes { id } } }`,
  ],
};
const circles: Record<string, string> = {
  'a fragment within itself': '{ me { ...A } } fragment A on User { id ...A }',
  'fragments within each other':
    '{ me { ...A } } fragment A on User { ...B } fragment B on User { ...C } fragment C on User { ...A }',
  'a circle below a field':
    '{ node(id: "x") { ...A } } fragment A on TestExecution { results { nodes { execution { ...A } } } }',
};

/** [status or kind of message, code, data, message] */
type Outcome = [unknown, string | undefined, unknown, string | undefined];
function outcomeOf(
  status: unknown,
  body: { data?: unknown; errors?: { message: string; extensions: { code: string } }[] },
): Outcome {
  const [error] = body.errors ?? [];
  return [status, error?.extensions.code, body.data ?? undefined, error?.message];
}
const json = { 'content-type': 'application/json' };
const authorized = () => ({ authorization: `Bearer ${token}` });

async function overPost(query: string, variables?: unknown): Promise<Outcome> {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { ...json, ...authorized(), accept: 'application/graphql-response+json' },
    body: JSON.stringify({ query, variables }),
  });
  return outcomeOf(response.status, await response.json());
}

async function overEventStream(query: string, variables?: unknown): Promise<Outcome> {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { ...json, ...authorized(), accept: 'text/event-stream' },
    body: JSON.stringify({ query, variables }),
  });
  const text = await response.text();
  const data = /^data: (.*)$/m.exec(text)?.[1] ?? text;
  return outcomeOf(response.status, JSON.parse(data));
}

async function overWebSocket(query: string, variables?: unknown): Promise<Outcome> {
  const wire = await openSignedInWire(server, token);
  wire.send({
    id: '1',
    type: 'subscribe',
    payload: { query, ...(variables !== undefined && { variables }) },
  });
  const answer = await wire.next();
  wire.end();
  return Array.isArray(answer.payload)
    ? outcomeOf(answer.type, { errors: answer.payload })
    : outcomeOf(answer.type, answer.payload);
}

const transports = { HTTP: overPost, 'an event stream': overEventStream, 'a WebSocket': overWebSocket };

/** Names of what resolvers called since it began. */
function watchServices(): string[] {
  const called: string[] = [];
  const { executions, results, users, auth } = server.services;
  const watched = { executions, results, users, auth: { login: auth.login } };
  for (const [service, functions] of Object.entries(watched)) {
    for (const name of Object.keys(functions)) {
      const own = server.services[service as 'auth'] as unknown as Record<
        string,
        (...args: unknown[]) => unknown
      >;
      const original = own[name];
      if (typeof original !== 'function') continue;
      jest.spyOn(own, name).mockImplementation((...args) => {
        called.push(`${service}.${name}`);
        return original(...args);
      });
    }
  }
  return called;
}

describe.each(Object.entries(transports))('over %s', (_transport, ask) => {
  it('what resolvers call is seen', async () => {
    const called = watchServices();
    await ask('{ executions { totalCount } }');
    expect(called).toContain('executions.list');
  });

  it.each(Object.entries(hostile))(
    '%s: refused by its limit, before it costs more, and nothing of it runs',
    async (_name, [limit, query]) => {
      const called = watchServices();
      const [status, code, data, message] = await ask(query);
      expect([code, data, message]).toEqual(['QUERY_TOO_COMPLEX', undefined, expect.stringContaining(limit)]);
      expect(status).not.toBe(500);
      expect(called).toEqual([]);
    },
  );

  it.each(Object.entries(circles))('%s: refused', async (_name, query) => {
    expect((await ask(query)).slice(1, 3)).toEqual(['GRAPHQL_VALIDATION_FAILED', undefined]);
  });

  it('a page whose size comes from a variable counts as what the variable says', async () => {
    const query =
      'query($a: Int, $b: Int) { executions(first: $a) { nodes { results(first: $b) { nodes { id } } } } }';
    expect((await ask(query, { a: 10, b: 100 }))[1]).toBeUndefined();
    expect((await ask(query, { a: 100, b: 100 })).slice(1, 3)).toEqual(['QUERY_TOO_COMPLEX', undefined]);
    expect((await ask(query, { a: 10, b: 100 }))[1]).toBeUndefined();
  });

  it('variables that are nested 1,000 times are refused', async () => {
    const deep = JSON.parse(`${'['.repeat(1000)}${']'.repeat(1000)}`);
    const outcome = await ask('query($f: ExecutionFilter) { executions(filter: $f) { totalCount } }', {
      f: { status: deep },
    });
    expect(outcome.slice(1, 3)).toEqual(['VALIDATION_FAILED', undefined]);
  });
});

describe('limits', () => {
  it('let through what is at them', async () => {
    const { aliases, directives, directivesInRow } = documentLimits;
    expect((await overPost(`{ ${times(aliases, (index) => `a${index}: __typename`)} }`))[1]).toBeUndefined();
    expect((await overPost(`{ ${times(aliases + 1, (index) => `a${index}: __typename`)} }`))[1]).toBe(
      'QUERY_TOO_COMPLEX',
    );
    const both = '@include(if: true) @skip(if: false)';
    const directed = (more = '') =>
      `{ me { ${times(directives / 2, (index) => `${index % 2 ? 'id' : 'name'} ${both}`)} role ${more} } }`;
    expect((await overPost(directed()))[1]).toBeUndefined();
    expect((await overPost(directed('@include(if: true)')))[1]).toBe('QUERY_TOO_COMPLEX');
    const inRow = (count: number) => `{ me { id ${'@include(if: true) '.repeat(count)} name } }`;
    expect((await overPost(inRow(directivesInRow)))[1]).toBe('GRAPHQL_VALIDATION_FAILED');
    expect((await overPost(inRow(directivesInRow + 1)))[1]).toBe('QUERY_TOO_COMPLEX');
  });

  it('hold for GET too', async () => {
    const query = encodeURIComponent(`{ ${times(200, (index) => `a${index}: __typename`)} }`);
    const response = await fetch(`${server.url}/graphql?query=${query}`, {
      headers: { ...authorized(), accept: 'application/json' },
    });
    expect(outcomeOf(response.status, await response.json()).slice(0, 3)).toEqual([
      ...[400, 'QUERY_TOO_COMPLEX', undefined],
    ]);
  });

  it('are not got around by a batch', async () => {
    for (const body of ['[{"query":"{ me { id } }"},{"query":"{ me { id } }"}]', '[]']) {
      const answer = await server.rest('POST', '/graphql', { body, token });
      expect([answer.status, answer.body.errors[0].extensions.code]).toEqual([400, 'VALIDATION_FAILED']);
    }
  });

  it('leave room for what people ask: the schema, and a page of executions with results', async () => {
    const { getIntrospectionQuery } = await import('graphql');
    expect(
      (
        await overPost(
          getIntrospectionQuery({ descriptions: true, inputValueDeprecation: true, specifiedByUrl: true }),
        )
      )[1],
    ).toBeUndefined();
    expect(
      (
        await overPost(
          '{ executions(first: 50) { totalCount nodes { id name createdBy { name } results(first: 20) { nodes { id title severity location { path } } } } } }',
        )
      )[1],
    ).toBeUndefined();
  });

  it('were enough: nothing hostile was met as an internal error, nor reached the database', () => {
    expect(server.logs.filter(({ event }) => event === 'internal_error')).toEqual([]);
  });
});

describe('the cache of documents', () => {
  it('is not filled by a flood of refused ones', async () => {
    const good = '{ me { id name } }';
    expect((await overPost(good))[1]).toBeUndefined();
    for (let index = 0; index < 200; index += 1)
      expect((await overPost(`{ nothing${index} }`))[1]).toBe('GRAPHQL_VALIDATION_FAILED');
    expect((await overPost(good))[1]).toBeUndefined();
  });
});
describe('docs/security.md', () => {
  it('tells every limit with its value', () => {
    const text = readFileSync(new URL('../../../docs/security.md', import.meta.url), 'utf8');
    for (const [name, value] of Object.entries(documentLimits)) {
      expect(text).toContain(`| ${name} | ${value.toLocaleString('en')} |`);
    }
  });
});
