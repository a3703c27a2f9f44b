// What other clients and proxies expect: automatic persisted queries of Apollo, an answer to batches, a heartbeat by setting.
import { createHash } from 'node:crypto';
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { describe, expect, it } from '@jest/globals';
import { until } from '../../kit/live.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ HEARTBEAT_SECONDS: '1' });
const token = await server.signIn();

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
const post = async (body: object, headers: Record<string, string> = {}) => {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as {
    data?: unknown;
    errors?: { message: string; extensions: { code: string } }[];
  };
  return { status: response.status, ...answer, code: answer.errors?.[0]?.extensions.code };
};
const byHash = (text: string, query?: string, version: unknown = 1) => ({
  query,
  extensions: { persistedQuery: { version, sha256Hash: hashOf(text) } },
});

describe('automatic persisted queries', () => {
  it.each([
    ['POST', false],
    ['GET', true],
  ])('serve Apollo’s link over %s, which sends a text once', async (_name, useGETForHashedQueries) => {
    const sent: string[] = [];
    const watched: typeof fetch = (input, init) => {
      sent.push(`${input} ${init?.body ?? ''}`);
      return fetch(input, {
        ...init,
        headers: { ...(init?.headers as object), authorization: `Bearer ${token}` },
      });
    };
    const hashed = new PersistedQueryLink({ sha256: hashOf, useGETForHashedQueries });
    const link = ApolloLink.from([hashed, new HttpLink({ uri: `${server.url}/graphql`, fetch: watched })]);
    const client = new ApolloClient({ link, cache: new InMemoryCache() });
    const query = gql(`query Mine${useGETForHashedQueries ? 'ByGet' : ''} { me { email } }`);
    for (const _ of [1, 2]) {
      const { data } = await client.query({ query, fetchPolicy: 'no-cache' });
      expect(data).toEqual({ me: { __typename: 'User', email: 'admin@harness.test' } });
    }
    client.stop();
    expect(sent.map((text) => /email/.test(text))).toEqual([false, true, false]);
  });

  it('name a hash that is not there, with the words that Apollo looks for', async () => {
    const body = byHash('{ __typename }');
    const modern = await post(body, { accept: 'application/graphql-response+json' });
    const legacy = await post(body, { accept: 'application/json' });
    expect([modern.status, legacy.status]).toEqual([404, 200]);
    for (const { code, errors } of [modern, legacy])
      expect([code, errors?.[0]?.message]).toEqual(['PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound']);
  });

  it('are refused with a hash of another text or in another version, and nothing is kept', async () => {
    const other = '{ me { name } }';
    expect((await post(byHash(other, '{ me { email } }'))).code).toBe('VALIDATION_FAILED');
    expect((await post(byHash(other, other, 2))).code).toBe('VALIDATION_FAILED');
    expect((await post(byHash(other))).code).toBe('PERSISTED_QUERY_NOT_FOUND');
  });

  it('are checked as any document is', async () => {
    const text = '{ nothing }';
    for (const body of [byHash(text, text), byHash(text)])
      expect((await post(body)).code).toBe('GRAPHQL_VALIDATION_FAILED');
  });
});

it('a batch is refused in words', async () => {
  const { status, code, errors } = await post([{ query: '{ __typename }' }]);
  expect([status, code, errors?.[0]?.message]).toEqual([
    400,
    'VALIDATION_FAILED',
    expect.stringMatching(/accepts no batches/),
  ]);
});

it('a silent event stream has a heartbeat as often as the setting says', async () => {
  const stop = new AbortController();
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${token}`,
    },
    body: JSON.stringify({ query: 'subscription { executionsChanged { id } }' }),
    signal: stop.signal,
  });
  let text = '';
  const reading = (async () => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
  })().catch(() => {});
  await until(() => (text.match(/^:/gm) ?? []).length >= 2, 'two heartbeats', 10_000);
  stop.abort();
  await reading;
});
