// Input at and beyond its limits: lengths, formats, odd Unicode, JSON that is deep, huge or hostile. Never a 500.
import { describe, expect, it } from '@jest/globals';
import { createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const analyst = await createPerson(server, await server.signIn(), 'ANALYST');
const run = await startExecution(server, analyst.token);

const addMutation = 'mutation($input: AddResultsInput!) { addResults(input: $input) { added } }';
const createMutation =
  'mutation($input: CreateExecutionInput!) { createExecution(input: $input) { execution { parameters } } }';
let counter = 0;

/** A result like no other, with these fields. */
function add(fields: Record<string, unknown>) {
  counter += 1;
  const results = [{ title: 'T', severity: 'LOW', fingerprint: `p${counter}`, ...fields }];
  return server.gql(addMutation, { input: { executionId: run, results } }, analyst.token);
}

const create = (fields: Record<string, unknown>) =>
  server.gql(createMutation, { input: { name: 'n', target: 't', kind: 'DAST', ...fields } }, analyst.token);

/** Sends a body as it is written. */
const send = (body: string) => server.rest('POST', '/graphql', { body, token: analyst.token });
const sendParameters = (json: string) =>
  send(
    `{"query":${JSON.stringify(createMutation)},"variables":{"input":{"name":"n","target":"t","kind":"DAST","parameters":${json}}}}`,
  );

async function storedNames(): Promise<unknown> {
  const rows = await server.sql<{ count: number }>('SELECT count(*)::int AS count FROM test_executions');
  return rows[0]?.count;
}

const wave = '\u{1F30A}';
const a = (size: number) => 'a'.repeat(size);

describe('the fields of a result', () => {
  const location = (fields: Record<string, unknown>) => ({ location: fields });
  it.each([
    ['titles', { title: a(500) }, { title: a(501) }, 'title'],
    ['descriptions', { description: a(20_000) }, { description: a(20_001) }, 'description'],
    ['rules', { ruleId: a(300) }, { ruleId: a(301) }, 'ruleId'],
    ['evidence', { evidence: a(50_000) }, { evidence: a(50_001) }, 'evidence'],
    ['remedies', { remediation: a(20_000) }, { remediation: a(20_001) }, 'remediation'],
    ['fingerprints', { fingerprint: a(200) }, { fingerprint: a(201) }, 'fingerprint'],
    ['CWE numbers', { cweIds: [1, 99_999] }, { cweIds: [79, 100_000] }, 'cweIds.1'],
    ['many CWE numbers', { cweIds: Array(50).fill(79) }, { cweIds: Array(51).fill(79) }, 'cweIds'],
    ['CVE ids', { cveIds: ['CVE-2021-44228'] }, { cveIds: ['CVE-2021-1'] }, 'cveIds.0'],
    [
      'long CVE ids',
      { cveIds: ['CVE-2021-1234567890123456789'] },
      { cveIds: ['CVE-2021-12345678901234567890'] },
      'cveIds.0',
    ],
    ['tags', { tags: [a(100)] }, { tags: ['ok', a(101)] }, 'tags.1'],
    ['many tags', { tags: Array(50).fill('x') }, { tags: Array(51).fill('x') }, 'tags'],
    ['references', { references: [a(2000)] }, { references: [a(2001)] }, 'references.0'],
    ['paths', location({ path: a(2000) }), location({ path: a(2001) }), 'location.path'],
    ['lines', location({ startLine: 1 }), location({ startLine: 0 }), 'location.startLine'],
    ['last lines', location({ endLine: 2 ** 31 - 1 }), location({ endLine: 2 ** 31 }), 'location.endLine'],
    ['addresses', location({ url: a(4000) }), location({ url: a(4001) }), 'location.url'],
    ['methods', location({ method: a(20) }), location({ method: a(21) }), 'location.method'],
  ])('has limits for %s', async (_name, good, bad, path) => {
    expect((await add(good)).expectData().addResults.added).toBe(1);
    const error = (await add(bad)).expectError('VALIDATION_FAILED');
    expect(error.extensions.fields).toEqual([
      { path: `input.results.0.${path}`, message: expect.any(String) },
    ]);
  });

  it.each([
    'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H',
    'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:Z',
    'CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H',
    'CVSS:4.0/AV:N',
    'CVSS:2.0/AV:N/AC:L/Au:N/C:P/I:P',
    'AV:N/AC:L/Au:N/C:P/I:P/A:Z',
    'constructor/AV:N',
    '9.8',
  ])('has no room for the vector %s', async (cvssVector) => {
    const before = await server.sql('SELECT count(*) FROM test_results');
    const results = [
      { title: 'fine', severity: 'LOW', fingerprint: 'never kept' },
      { title: 'not fine', severity: 'LOW', cvssVector },
    ];
    const answer = await server.gql(addMutation, { input: { executionId: run, results } }, analyst.token);
    expect(answer.expectError('VALIDATION_FAILED').extensions.fields).toEqual([
      { path: 'input.results.1.cvssVector', message: expect.any(String) },
    ]);
    expect(await server.sql('SELECT count(*) FROM test_results')).toEqual(before);
  });
});

describe('odd text', () => {
  it('keeps any script, emoji and line breaks as they are', async () => {
    const text = `${wave}\u{1F468}\u200D\u{1F469} שלום 中文 ﷽\r\n\t\u007f\u0001 \\u0000 \u{10FFFF}\uFFFE`;
    const answer = await server.gql(
      `mutation($id: ID!, $text: String!) { addResults(input: { executionId: $id, results: [{ title: "odd", severity: INFO, evidence: $text, tags: ["${wave}"] }] }) {
         execution { results(first: 1) { nodes { evidence tags } } } } }`,
      { id: run, text },
      analyst.token,
    );
    const [kept] = answer.expectData().addResults.execution.results.nodes;
    expect(kept).toEqual({ evidence: text, tags: [wave] });
  });

  it.each([
    ['NUL', '\\u0000'],
    ['a lone high surrogate', '\\ud800'],
    ['a lone low surrogate', 'x\\udc00y'],
    ['surrogates the wrong way round', '\\udc00\\ud800'],
  ])('is refused with %s, wherever it is', async (_name, escaped) => {
    const bad = JSON.parse(`"${escaped}"`) as string;
    const before = [await storedNames(), await server.sql('SELECT count(*) FROM test_results')];
    for (const [answer, path] of [
      [await create({ name: bad }), 'input.name'],
      [await create({ tool: `x${bad}` }), 'input.tool'],
      [await create({ idempotencyKey: bad }), 'input.idempotencyKey'],
      [await create({ parameters: { deep: [{ text: bad }] } }), 'input.parameters'],
      [await create({ parameters: { [bad]: 1 } }), 'input.parameters'],
      [await add({ title: bad }), 'input.results.0.title'],
      [await add({ evidence: `a\n${bad}` }), 'input.results.0.evidence'],
      [await add({ tags: ['x', bad] }), 'input.results.0.tags.1'],
      [await add({ location: { url: bad } }), 'input.results.0.location.url'],
    ] as const) {
      expect(answer.expectError('VALIDATION_FAILED').extensions.fields).toEqual([
        { path, message: expect.stringMatching(/Unicode|control/) },
      ]);
    }
    expect([await storedNames(), await server.sql('SELECT count(*) FROM test_results')]).toEqual(before);
  });

  it('is refused in documents too', async () => {
    for (const text of ['\\u{D800}', '\\uD800', '\\uDC00']) {
      const document = `mutation { createExecution(input: { name: "${text}", target: "t", kind: DAST }) { execution { id } } }`;
      (await server.gql(document, {}, analyst.token)).expectError('GRAPHQL_PARSE_FAILED');
    }
    const withNul =
      'mutation { createExecution(input: { name: "\\u0000", target: "t", kind: DAST }) { execution { id } } }';
    const error = (await server.gql(withNul, {}, analyst.token)).expectError('VALIDATION_FAILED');
    expect(error.extensions.fields?.[0]?.path).toBe('input.name');
  });

  it('is refused as id, cursor and search without a stumble', async () => {
    for (const bad of ['\0', '\ud800', wave, `exe_${'0'.repeat(35)}\0`, a(100_000)]) {
      for (const query of [
        'query($text: ID!) { execution(id: $text) { id } }',
        'query($text: ID!) { node(id: $text) { id } }',
        'query($text: ID!) { results(filter: { executionId: $text }) { nodes { id } } }',
      ]) {
        (await server.gql(query, { text: bad }, analyst.token)).expectError('VALIDATION_FAILED');
      }
      const cursor = 'query($text: String) { executions(after: $text) { nodes { id } } }';
      (await server.gql(cursor, { text: bad }, analyst.token)).expectError('VALIDATION_FAILED');
    }
  });
});

describe('the parameters of an execution', () => {
  const refusal = async (json: string) => {
    const before = await storedNames();
    const { status, body } = await sendParameters(json);
    expect([status, body.errors?.[0]?.extensions.code]).toEqual([200, 'VALIDATION_FAILED']);
    expect(body.errors).toHaveLength(1);
    expect(body.errors[0].extensions.fields).toEqual([
      { path: 'input.parameters', message: expect.any(String) },
    ]);
    expect(await storedNames()).toBe(before);
    return body.errors[0].extensions.fields[0].message;
  };
  const nest = (depth: number, open: string, close: string) =>
    `{"a":${open.repeat(depth - 1)}1${close.repeat(depth - 1)}}`;

  it('come back as they were given', async () => {
    for (const parameters of [
      {},
      { '': '', ' ': null, ключ: [], [wave]: [[], {}] },
      { int: 2 ** 53 - 1, half: 2 ** 51 + 0.5, negative: -0.000_001, min: 5e-324 },
      { constructor: 1, hasOwnProperty: 2, toString: { valueOf: 3 }, $ref: '#', 'a.b': 1, "'; --": 1 },
      { escaped: '\\u0000 is not NUL, \\ud800 neither', controls: '\u0001\u001f\b\f\n\r\t"\\/' },
    ]) {
      const answer = (await create({ parameters })).expectData().createExecution.execution;
      expect(answer.parameters).toEqual(parameters);
    }
  });

  it('keep keys that mean something to JavaScript, and change nothing else', async () => {
    const json = '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}';
    const { body } = await sendParameters(json);
    expect(JSON.stringify(body.data.createExecution.execution.parameters)).toBe(
      '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}',
    );
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    const literal =
      'mutation { createExecution(input: { name: "n", target: "t", kind: DAST, parameters: { __proto__: { a: 1 } } }) { execution { parameters } } }';
    const written = await server.rest('POST', '/graphql', { body: { query: literal }, token: analyst.token });
    expect(JSON.stringify(written.body.data)).toContain('"parameters":{"__proto__":{"a":1}}');
  });

  it.each(['[]', '"text"', '1', 'true', '[{"a":1}]', 'false', '0', '""'])(
    'must be an object, not %s',
    async (json) => {
      expect(await refusal(json)).toBe('must be a JSON object');
    },
  );

  it('are at most 64 KiB', async () => {
    const fits = { text: a(65_536 - '{"text":""}'.length) };
    expect((await create({ parameters: fits })).expectData().createExecution.execution.parameters).toEqual(
      fits,
    );
    const tooLarge = 'must be at most 64 KiB of JSON';
    expect(await refusal(JSON.stringify({ text: `${fits.text}a` }))).toBe(tooLarge);
    expect(await refusal(JSON.stringify({ text: '語'.repeat(22_000) }))).toBe(tooLarge);
    expect(await refusal(JSON.stringify({ text: a(5_000_000) }))).toBe(tooLarge);
  });

  it('are at most 64 KiB for the database too, which writes numbers out', async () => {
    const numbers = Array.from({ length: 1000 }, () => '1e-300').join(',');
    expect(await refusal(`{"a":[${numbers}]}`)).toBe('must be at most 64 KiB of JSON');
    const ones = Array.from({ length: 32_000 }, () => 1);
    (await create({ parameters: { ones } })).expectData();
  });

  it('have numbers that are finite', async () => {
    for (const number of ['1e999', '-1e999']) {
      expect(await refusal(`{"a":[{"b":${number}}]}`)).toMatch(/range of doubles/);
    }
  });

  it.each([
    '9007199254740992',
    '9007199254740993',
    '-9007199254740993',
    '12345678901234567890',
    '1000000000000000000001',
    '9007199254740993.0',
    '1e21',
  ])(
    'are refused with the integer %s, which would lose digits: as a variable and as a literal',
    async (number) => {
      const wanted = /^must not have integers beyond ±9007199254740991 .* send them as strings$/;
      expect(await refusal(`{"a":[{"b":${number}}]}`)).toMatch(wanted);
      const create = (parameters: string) =>
        `createExecution(input: { name: "n", target: "t", kind: DAST, parameters: ${parameters} }) { execution { parameters } }`;
      const literal = await server.gql(
        `mutation { ${create(`{ a: [{ b: ${number} }] }`)} }`,
        {},
        analyst.token,
      );
      expect(literal.expectError('VALIDATION_FAILED').extensions.fields?.[0]?.message).toMatch(wanted);
      const within = `mutation($n: JSON) { ${create('{ a: $n }')} }`;
      const query = JSON.stringify(within);
      expect(
        (await send(`{"query":${query},"variables":{"n":[${number}]}}`)).body.errors[0].extensions,
      ).toMatchObject({
        ...{ code: 'VALIDATION_FAILED', fields: [{ message: expect.stringMatching(wanted) }] },
      });
    },
  );

  it('keep the largest integers that JSON keeps, and long ones as text', async () => {
    const parameters = {
      most: Number.MAX_SAFE_INTEGER,
      least: Number.MIN_SAFE_INTEGER,
      long: '12345678901234567890',
    };
    expect((await create({ parameters })).expectData().createExecution.execution.parameters).toEqual(
      parameters,
    );
  });

  it('are nested at most 32 deep', async () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      expect((await sendParameters(nest(32, open, close))).body.errors).toBeUndefined();
      for (const depth of [33, 1000, 100_000]) {
        expect(await refusal(nest(depth, open, close))).toBe('must be nested at most 32 deep');
      }
    }
  });

  it('do not bring the server down when a document or body is 100,000 deep', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const document = `mutation { createExecution(input: { name: "n", target: "t", kind: DAST, parameters: { a: ${deep} } }) { execution { id } } }`;
    const answer = await server.gql(document, {}, analyst.token);
    answer.expectError('QUERY_TOO_COMPLEX');
    for (const depth of [40, 90, 500, 900]) {
      const list = document.replace(deep, `${'['.repeat(depth)}${']'.repeat(depth)}`);
      const code = depth < 100 ? 'VALIDATION_FAILED' : 'QUERY_TOO_COMPLEX';
      const known = (await server.gql(list, {}, analyst.token)).expectError(code);
      if (depth < 100) expect(known.extensions.fields?.[0]?.path).toBe('input.parameters');
      const selection = `{ ${'a{'.repeat(depth)} id ${'}'.repeat(depth)} }`;
      const refused = await server.gql(selection, {}, analyst.token);
      expect(refused.body.errors?.[0]?.extensions.code).toMatch(/^GRAPHQL_|^QUERY_TOO_COMPLEX$/);
    }
    for (const body of [deep, `{"query":"{ me { id } }","variables":${deep}}`, `{"query":${deep}}`]) {
      const { status } = await send(body);
      expect(status).toBe(400);
    }
    const variable = await send(
      `{"query":"query($id: ID!) { execution(id: $id) { id } }","variables":{"id":${deep}}}`,
    );
    expect(variable.body.errors[0].extensions.code).toBe('VALIDATION_FAILED');
    expect((await server.gql('{ me { id } }', {}, analyst.token)).expectData().me.id).toBe(analyst.id);
  });
});

describe('no odd input', () => {
  it('was logged as an internal error', () => {
    expect(server.logs.filter(({ event }) => event === 'internal_error')).toEqual([]);
  });
});
