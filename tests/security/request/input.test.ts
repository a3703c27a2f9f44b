// Attack: input that means more to the server than it should: operators instead of text, fields nobody asked for,
// SQL, other types; the same value must be refused alike over REST and GraphQL. ASVS 1.2.4, 2.2.1, 2.2.2, 15.3.3, 15.3.5, 16.4.1.
import { describe, expect, it } from '@jest/globals';
import { admin } from '../../kit/harness.js';
import { createExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ RATE_LIMIT_ANONYMOUS_PER_MINUTE: '0', RATE_LIMIT_PER_MINUTE: '0' });
const token = await server.signIn();
await createExecution(server, token, { name: 'one' });

const login = 'mutation($input: LoginInput!) { login(input: $input) { expiresIn } }';
const refresh =
  'mutation($refreshToken: String!) { refreshToken(refreshToken: $refreshToken) { expiresIn } }';
const good = { email: admin.email, password: admin.password };
const notText = [
  7,
  true,
  null,
  [],
  ['x'],
  {},
  { not: '' },
  { startsWith: '' },
  { contains: 'a', mode: 'insensitive' },
  { $ne: null },
  { equals: 'x' },
];

describe('the same bad value', () => {
  it.each([
    ...notText.map((value) => ({ ...good, email: value })),
    ...notText.map((value) => ({ ...good, password: value })),
    { email: good.email },
    { ...good, role: 'ADMIN' },
    { ...good, id: 'x' },
    { ...good, isActive: true },
    { ...good, passwordHash: 'x' },
    { ...good, constructor: 1 },
    { ...good, email: '' },
    { ...good, email: 'a\0b@c.test' },
    { ...good, email: 'no address' },
    { ...good, email: `${'a'.repeat(300)}@b.test` },
    { ...good, password: '' },
    { ...good, password: 'x'.repeat(5000) },
    { ...good, password: 'a\0b' },
  ])('is refused alike when signing in over REST and GraphQL: %j', async (input) => {
    const rest = await server.rest('POST', '/api/v1/auth/login', { body: input });
    const graphql = await server.gql(login, { input });
    expect([rest.status, rest.body.code]).toEqual([400, 'VALIDATION_FAILED']);
    graphql.expectError('VALIDATION_FAILED');
    expect(rest.body.errors[0].path).not.toBe('');
    expect(graphql.body.data?.login ?? null).toBeNull();
  });

  it.each(notText)('is refused alike when refreshing over REST and GraphQL: %j', async (refreshToken) => {
    const rest = await server.rest('POST', '/api/v1/auth/refresh', { body: { refreshToken } });
    expect([rest.status, rest.body.code]).toEqual([400, 'VALIDATION_FAILED']);
    (await server.gql(refresh, { refreshToken })).expectError('VALIDATION_FAILED');
  });
});

describe('fields that are not one’s to set', () => {
  it.each(['id', 'role', 'status', 'passwordHash', 'createdAt', 'createdById', 'isActive', '__proto__x'])(
    '%s is unknown to every input',
    async (field) => {
      for (const [operation, input] of [
        [
          'mutation($input: CreateExecutionInput!) { createExecution(input: $input) { execution { id } } }',
          { name: 'n', target: 't', kind: 'DAST' },
        ],
        [
          'mutation($input: ChangePasswordInput!) { changePassword(input: $input) { user { id } } }',
          { currentPassword: 'x', newPassword: 'y' },
        ],
        [
          'mutation($input: ReportProgressInput!) { reportProgress(input: $input) { execution { id } } }',
          { executionId: 'x', progress: 1 },
        ],
      ] as const) {
        const error = (
          await server.gql(operation, { input: { ...input, [field]: 'ADMIN' } }, token)
        ).expectError('VALIDATION_FAILED');
        expect(error.extensions.fields?.[0]?.path).toBe(`input.${field}`);
      }
    },
  );
});

describe('numbers', () => {
  it('of a page are 1 to 100', async () => {
    for (const first of [0, -1, 101, 2 ** 31, 1.5, '1']) {
      const answer = await server.gql(
        'query($first: Int) { executions(first: $first) { totalCount nodes { id } } }',
        { first },
        token,
      );
      answer.expectError('VALIDATION_FAILED');
    }
  });
});

describe('SQL in a value', () => {
  const tricks = [
    "' OR 1=1--",
    "'; DROP TABLE users;--",
    '1) OR (1=1',
    '\\',
    '%',
    '_',
    "' UNION SELECT password_hash FROM users--",
    '$1',
    '{{7*7}}',
    "'||pg_sleep(600)||'", // would end at the limit of a statement, as UNAVAILABLE
  ];
  it.each(tricks)('%s is text and no more', async (text) => {
    const found = await server.gql(
      'query($text: String!, $search: String!) { a: executions(filter: { search: $search }) { totalCount nodes { id } } b: executions(filter: { target: $text }) { totalCount } c: users(filter: { search: $text }) { totalCount } d: results(filter: { ruleId: $text }) { totalCount } e: auditEvents(filter: { action: $text }) { totalCount } }',
      { text, search: `${text}nowhere` }, // no index serves a search without three letters in a row
      token,
    );
    const data = found.expectData();
    expect(Object.values(data).map((list) => (list as { totalCount: number }).totalCount)).toEqual([
      0, 0, 0, 0, 0,
    ]);
    for (const query of [
      'query($text: ID!) { execution(id: $text) { id } }',
      'query($text: ID!) { node(id: $text) { id } }',
      'query($text: String) { executions(after: $text) { nodes { id } } }',
    ]) {
      (await server.gql(query, { text }, token)).expectError('VALIDATION_FAILED');
    }
    expect(
      (await server.rest('POST', '/api/v1/auth/login', { body: { email: `${text}@x.test`, password: text } }))
        .status,
    ).toBeLessThan(500);
  });
});

describe('the log', () => {
  it('keeps one line per event, with anything in names and headers', async () => {
    const before = server.logs.length;
    const forged = 'x\r\n{"event":"forged"}\u2028\u001b[31m';
    await server.gql(
      `query Named { executions(filter: { search: ${JSON.stringify('forged\u2028')} }) { totalCount } }`,
      {},
      token,
    );
    await server.rest('POST', '/api/v1/auth/login', {
      body: { email: `${forged}@x.test`, password: forged },
    });
    await server.rest('GET', `/nothing/${encodeURIComponent(forged)}?x=${encodeURIComponent(forged)}`, {
      headers: { 'x-correlation-id': 'a b{}"', 'user-agent': 'x{"event":"forged"}' },
    });
    const lines = server.logs.slice(before);
    expect(lines.length).toBeGreaterThan(2); // each was parsed as one line of JSON by the harness
    expect(lines.filter(({ event }) => event === 'forged')).toEqual([]);
    // What was typed arrives as text within a value, never as a raw control character.
    expect(JSON.stringify(lines)).not.toContain(String.fromCharCode(27));
  });

  it('holds no token that was sent in an address', async () => {
    await server.rest('GET', `/api/v1/auth/me?access_token=${token}`);
    await server.rest('GET', `/graphql?query=%7B__typename%7D&token=${token}`, {
      headers: { accept: 'application/json' },
    });
    expect(JSON.stringify(server.logs)).not.toContain(token);
  });

  it('logs no internal error in all of this', () => {
    expect(server.logs.filter(({ event }) => event === 'internal_error')).toEqual([]);
  });
});
