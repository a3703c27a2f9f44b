// What GraphQL answers when a request, a document or a value is wrong: status, code, path and correlation id.
import { describe, expect, it } from '@jest/globals';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
  body: any;
  code: string | undefined;
}

/** A raw request to the endpoint. */
async function send(init: RequestInit & { path?: string; duplex?: string }): Promise<Answer> {
  const { path = '/graphql', ...rest } = init;
  const response = await fetch(server.url + path, rest);
  const text = await response.text();
  const body = text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text;
  return {
    status: response.status,
    headers: response.headers,
    body,
    code: body.errors?.[0]?.extensions?.code,
  };
}
/** Clients that know GraphQL over HTTP; for the others a fault of the document has the status 200. */
const json = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };
const post = (body: unknown, headers: Record<string, string> = json): Promise<Answer> =>
  send({ method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });

/** Every error carries the correlation id of its answer. */
function expectIds({ headers, body }: Answer): void {
  for (const { extensions } of body.errors) {
    expect(extensions.correlationId).toBe(headers.get('x-correlation-id'));
  }
}

describe('a request that is none', () => {
  it.each([
    ['text/plain', 'text/plain', '{"query":"{ me { id } }"}'],
    ['a form', 'application/x-www-form-urlencoded', 'query=%7Bme%7Bid%7D%7D'],
    ['multipart', 'multipart/form-data; boundary=x', '--x\r\n\r\n--x--'],
    ['bare GraphQL', 'application/graphql', '{ me { id } }'],
    ['XML', 'application/xml', '<x/>'],
    ['a look-alike', 'application/jsonp', '{"query":"{ me { id } }"}'],
  ])('is refused as %s with 415', async (_what, type, body) => {
    const answer = await post(body, { 'content-type': type });
    expect([answer.status, answer.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    expectIds(answer);
  });

  it('is refused without a content type', async () => {
    const answer = await send({
      method: 'POST',
      body: new Uint8Array(Buffer.from('{"query":"{ me { id } }"}')),
    });
    expect([answer.status, answer.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });

  it('is refused by other methods with 405 and what is allowed', async () => {
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const answer = await send({ method, headers: json, body: '{"query":"{ me { id } }"}' });
      expect([method, answer.status, answer.code]).toEqual([method, 405, 'METHOD_NOT_ALLOWED']);
      expect(answer.headers.get('allow')).toBe('GET, HEAD, POST, OPTIONS');
    }
  });

  it('is refused when the body is no JSON object with a query', async () => {
    for (const body of ['', '{', 'null', '"x"', '7', '{}', '{"query":7}', '{"query":""}', '{"query":null}']) {
      const answer = await post(body);
      expect([body, answer.status]).toEqual([body, 400]);
      expect([body, answer.code]).toEqual([body, expect.stringMatching(/^(VALIDATION_FAILED|GRAPHQL_\w+)$/)]);
      expectIds(answer);
    }
  });

  it('is refused when variables are no object or the operation is not there', async () => {
    for (const body of [
      { query: '{ me { id } }', variables: 'x' },
      { query: '{ me { id } }', variables: [] },
      { query: 'query A { me { id } } query B { me { id } }' },
      { query: 'query A { me { id } }', operationName: 'B' },
    ]) {
      const answer = await post(body);
      expect([body, answer.status]).toEqual([body, 400]);
      expect(answer.code).toMatch(/^(VALIDATION_FAILED|GRAPHQL_VALIDATION_FAILED)$/);
    }
  });

  it('is refused as a batch', async () => {
    const answer = await post([{ query: '{ me { id } }' }, { query: '{ me { id } }' }]);
    expect([answer.status, answer.code]).toEqual([400, 'VALIDATION_FAILED']);
  });

  it('is refused when it is too large, with and without its length', async () => {
    const body = JSON.stringify({ query: '{ me { id } }', variables: { x: 'x'.repeat(11_000_000) } });
    const told = await post(body);
    expect([told.status, told.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expectIds(told);
    const stream = new Blob([body]).stream();
    const untold = await send({ method: 'POST', headers: json, body: stream, duplex: 'half' });
    expect([untold.status, untold.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    // Closed while it is being written to, the connection would take the refusal with it.
    for (const { headers } of [told, untold]) expect(headers.get('connection')).not.toBe('close');
    for (const _ of [1, 2, 3]) expect((await post({ query: '{ __typename }' })).status).toBe(200);
  });
});

describe('GET', () => {
  const get = (query: string, headers: Record<string, string> = {}) =>
    send({
      path: `/graphql?query=${encodeURIComponent(query)}`,
      headers: { accept: 'application/json', ...headers },
    });

  it('answers queries, with variables and a token', async () => {
    const answer = await get('{ me { role } }', { authorization: `Bearer ${token}` });
    expect([answer.status, answer.body]).toEqual([200, { data: { me: { role: 'ADMIN' } } }]);
  });

  it('refuses mutations with 405', async () => {
    const answer = await get('mutation { logout(everywhere: true) { revokedSessions } }', {
      authorization: `Bearer ${token}`,
    });
    expect([answer.status, answer.code]).toEqual([405, 'METHOD_NOT_ALLOWED']);
    expect(answer.headers.get('allow')).toContain('POST');
    (await server.gql('{ me { id } }', {}, token)).expectData();
  });

  it('without a query is refused with 400', async () => {
    const answer = await send({ headers: { accept: 'application/json' } });
    expect(answer.status).toBe(400);
    expectIds(answer);
  });
});

describe('a document that is wrong', () => {
  it('in its syntax is GRAPHQL_PARSE_FAILED with the place', async () => {
    for (const query of [
      '{',
      '{ me { id }',
      'quarry { me }',
      '{ me(id: ) { id } }',
      '\u0000',
      '{ \ud800 }',
    ]) {
      const answer = await post({ query });
      expect([query, answer.status, answer.code]).toEqual([query, 400, 'GRAPHQL_PARSE_FAILED']);
      expect(answer.body.errors[0].locations).toEqual([expect.objectContaining({ line: 1 })]);
      expectIds(answer);
    }
  });

  it('for the schema is GRAPHQL_VALIDATION_FAILED', async () => {
    for (const query of [
      '{ nothing }',
      '{ me { nothing } }',
      '{ me }',
      '{ me(x: 1) { id } }',
      '{ user { id } }',
      'query($x: Int) { me { id } }',
      '{ user(id: $x) { id } }',
      'query($x: Int!) { user(id: $x) { id } }',
      '{ ...F }',
      'fragment F on User { id } { me { id } }',
      'query($x: Nothing) { users(first: $x) { totalCount } }',
    ]) {
      const answer = await post({ query });
      expect([query, answer.status, answer.code]).toEqual([query, 400, 'GRAPHQL_VALIDATION_FAILED']);
      expectIds(answer);
    }
  });

  it('gets the correlation id of each request that sends it, also from the cache', async () => {
    const ids = new Set<string>();
    for (const _ of [1, 2, 3]) {
      const answer = await post({ query: '{ nothing }' });
      expectIds(answer);
      ids.add(answer.body.errors[0].extensions.correlationId);
    }
    expect(ids.size).toBe(3);
  });

  it('in several ways has an error for each', async () => {
    const answer = await post({ query: '{ me { a b } }' });
    expect(answer.body.errors).toHaveLength(2);
    expectIds(answer);
  });

  it('has the status 200 for clients that accept no more than JSON', async () => {
    const plain = { 'content-type': 'application/json', accept: 'application/json' };
    for (const [query, variables] of [
      ['{', {}],
      ['{ nothing }', {}],
      ['{ users(first: "x") { totalCount } }', {}],
      ['query($id: ID!) { user(id: $id) { id } }', {}],
    ] as const) {
      const answer = await post({ query, variables }, plain);
      expect([query, answer.status]).toEqual([query, 200]);
      expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
      expectIds(answer);
    }
    expect((await post('{', plain)).status).toBe(400);
    expect((await post({}, plain)).status).toBe(400);
  });

  it('is refused when it asks too deep, too often or too long', async () => {
    const deep = `{ node(id: "x") { ... on TestExecution ${'{ results { nodes { execution '.repeat(6)}{ id }${' } } }'.repeat(6)} } }`;
    const aliases = `{ ${Array.from({ length: 50 }, (_, index) => `a${index}: me { id }`).join(' ')} }`;
    const long = `{ me { ${'id '.repeat(3000)} } }`;
    for (const query of [deep, aliases, long]) {
      const answer = await post({ query }, { ...json, authorization: `Bearer ${token}` });
      expect(answer.status).toBe(400);
      expect([answer.code, answer.body.errors[0].message]).toEqual([
        'QUERY_TOO_COMPLEX',
        expect.stringMatching(/^The document (is deeper|has more) than \d+ (fields|aliases|tokens)\.$/),
      ]);
      expectIds(answer);
    }
  });
});

describe('a value that is wrong', () => {
  const users =
    'query($first: Int, $filter: UserFilter) { users(first: $first, filter: $filter) { totalCount } }';

  it('in a variable is VALIDATION_FAILED with its path, before anything runs', async () => {
    for (const [path, variables] of [
      ['first', { first: 'x' }],
      ['first', { first: 2 ** 40 }],
      ['filter.role', { filter: { role: 'ROOT' } }],
      ['filter.search', { filter: { search: ['a; b'] } }],
      ['filter.nothing', { filter: { nothing: 1 } }],
      ['filter', { filter: 'x' }],
    ] as const) {
      const answer = await post({ query: users, variables }, { ...json, authorization: `Bearer ${token}` });
      expect([path, answer.status, answer.code]).toEqual([path, 400, 'VALIDATION_FAILED']);
      expect(answer.body.errors[0].extensions.fields).toEqual([{ path, message: expect.any(String) }]);
      expect(answer.body.data).toBeUndefined();
      expectIds(answer);
    }
  });

  it('that is a missing or null variable is VALIDATION_FAILED with its path', async () => {
    for (const variables of [{}, { id: null }, undefined]) {
      const answer = await post({ query: 'query($id: ID!) { user(id: $id) { id } }', variables });
      expect([answer.status, answer.code]).toEqual([400, 'VALIDATION_FAILED']);
      expect(answer.body.errors[0].extensions.fields[0].path).toBe('id');
    }
  });

  it('in a literal is VALIDATION_FAILED with its path, also within lists', async () => {
    for (const [path, query] of [
      ['first', '{ users(first: "x") { totalCount } }'],
      ['filter.role', '{ users(filter: { role: ROOT }) { totalCount } }'],
      ['filter.nothing', '{ users(filter: { nothing: 1 }) { totalCount } }'],
      ['filter.status.1', '{ executions(filter: { status: [QUEUED, "x"] }) { totalCount } }'],
      [
        'input.results.1.severity',
        'mutation { addResults(input: { executionId: "x", results: [{ title: "a", severity: LOW }, { title: "b", severity: WORST }] }) { added } }',
      ],
      [
        'input.results.0.severity',
        'mutation { addResults(input: { executionId: "x", results: [{ title: "a" }] }) { added } }',
      ],
      ['filter.after', '{ auditEvents(filter: { after: "soon" }) { totalCount } }'],
    ] as const) {
      const answer = await post({ query });
      expect([query, answer.status, answer.code]).toEqual([query, 400, 'VALIDATION_FAILED']);
      expect(answer.body.errors[0].extensions.fields).toEqual([{ path, message: expect.any(String) }]);
      expectIds(answer);
    }
  });

  it('is not repeated in the message', async () => {
    const query = 'mutation($input: LoginInput!) { login(input: $input) { expiresIn } }';
    const answer = await post({
      query,
      variables: { input: { email: 'x', password: 'hush hush', surplus: 1 } },
    });
    expect(answer.body.errors[0].message).toBe(
      'input.surplus: Field "surplus" is not defined by type "LoginInput".',
    );
    expect(JSON.stringify(answer.body)).not.toContain('hush hush');
  });

  it('with NUL or a lone surrogate is VALIDATION_FAILED, in variables and in literals', async () => {
    for (const text of ['a\u0000b', 'a\ud800b', '\udc00']) {
      const asVariable = await post(
        { query: users, variables: { filter: { search: text } } },
        { ...json, authorization: `Bearer ${token}` },
      );
      const escaped = [...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
      const asLiteral = await post(
        { query: `{ users(filter: { search: "${escaped}" }) { totalCount } }` },
        { ...json, authorization: `Bearer ${token}` },
      );
      expect(asVariable.code).toBe('VALIDATION_FAILED');
      expect(asLiteral.code).toMatch(/^(VALIDATION_FAILED|GRAPHQL_PARSE_FAILED)$/);
    }
  });
});
