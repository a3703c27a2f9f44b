// Real clients that follow live: over multipart responses, and through the end of their tokens.
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { RetryLink } from '@apollo/client/link/retry';
import { describe, expect, it } from '@jest/globals';
import { createClient, fetchExchange } from '@urql/core';
import { retryExchange } from '@urql/exchange-retry';
import { createClient as createSseClient } from 'graphql-sse';
import {
  act,
  changes,
  eventsOf,
  type LiveEvent,
  logOf,
  report,
  until,
  useServerWith,
} from '../../kit/live.js';
import { createPerson, password, startExecution } from '../../kit/seed.js';

const [server, analyst] = await useServerWith(['ANALYST']);

const endpoint = () => `${server.url}/graphql`;
const idsOf = (events: LiveEvent[]) => events.map(({ id }) => id);

describe('Apollo Client with its HttpLink', () => {
  const open = () =>
    new ApolloClient({
      cache: new InMemoryCache(),
      link: new HttpLink({ uri: endpoint(), headers: { authorization: `Bearer ${analyst.token}` } }),
    });

  it('follows an execution to its end', async () => {
    const id = await startExecution(server, analyst.token);
    const events: LiveEvent[] = [];
    let isOver = false;
    open()
      .subscribe<{ live: LiveEvent }>({ query: gql(eventsOf), variables: { executionId: id } })
      .subscribe({
        next: ({ data, error }) => {
          if (error !== undefined) throw error;
          if (data?.live) events.push(data.live);
        },
        complete: () => {
          isOver = true;
        },
      });
    await until(() => events.length === 2, 'the beginning, while the execution runs');
    await report(server, analyst.token, id, 40);
    await act(server, analyst.token, 'completeExecution', id);
    await until(() => isOver, 'the end');
    expect(events.map(({ type }) => type)).toEqual(['CREATED', 'STARTED', 'PROGRESS', 'COMPLETED']);
    expect(idsOf(events)).toEqual(await logOf(server, id));
  });

  it('gets errors with their codes', async () => {
    const errors: unknown[] = [];
    open()
      .subscribe({
        query: gql(eventsOf),
        variables: { executionId: 'exe_01890000-0000-7000-8000-000000000000' },
      })
      .subscribe({ next: ({ error }) => errors.push(error), error: (error) => errors.push(error) });
    await until(() => errors.length > 0, 'the error');
    expect(errors[0]).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] });
  });

  it('closes the stream when it unsubscribes', async () => {
    const id = await startExecution(server, analyst.token);
    const events: unknown[] = [];
    const subscription = open()
      .subscribe({ query: gql(eventsOf), variables: { executionId: id } })
      .subscribe({ next: (event) => events.push(event) });
    await until(() => events.length === 2, 'the beginning');
    subscription.unsubscribe();
    await until(() => server.services.streams.size() === 0, 'no open stream');
  });
});

describe('a response in parts', () => {
  const ask = (accept: string) =>
    fetch(endpoint(), {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${analyst.token}`, accept },
      body: JSON.stringify({ query: 'subscription { executionsChanged { id } }' }),
    });

  it.each([
    ['multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json;q=0.9', 'multipart/mixed'],
    ['multipart/mixed; subscriptionSpec="1.0"', 'multipart/mixed'],
    ['application/json, text/event-stream, multipart/mixed', 'text/event-stream'],
    ['text/event-stream, multipart/mixed;subscriptionSpec=1.0', 'text/event-stream'],
    ['*/*', 'text/event-stream'],
  ])('or an event stream answers Accept: %s', async (accept, type) => {
    const response = await ask(accept);
    expect([response.status, response.headers.get('content-type')?.split(';')[0]]).toEqual([200, type]);
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    await response.body?.cancel();
  });

  it.each(['multipart/mixed', 'multipart/mixed;deferSpec=20220824', 'application/json'])(
    'is refused with what to accept for Accept: %s',
    async (accept) => {
      const response = await ask(accept);
      expect(response.status).toBe(406);
      const { errors } = (await response.json()) as { errors: { message: string; extensions: object }[] };
      expect(errors[0]?.message).toContain('multipart/mixed;subscriptionSpec=1.0');
      expect(errors[0]?.extensions).toMatchObject({
        code: 'NOT_ACCEPTABLE',
        correlationId: expect.any(String),
      });
    },
  );
});

it('the single connection mode of graphql-sse is refused with words', async () => {
  const response = await fetch(endpoint(), {
    method: 'PUT',
    headers: { authorization: `Bearer ${analyst.token}` },
  });
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST, OPTIONS']);
  expect(JSON.stringify(await response.json())).toContain('distinct connections');
});

/** A client whose token is asked for at each connection; it tells events and, once, a failure. */
type Client = (headers: () => Record<string, string>, onEvent: (event: LiveEvent) => void) => () => void;

const clients: Record<string, Client> = {
  'graphql-sse': (headers, onEvent) => {
    const client = createSseClient({ url: endpoint(), headers, retry: async () => {} });
    return client.subscribe<{ live: LiveEvent }>(
      { query: changes, variables: {} },
      {
        next: ({ data, errors }) => {
          if (errors !== undefined) throw new Error(JSON.stringify(errors));
          if (data) onEvent(data.live);
        },
        error: () => {},
        complete: () => {},
      },
    );
  },
  urql: (headers, onEvent) => {
    const client = createClient({
      url: endpoint(),
      preferGetMethod: false,
      fetchSubscriptions: true,
      fetchOptions: () => ({ headers: headers() }),
      exchanges: [retryExchange({ initialDelayMs: 1, maxNumberAttempts: 5 }), fetchExchange],
    });
    const { unsubscribe } = client.subscription(changes, {}).subscribe(({ data, error }) => {
      if (error !== undefined) throw error;
      onEvent((data as { live: LiveEvent }).live);
    });
    return unsubscribe;
  },
  'Apollo Client': (headers, onEvent) => {
    const client = new ApolloClient({
      cache: new InMemoryCache(),
      link: ApolloLink.from([
        new RetryLink({ delay: { initial: 1 } }),
        new SetContextLink(() => ({ headers: headers() })),
        new HttpLink({ uri: endpoint() }),
      ]),
    });
    const subscription = client.subscribe<{ live: LiveEvent }>({ query: gql(changes) }).subscribe({
      next: ({ data, error }) => {
        if (error !== undefined) throw error;
        if (data?.live) onEvent(data.live);
      },
    });
    return () => subscription.unsubscribe();
  },
};

// These turn the clock, so that nothing may come after them.
describe.each(Object.entries(clients))('%s', (_name, open) => {
  it('connects again by itself when its token ends, and misses nothing', async () => {
    const person = await createPerson(server, await server.signIn(), 'ANALYST');
    const events: LiveEvent[] = [];
    const tokens = [person.token];
    let connections = 0;
    const stop = open(
      () => {
        connections += 1;
        const last = events.at(-1)?.id;
        return {
          authorization: `Bearer ${tokens.at(-1)}`,
          ...(last !== undefined && { 'last-event-id': last }),
        };
      },
      (event) => events.push(event),
    );
    await until(() => server.services.streams.size() === 1, 'the stream');
    const first = await startExecution(server, person.token);
    await until(() => events.length === 2, 'the first events');
    server.clock.advance(901_000);
    tokens.push(await server.signIn(person.email, password));
    await until(() => connections > 1, 'the second connection');
    const second = await startExecution(server, tokens.at(-1) as string);
    await until(() => events.length >= 4, 'the events after the break');
    expect(idsOf(events)).toEqual([...(await logOf(server, first)), ...(await logOf(server, second))]);
    stop();
    await until(() => server.services.streams.size() === 0, 'no open stream');
  });
});
