// Attack: what a fuzzer sends, to every REST route and to GraphQL: never a 500, never an answer that is not documented.
// What is sent is the same at each run; FUZZ_SEED=… draws something else. ASVS 5.0: 2.2.1, 16.5.1.
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createPerson } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

type Schema = { $ref?: string; properties?: Record<string, Schema> };
interface Operation {
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, unknown>;
}

let api: {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
};
const server = await useServer();
const token = (await createPerson(server, await server.signIn(), 'ANALYST')).token;
api = (await server.rest('GET', '/docs/openapi.json')).body;

const wild = fc.oneof(
  fc.json({ maxDepth: 4, stringUnit: 'binary' }),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constantFrom(
    '',
    '{',
    '[]',
    'null',
    '"x"',
    '1e999',
    '{"a":1}}',
    '\ufeff{}',
    '[[[[[[]]]]]]',
    '{"__proto__":1}',
  ),
);
const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.string({ unit: 'binary', maxLength: 300 }));
const seed = Number(process.env.FUZZ_SEED ?? 1);
const runs = { numRuns: 25, seed };

/** Bodies with the right fields and any values, some fields left out, some made up. */
function bodiesOf(names: string[]): fc.Arbitrary<string> {
  const known = fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] });
  const made = fc.dictionary(fc.string({ maxLength: 10 }), value, { maxKeys: 2 });
  return fc.tuple(known, made).map(([fields, more]) => JSON.stringify({ ...more, ...fields }));
}

function fieldsOf(operation: Operation): string[] {
  const schema = operation.requestBody?.content['application/json']?.schema ?? {};
  const named =
    schema.$ref === undefined ? schema : api.components.schemas[schema.$ref.split('/').at(-1) ?? ''];
  return Object.keys(named?.properties ?? {});
}

it('any body at any REST route gets a documented answer', async () => {
  for (const [path, operations] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (method !== 'post') continue;
      const isSignOut = path.endsWith('/logout');
      const bodies = fc.oneof(wild, bodiesOf(fieldsOf(operation)));
      await fc.assert(
        fc.asyncProperty(bodies, fc.boolean(), async (body, isSignedIn) => {
          const { status, headers } = await server.rest('POST', path, {
            ...{ body, headers: { 'content-type': 'application/json' } },
            ...(isSignedIn && !isSignOut && { token }),
          });
          expect([path, status, status < 500 && String(status) in operation.responses]).toEqual([
            ...[path, status, true],
          ]);
          expect(headers.get('content-type')).toMatch(/^application\/((problem|scim)\+)?json/);
        }),
        runs,
      );
    }
  }
});

it('any body, query, variables and extensions at GraphQL get an answer of GraphQL', async () => {
  const query = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.constantFrom(
      'query($a: ID!) { user(id: $a) { id } }',
      'query($a: ExecutionFilter) { executions(filter: $a) { totalCount } }',
      'query($a: Int, $b: String) { executions(first: $a, after: $b) { totalCount } }',
      'mutation($a: CreateExecutionInput!) { createExecution(input: $a) { execution { id } } }',
      'mutation($a: AddResultsInput!) { addResults(input: $a) { added } }',
      'mutation($a: LoginInput!) { login(input: $a) { expiresIn } }',
    ),
  );
  const variables = fc.oneof(
    value,
    fc.record({ a: value, b: value }),
    fc.record({ a: fc.record({ name: value, target: value, kind: value, parameters: value }) }),
    fc.record({ a: fc.record({ executionId: value, results: fc.array(value, { maxLength: 3 }) }) }),
    fc.record({ a: fc.record({ status: value, search: value, createdAfter: value }) }),
    fc.record({ a: fc.record({ email: value, password: value, code: value }) }),
  );
  const optional = (arbitrary: fc.Arbitrary<unknown>) => fc.option(arbitrary, { nil: undefined });
  const request = fc.record({
    ...{ query: optional(fc.oneof(query, value)), variables: optional(variables) },
    ...{ operationName: optional(value), extensions: optional(value) },
  });
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        wild,
        request.map((parts) => JSON.stringify(parts)),
      ),
      async (body) => {
        const { status, body: answer } = await server.rest('POST', '/graphql', {
          ...{ body, token, headers: { 'content-type': 'application/json' } },
        });
        const codes = (answer.errors ?? []).map(
          (error: { extensions: { code: string } }) => error.extensions.code,
        );
        expect([status < 500, codes.includes('INTERNAL')]).toEqual([true, false]);
        expect(answer.data !== undefined || codes.length > 0).toBe(true);
      },
    ),
    { numRuns: 120, seed },
  );
});

it('any text in a path or a query string gets an answer too', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(text, text, async (segment, search) => {
      for (const path of [
        `/api/v1/${encodeURIComponent(segment)}`,
        `/api/v1/auth/me?${encodeURIComponent(segment)}=${encodeURIComponent(search)}`,
        `/graphql?query=${encodeURIComponent(search)}&variables=${encodeURIComponent(segment)}`,
      ]) {
        const { status } = await server.rest('GET', path, { token, headers: { accept: 'application/json' } });
        expect([path, status < 500]).toEqual([path, true]);
      }
    }),
    runs,
  );
});

it('nothing of it was an internal error', () => {
  expect(server.logs.filter((line) => line.level === 'error' || line.level === 'fatal')).toEqual([]);
});
