// Requests as GraphQL clients send them take the fast path: the real clients send them, and the server notes the way.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient, fetchExchange } from '@urql/core';
import { buildSchema, type DocumentNode, parse } from 'graphql';
import { GraphQLClient } from 'graphql-request';
import { createExecutor } from '../../../src/graphql/execution/executor.js';
import { createFastPath } from '../../../src/graphql/http/fast-path.js';
import type { GraphQLParams } from '../../../src/graphql/http/prepare-operation.js';
import type { GraphQLContext } from '../../../src/graphql/schema-kit/context.js';
import type { RequestContext } from '../../../src/infra/telemetry/request-context.js';

const schema = buildSchema('type Query { me(id: ID): User } type User { id: ID!  name: String }');
Object.assign(schema.getQueryType()?.getFields().me as object, { resolve: () => ({ id: '1', name: 'Ada' }) });

const documents = new Map<string, DocumentNode>();
const documentOf = (text: string) => {
  const document = documents.get(text) ?? parse(text);
  documents.set(text, document);
  return document;
};
const fastPath = createFastPath({
  executor: createExecutor(schema),
  textOf: undefined,
  persistedText: () => undefined,
  documentOf,
  isTooLarge: () => false,
  mayBeLarge: () => false,
  maxBytes: 1_000_000,
  isPublic: () => true,
  contextFor: () => ({ viewer: null }) as GraphQLContext,
  beginOperation: () => () => undefined,
  maskError: (error) => error as Error,
  withCorrelationIds: (result) => result,
});

let server: Server;
let url: string;
/** Of each request: what was sent, and whether the fast path took it. */
const requests: { body: GraphQLParams; isTaken: boolean }[] = [];

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const body = (await json(request)) as GraphQLParams;
    const store: RequestContext = { correlationId: 'c', ip: null, userAgent: null, dbQueries: 0, dbMs: 0 };
    const isTaken = fastPath({ request, response, store, refuse: () => response.destroy() }, body, null);
    requests.push({ body, isTaken });
    if (!isTaken) response.writeHead(501).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const text = 'query Me($id: ID, $with: Boolean!) { me(id: $id) { id name @include(if: $with) } }';
const variables = { id: 'a', with: true };

describe('a client of GraphQL takes the fast path', () => {
  it('as @apollo/client', async () => {
    const client = new ApolloClient({ link: new HttpLink({ uri: url }), cache: new InMemoryCache() });
    const { data } = await client.query({ query: gql(text), variables });
    client.stop();
    expect(data).toMatchObject({ me: { id: '1', name: 'Ada' } });
    expect(requests.at(-1)).toMatchObject({ isTaken: true, body: { extensions: { clientLibrary: {} } } });
  });

  it('as urql', async () => {
    const client = createClient({ url, exchanges: [fetchExchange], preferGetMethod: false });
    const { data, error } = await client.query(text, variables).toPromise();
    expect(error).toBeUndefined();
    expect(data).toMatchObject({ me: { id: '1', name: 'Ada' } });
    expect(requests.at(-1)).toMatchObject({ isTaken: true });
  });

  it('as graphql-request', async () => {
    const data = await new GraphQLClient(url).request(text, { ...variables, with: false });
    expect(data).toEqual({ me: { id: '1' } });
    expect(requests.at(-1)).toMatchObject({ isTaken: true });
  });

  it('but not with a persisted query, which Yoga answers', async () => {
    const extensions = { persistedQuery: { version: 1, sha256Hash: 'x' } };
    const body = JSON.stringify({ query: '{ me { id } }', extensions });
    const { status } = await fetch(url, { method: 'POST', body });
    expect([status, requests.at(-1)?.isTaken]).toEqual([501, false]);
  });
});
