/**
 * Versions and endings: unknown versions are refused, and what is deprecated says so in headers, schema and documents.
 * @own-modules it adds fields to the schema
 */
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { printSchema } from 'graphql';
import { z } from 'zod';
import { buildSchema } from '../../../src/api/schema.js';
import { loadConfig } from '../../../src/config/load.js';
import { type Deprecation, deprecationHeaders } from '../../../src/core/deprecation.js';
import { deprecated } from '../../../src/graphql/plugins/deprecation.js';
import { builder } from '../../../src/graphql/schema-kit/builder.js';
import type { Infra } from '../../../src/infra/infra.js';
import { createLogger } from '../../../src/infra/logging/logger.js';
import { createMetrics } from '../../../src/infra/telemetry/metrics.js';
import { createOpenApiDocument } from '../../../src/rest/openapi.js';
import { defineRoute } from '../../../src/rest/route.js';
import { createApp } from '../../../src/server/http-server.js';
import { atEnd, useServer } from '../../kit/use.js';

const ending: Deprecation = {
  since: '2026-01-01',
  sunset: '2026-12-31',
  instead: 'Use the new one.',
  link: '/docs#old',
};
const open: Deprecation = {
  since: '2025-06-01',
  instead: 'Use `me`.',
  link: 'https://docs.example.com/older',
};

// Fields and a route that are on their way out, made as the product would make its own.
builder.queryFields((t) => ({
  oldName: t.string({
    ...deprecated(ending),
    description: 'Old.',
    authScopes: { can: 'profile:read' },
    resolve: () => 'old',
  }),
  olderName: t.string({
    ...deprecated(open),
    description: 'Older.',
    authScopes: { can: 'profile:read' },
    resolve: () => 'older',
  }),
}));
const oldRoute = defineRoute({
  ...{ method: 'post', path: '/api/v1/old', operationId: 'old', tag: 'Health', permission: 'profile:read' },
  summary: 'Old',
  description: 'An old route.',
  deprecated: ending,
  body: z.strictObject({ a: z.string() }),
  bodyExample: { a: 'b' },
  responses: { 200: { description: 'Done.' } },
  errors: ['UNAUTHENTICATED'],
  handle: async () => ({ body: {} }),
});

const server = await useServer();
const token = await server.signIn();
const config = loadConfig({
  ...{ NODE_ENV: 'test', DATABASE_URL: server.databaseUrl, RATE_LIMIT_PER_MINUTE: '0' },
  RATE_LIMIT_ANONYMOUS_PER_MINUTE: '0',
});
const log = createLogger({ level: 'silent', environment: 'test', keep: 1, maxSizeMb: 1 });
const app = createApp(server.services, { config, log, metrics: createMetrics() } as Infra, {
  moreRoutes: [oldRoute],
}).server;
await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
atEnd(() => new Promise((resolve) => app.close(resolve)));

const told = ({ headers }: { headers: Headers }) =>
  ['deprecation', 'sunset', 'link'].map((name) => headers.get(name));
const endingToldAt = (link: string) => [
  '@1767225600',
  'Thu, 31 Dec 2026 00:00:00 GMT',
  `<${link}>; rel="deprecation"; type="text/html"`,
];
const endingTold = endingToldAt('./docs#old');
const nothing = [null, null, null];

describe('an unknown version', () => {
  it.each([
    ['GET', '/api/v2/auth/me', undefined, '2'],
    ['POST', '/api/v2/graphql', undefined, '2'],
    ['GET', '/api/v10', undefined, '10'],
    ['GET', '/api/v1.1/health', undefined, '1.1'],
    ['GET', '/api/v1/health', '2', '2'],
    ['GET', '/api/v1/health', '1.1', '1.1'],
    ['GET', '/api/v1/health', 'latest', 'latest'],
    ['GET', '/docs/', '0', '0'],
  ])(
    'of %s %s with Accept-Version %s is a problem that tells which there are',
    async (method, path, version, named) => {
      const headers: Record<string, string> = version === undefined ? {} : { 'accept-version': version };
      const response = await fetch(server.url + path, { method, headers });
      expect([response.status, response.headers.get('api-version')]).toEqual([404, '1.0']);
      expect(await response.json()).toMatchObject({
        code: 'UNKNOWN_VERSION',
        detail: `This server has no version ${named} of the API. It has 1.0, at /api/v1 and /graphql.`,
      });
    },
  );

  it('of GraphQL is an error in its own form', async () => {
    const answer = await server.gql('{ me { id } }', {}, token, { 'accept-version': '2' });
    expect(answer.status).toBe(404);
    answer.expectError('UNKNOWN_VERSION');
  });

  it('is none that is there, however it is written', async () => {
    for (const version of ['1', '1.0', 'v1', ' v1.0 ']) {
      const headers = { 'accept-version': version };
      const rest = await server.rest('GET', '/api/v1/auth/me', { token, headers });
      expect([version, rest.status]).toEqual([version, 200]);
      (await server.gql('{ me { id } }', {}, token, headers)).expectData();
    }
    expect((await server.rest('GET', '/api/v1')).body.code).toBe('NOT_FOUND');
    expect((await server.rest('GET', '/api/version')).body.code).toBe('NOT_FOUND');
  });
});

describe('a deprecated route', () => {
  const call = (given: Record<string, string>, body = '{"a":"b"}') =>
    fetch(`${url}/api/v1/old`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...given },
      body,
    });

  it('says so in every answer, errors too', async () => {
    const authorization = `Bearer ${token}`;
    for (const [status, answer] of [
      [200, await call({ authorization })],
      [400, await call({ authorization }, '{')],
      [401, await call({})],
      [415, await call({ authorization, 'content-type': 'text/plain' })],
    ] as const) {
      expect([answer.status, told(answer)]).toEqual([status, endingToldAt('../../docs#old')]);
    }
  });

  it('leaves the others alone', async () => {
    expect(told(await fetch(`${url}/api/v1/health/live`))).toEqual(nothing);
  });

  it('is marked in the OpenAPI document, with its headers and what to use', () => {
    const { paths, components } = createOpenApiDocument([oldRoute], '1.0');
    expect(paths?.['/api/v1/old']?.post).toMatchObject({
      deprecated: true,
      description:
        'An old route. Deprecated since 2026-01-01. It goes on 2026-12-31 or later. Use the new one.',
      responses: { 200: { headers: { Deprecation: {}, Sunset: {}, Link: {} } } },
    });
    expect(Object.keys(components?.headers ?? {})).toEqual(expect.arrayContaining(['Deprecation', 'Sunset']));
  });
});

describe('a deprecated field', () => {
  it('says so in the headers of answers to operations that select it, also through a fragment', async () => {
    for (const query of [
      '{ oldName }',
      'query Again { me { id } renamed: oldName }',
      'query F { ...F } fragment F on Query { oldName }',
    ]) {
      for (const _ of ['the first time', 'from memory']) {
        const answer = await server.gql(query, {}, token);
        expect([query, answer.expectData() !== undefined, told(answer)]).toEqual([query, true, endingTold]);
      }
    }
    const both = await server.gql('{ oldName olderName }', {}, token);
    expect(told(both)).toEqual([
      '@1748736000',
      'Thu, 31 Dec 2026 00:00:00 GMT',
      `${endingTold[2]}, <https://docs.example.com/older>; rel="deprecation"; type="text/html"`,
    ]);
    expect(told(await server.gql('{ olderName }', {}, token))[1]).toBeNull();
  });

  it('says nothing where it is not selected', async () => {
    expect(told(await server.gql('{ me { id } }', {}, token))).toEqual(nothing);
    expect(told(await server.gql('{ me { id oldName: name } }', {}, token))).toEqual(nothing);
  });

  it('says so in event streams', async () => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', accept: 'text/event-stream' },
        authorization: `Bearer ${token}`,
      },
      body: JSON.stringify({ query: '{ oldName }' }),
    });
    expect(told(response)).toEqual(endingTold);
    expect(await response.text()).toContain('"oldName":"old"');
  });

  it('is marked in the schema with what to use', () => {
    expect(printSchema(buildSchema())).toContain(
      'oldName: String! @deprecated(reason: "Deprecated since 2026-01-01. It goes on 2026-12-31 or later. Use the new one.")',
    );
  });
});

describe('a deprecation', () => {
  it('stays for half a year at least, with days that exist', () => {
    const given = (dates: Partial<Deprecation>) => () => deprecationHeaders([{ ...ending, ...dates }]);
    expect(given({ sunset: '2026-06-29' })).toThrow('less than 180 days');
    expect(given({ sunset: '2026-06-30' })).not.toThrow();
    expect(given({ since: '1 January' })).toThrow('not a day');
    expect(given({ since: '2026-13-01' })).toThrow('not a day');
    expect(() => deprecated({ ...ending, sunset: '2026-01-02' })).toThrow('less than 180 days');
  });
});
