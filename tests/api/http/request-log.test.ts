// The log line of a request is the same with both writers: pino-http for REST and Yoga, the compact one for the fast path.
import { generateKeyPairSync } from 'node:crypto';
import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { defineRoute } from '../../../src/rest/route.js';
import type { TestServer } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { useServer } from '../../kit/use.js';

const broken = defineRoute({
  method: 'get',
  path: '/api/v1/broken',
  operationId: 'broken',
  tag: 'Health',
  summary: 'Fails.',
  description: 'Fails.',
  permission: 'public',
  responses: {},
  errors: [],
  handle: () => Promise.reject(new Error('out of order')),
});
const { privateKey } = generateKeyPairSync('ed25519');
const env = { JWT_SIGNING_KEYS: JSON.stringify([{ ...privateKey.export({ format: 'jwk' }), kid: 'a' }]) };
const fast = await useServer(env, { moreRoutes: [broken] });
const yoga = await useServer({ ...env, DATABASE_URL: fast.databaseUrl }, { hasFastPath: false });
const token = await fast.signIn();

type Line = Record<string, unknown>;
const linesOf = (server: TestServer, id: string) =>
  server.logs.filter(({ event, correlationId }) => event === 'request' && correlationId === id);
async function lineOf(server: TestServer, id: string): Promise<Line> {
  await until(() => linesOf(server, id).length > 0, `the line of ${id}`);
  const [line = {}] = linesOf(server, id);
  return line;
}
async function ask(server: TestServer, id: string, path = '/graphql', init: RequestInit = {}): Promise<Line> {
  const headers = { 'content-type': 'application/json', 'x-correlation-id': id, ...init.headers };
  await (await fetch(server.url + path, { ...init, headers })).arrayBuffer();
  return lineOf(server, id);
}
const graphql = (query: string, authorization?: string): RequestInit => ({
  method: 'POST',
  body: JSON.stringify({ query }),
  headers: authorization === undefined ? {} : { authorization },
});

describe('the line of a GraphQL request', () => {
  it.each([
    ['an answer', 'query Own { me { id } }', true],
    ['an error of a field', '{ execution(id: "exe_0198aaaa-0000-7000-8000-000000000000") { id } }', true],
    ['a refusal', '{ me { id } }', false],
  ])(
    'has the same fields and values on the fast path and through Yoga: %s',
    async (name, query, isSignedIn) => {
      const id = name.replaceAll(' ', '-');
      await fast.gql(query, {}, token); // now the document is cached, so that the fast path takes it
      const init = graphql(query, isSignedIn ? `Bearer ${token}` : undefined);
      const [one, other] = [
        await ask(fast, `${id}-1`, '/graphql', init),
        await ask(yoga, `${id}-2`, '/graphql', init),
      ];
      const varying = {
        ...{ correlationId: '', time: '', durationMs: 0, dbMs: 0, dbQueries: 0 },
      };
      expect({ ...one, ...varying }).toEqual({ ...other, ...varying });
      expect(one).toMatchObject({
        level: 'info',
        msg: 'request',
        path: '/graphql',
        method: 'POST',
        status: expect.any(Number),
      });
    },
  );
});

describe('the line of a REST request', () => {
  it('has the fields of every request', async () => {
    const line = await ask(fast, 'rest-1', '/api/v1/auth/me?secret=1', {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(Object.keys(line).sort()).toEqual(
      [
        ...[
          'level',
          'time',
          'service',
          'event',
          'correlationId',
          'userId',
          'sessionId',
          'method',
          'path',
          'route',
        ],
        ...['status', 'durationMs', 'dbMs', 'dbQueries', 'ip', 'msg'],
      ].sort(),
    );
    expect(line).toMatchObject({
      level: 'info',
      method: 'GET',
      path: '/api/v1/auth/me',
      route: '/api/v1/auth/me',
      status: 200,
    });
  });

  it('is at debug for probes and at error for what fails on the server', async () => {
    expect(await ask(fast, 'probe-1', '/api/v1/health/live')).toMatchObject({
      level: 'debug',
      msg: 'request',
    });
    expect(await ask(fast, 'broken-1', '/api/v1/broken')).toMatchObject({
      level: 'error',
      msg: 'request failed',
      status: 500,
    });
    expect((await lineOf(fast, 'broken-1')).err).toBeUndefined(); // its own line has the stack
  });

  it('says nothing of the headers and the query of the request', async () => {
    const line = await ask(fast, 'quiet-1', '/nowhere?token=abc', { headers: { 'x-api-secret': 'hush' } });
    expect(JSON.stringify(line)).not.toMatch(/hush|abc|headers/);
  });
});

it('is written once, also when the client leaves before the response', async () => {
  const { hostname, port } = new URL(fast.url);
  const socket = connect(Number(port), hostname, () =>
    socket.write(
      'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nX-Correlation-ID: gone-1\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{',
      () => socket.destroy(),
    ),
  );
  await lineOf(fast, 'gone-1');
  await ask(fast, 'later-1', '/api/v1/health/live');
  expect(linesOf(fast, 'gone-1')).toHaveLength(1);
});
