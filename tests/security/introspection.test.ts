// Attack: reading the schema of a production server, by asking for it or by guessing with its own error messages.
// ASVS 4.3.2 (introspection off, no suggestions) and 16.5.1 (generic messages).
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { getIntrospectionQuery } from 'graphql';
import { startTestServer, type TestServer } from '../harness.js';
import { openSignedInWire } from './kit.js';

let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startTestServer({ INTROSPECTION: 'false' });
  token = await server.signIn();
});
afterAll(() => server.close());

it('the schema is not told, to nobody and not to an admin either, on any transport', async () => {
  for (const query of [
    getIntrospectionQuery(),
    '{ __schema { types { name } } }',
    '{ __type(name: "User") { fields { name } } }',
    '{ me { id } ...F } fragment F on Query { a: __schema { queryType { name } } }',
    'query A { me { id } } query B { __schema { types { name } } }',
  ]) {
    for (const who of [undefined, token]) {
      const answer = await server.gql(query, {}, who);
      answer.expectError('GRAPHQL_VALIDATION_FAILED');
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
