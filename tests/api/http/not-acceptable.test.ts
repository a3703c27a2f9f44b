// A request that accepts no format of its response gets 406 with an error that says what to accept, and is not executed.
import { describe, expect, it } from '@jest/globals';
import type { TestServer } from '../../kit/harness.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const yoga = await useServer({}, { hasFastPath: false });
const token = await server.signIn();

async function ask(query: string, accept: string, method = 'POST', on = server, bearer = token) {
  const isPost = method === 'POST';
  const response = await fetch(`${on.url}/graphql${isPost ? '' : `?query=${encodeURIComponent(query)}`}`, {
    method,
    headers: {
      accept,
      authorization: `Bearer ${bearer}`,
      ...(isPost && { 'content-type': 'application/json' }),
    },
    ...(isPost && { body: JSON.stringify({ query }) }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
function expectRefused({ status, headers, text }: Awaited<ReturnType<typeof ask>>): void {
  expect([status, headers.get('content-type')]).toEqual([406, 'application/json; charset=utf-8']);
  const { errors } = JSON.parse(text) as { errors: { message: string; extensions: object }[] };
  expect(errors).toHaveLength(1);
  expect(errors[0]?.extensions).toEqual({
    ...{ code: 'NOT_ACCEPTABLE', correlationId: headers.get('x-correlation-id') },
  });
  for (const format of ['application/json', 'text/event-stream', 'graphql-transport-ws'])
    expect(errors[0]?.message).toContain(format);
}

const unacceptable = [
  ...[
    'text/plain',
    'image/*',
    'application/xml',
    'application/jsonx',
    'garbage',
    'application/json;q=0',
    '*/*;q=0',
  ],
  ...[
    'application/json; charset=utf-16',
    'application/json; charset="utf-8"',
    'text/plain, image/png;q=0.5',
    'application/json;q=0.000, text/css',
  ],
];
describe.each(unacceptable)('Accept: %s', (accept) => {
  it('is refused for queries, subscriptions and faulty documents, by POST and GET', async () => {
    for (const query of ['{ me { id } }', 'subscription { executionsChanged { type } }', '{ nope }', '{'])
      for (const method of ['POST', 'GET']) expectRefused(await ask(query, accept, method));
  });
});

it('a mutation that could not be answered is not executed', async () => {
  const bearer = await yoga.signIn();
  const count = async (on: TestServer) => (await on.sql('SELECT count(*) FROM test_executions'))[0];
  for (const [on, holder] of [
    [server, token],
    [yoga, bearer],
  ] as const) {
    const before = await count(on);
    const mutation =
      'mutation { createExecution(input: { name: "x", target: "y", kind: "z" }) { execution { id } } }';
    expectRefused(await ask(mutation, 'text/plain', 'POST', on, holder));
    expect(await count(on)).toEqual(before);
  }
});

it('a subscription as JSON is refused with the same words', async () => {
  const subscription = 'subscription { executionsChanged { type } }';
  for (const accept of ['application/json', 'application/graphql-response+json'])
    for (const method of ['POST', 'GET']) expectRefused(await ask(subscription, accept, method));
  expect(server.services.streams.size()).toBe(0);
});

it.each([
  ...['application/json', '*/*', '', 'application/*', 'application/json;q=0.1', 'text/html, */*;q=0.8'],
  ...[
    'application/graphql-response+json, application/json;q=0.9',
    'application/json;charset=utf-8',
    'TEXT/*',
  ],
  ...['Application/JSON; charset=UTF-8', 'text/event-stream', 'image/png, application/json'],
])('Accept: %s is served', async (accept) => {
  expect((await ask('{ me { id } }', accept)).status).toBe(200);
});
