// Attack: reading the schema of a production server, by asking for it or by guessing with its own error messages.
// ASVS 4.3.2 (introspection off, no suggestions) and 16.5.1 (generic messages).
import { expect, it } from '@jest/globals';
import { getIntrospectionQuery } from 'graphql';
import { openSignedInWire } from '../../kit/network/wire.js';
import { comparable } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ INTROSPECTION: 'false' });
const token = await server.signIn();

it('the schema is shown to nobody, not to an admin either, on any transport', async () => {
  for (const query of [
    getIntrospectionQuery(),
    '{ __schema { types { name } } }',
    '{ __type(name: "User") { fields { name } } }',
    '{ me { id } ...F } fragment F on Query { a: __schema { queryType { name } } }',
    'query A { me { id } } query B { __schema { types { name } } }',
  ]) {
    for (const who of [undefined, token]) {
      const answer = await server.gql(query, {}, who);
      answer.expectError(who === undefined ? 'UNAUTHENTICATED' : 'GRAPHQL_VALIDATION_FAILED');
      expect(answer.body.data).toBeUndefined();
    }
    const wire = await openSignedInWire(server, token);
    wire.send({ id: '1', type: 'subscribe', payload: { query } });
    expect((await wire.next()).type).toBe('error');
    wire.end();
  }
});

it('no message proposes a name', async () => {
  for (const [query, variables] of [
    ['{ execution { id } }', {}],
    ['{ mee { id } }', {}],
    ['{ me { emial } }', {}],
    ['{ me { id } user(ids: 1) { id } }', {}],
    ['{ executions(filter: { statuss: [QUEUED] }) { totalCount } }', {}],
    ['{ executions(filter: { status: [QUEUD] }) { totalCount } }', {}],
    ['{ ... on Usr { id } }', {}],
    ['query($x: ExecutionFiltr) { executions(filter: $x) { totalCount } }', {}],
    ['query($x: ExecutionFilter) { executions(filter: $x) { totalCount } }', { x: { status: ['QUEUD'] } }],
    ['query($x: ExecutionFilter) { executions(filter: $x) { totalCount } }', { x: { statuss: ['QUEUED'] } }],
    ['{ me @skp(if: true) { id } }', {}],
    ['mutation { logn { expiresIn } }', {}],
  ] as const) {
    const { body } = await server.gql(query, variables, token);
    expect(body.errors).toBeDefined();
    expect(JSON.stringify(body)).not.toMatch(/did you mean/i);
  }
});

it('an anonymous caller cannot distinguish names that exist from others, however they are tried', async () => {
  const tries: [query: string, variables?: Record<string, unknown>][] = [
    ['{ me { id } }'],
    ['{ mee { id } }'],
    ['{ me }'],
    ['{ me { id { x } } }'],
    ['{ me { emial } }'],
    ['{ __typename users { totalCount } }'],
    ['{ __typename usrs { totalCount } }'],
    ['{ user(id: "usr_1") { id } }'],
    ['{ user(idd: "usr_1") { id } }'],
    ['{ user { id } }'],
    ['{ node(id: 1) { ... on User { id } ... on Usr { id } } }'],
    ['query($x: ExecutionFilter) { executions(filter: $x) { totalCount } }', { x: { status: 'QUEUD' } }],
    ['query($x: ExecutionFiltr) { executions(filter: $x) { totalCount } }'],
    ['{ me users executions results audit admin flag secret password token config }'],
    ['mutation { createUser(input: {}) { user { id } } }'],
    ['mutation { crateUser(input: {}) { user { id } } }'],
    ['mutation { login }\nquery Q { me { id } }'],
    ['fragment F on Usr { id } { me { ...F } }'],
    ['{ __schema { queryType { name } } }'],
  ];
  const headers = { accept: 'application/graphql-response+json' };
  // Twice: a document that is known already must not be answered otherwise.
  for (const bearer of [undefined, undefined, 'x', `${token}x`]) {
    const seen = new Map<string, string>();
    for (const [query, variables] of tries)
      seen.set(query, JSON.stringify(comparable(await server.gql(query, variables, bearer, headers))));
    expect([bearer, new Set(seen.values()).size]).toEqual([bearer, 1]);
    expect([...seen.values()][0]).toMatch(/^\{"status":401,.*"code":"UNAUTHENTICATED"/);
  }
});

it('who signs in learns what is wrong with that, and who is signed in with anything', async () => {
  const wrong = await server.gql('mutation { login(input: { email: "a@b.test" }) { expiresIn } }');
  expect(wrong.expectError('VALIDATION_FAILED').message).toContain('password');
  const known = await server.gql('{ mee { id } }', {}, token);
  expect(known.expectError('GRAPHQL_VALIDATION_FAILED').message).toContain('mee');
  const expired = await server.signIn();
  server.clock.advance(3_600_000);
  for (const query of ['{ me { id } }', '{ mee { id } }'])
    (await server.gql(query, {}, expired)).expectError('TOKEN_EXPIRED');
});
