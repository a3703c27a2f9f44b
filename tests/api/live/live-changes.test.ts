// The feed of all executions, live only and filtered; and the clients that people really use, over both transports.
import { afterEach, describe, expect, it } from '@jest/globals';
import { createClient, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient as createWsClient } from 'graphql-ws';
import WebSocket from 'ws';
import {
  act,
  changes,
  eventsOf,
  type Following,
  idsOf,
  type LiveEvent,
  logOf,
  report,
  sleep,
  subscribe,
  transports,
  until,
  useServerWith,
} from '../../kit/live.js';
import { createExecution, createPerson, startExecution } from '../../kit/seed.js';

const [server, analyst, colleague] = await useServerWith(['ANALYST', 'ANALYST'], { pollEveryMs: 200 });
afterEach(() => until(() => server.services.streams.size() === 0, 'no open stream'));

const label = ({ type, execution }: LiveEvent) => `${type} ${execution.progress}`;

describe.each(transports)('executionsChanged by %s', (transport) => {
  const watch = async (filter?: Record<string, unknown>): Promise<Following> => {
    const open = server.services.streams.size();
    const stream = subscribe(transport, server.url, analyst.token, { query: changes, variables: { filter } });
    await until(() => server.services.streams.size() > open, 'the stream');
    return stream;
  };

  it('sends every event of every execution, each execution in its order, from now on', async () => {
    const old = await startExecution(server, analyst.token);
    const stream = await watch();
    const ids = await Promise.all(
      Array.from({ length: 10 }, (_, n) => startExecution(server, analyst.token, { name: `Scan ${n}` })),
    );
    await Promise.all(
      [old, ...ids].flatMap((id) =>
        Array.from({ length: 10 }, (_, n) => report(server, analyst.token, id, n)),
      ),
    );
    await Promise.all([old, ...ids].map((id) => act(server, analyst.token, 'completeExecution', id)));
    await until(() => stream.events.length >= 10 * 13 + 11, 'all events');
    await sleep(1000); // the poll must bring nothing twice
    for (const id of ids) {
      const own = stream.events.filter(({ execution }) => execution.id === id);
      expect(own.map((event) => event.id)).toEqual(await logOf(server, id));
    }
    const own = stream.events.filter(({ execution }) => execution.id === old);
    expect(own.map((event) => event.id)).toEqual((await logOf(server, old)).slice(2));
    expect(stream.events).toHaveLength(10 * 13 + 11);
    stream.stop();
  });

  it('lets through what the filter names, by the state of that moment', async () => {
    const others = await createPerson(server, await server.signIn(), 'ANALYST');
    const streams = {
      kind: await watch({ kind: ['SAST'] }),
      status: await watch({ status: ['RUNNING', 'FAILED'] }),
      creator: await watch({ createdById: others.id }),
      target: await watch({ target: 'https://one.test' }),
      search: await watch({ search: 'NIGHT_ly' }),
    };
    await createExecution(server, analyst.token, { kind: 'SAST' });
    await createExecution(server, others.token, { target: 'https://one.test', name: 'the night_ly run' });
    const failing = await startExecution(server, analyst.token);
    await report(server, analyst.token, failing, 7);
    (
      await server.gql(
        'mutation($id: ID!) { failExecution(id: $id, errorMessage: "no") { execution { id } } }',
        { id: failing },
        analyst.token,
      )
    ).expectData();
    // The last one is let through by all; what they should not have would have come before it.
    const last = { kind: 'SAST', target: 'https://one.test', name: 'the night_ly end' };
    const id = await startExecution(server, others.token, last);
    const isLast = ({ type, execution }: LiveEvent) => type === 'STARTED' && execution.id === id;
    await until(() => Object.values(streams).every(({ events }) => events.some(isLast)), 'the last event');
    expect(
      Object.fromEntries(Object.entries(streams).map(([name, { events }]) => [name, events.map(label)])),
    ).toEqual({
      kind: ['CREATED 0', 'CREATED 0', 'STARTED 0'],
      status: ['STARTED 0', 'PROGRESS 7', 'FAILED 7', 'STARTED 0'],
      creator: ['CREATED 0', 'CREATED 0', 'STARTED 0'],
      target: ['CREATED 0', 'CREATED 0', 'STARTED 0'],
      search: ['CREATED 0', 'CREATED 0', 'STARTED 0'],
    });
    for (const stream of Object.values(streams)) stream.stop();
  });

  it('a wrong filter is VALIDATION_FAILED with its path', async () => {
    const stream = subscribe(transport, server.url, analyst.token, {
      query: changes,
      variables: { filter: { createdById: 'usr_nonsense' } },
    });
    await until(() => stream.errors.length === 1, 'the error');
    expect(stream.errors[0]).toMatchObject({
      code: 'VALIDATION_FAILED',
      fields: [{ path: 'filter.createdById' }],
    });
  });
});

describe('answers', () => {
  it('subscribers with other documents, variables and rights each get their own', async () => {
    const id = await startExecution(server, analyst.token);
    const subscribeAs = (token: string, fields: string, variables: Record<string, unknown> = {}) =>
      subscribe('WebSocket', server.url, token, {
        query: `subscription($id: ID!, $few: Boolean = false) { live: executionEvents(executionId: $id) { ${fields} } }`,
        variables: { id, ...variables },
      });
    const fields = 'type execution { id name @skip(if: $few) createdBy { id email role } }';
    const [all, few, colleagues] = [
      subscribeAs(analyst.token, fields),
      subscribeAs(analyst.token, fields, { few: true }),
      subscribeAs(colleague.token, fields),
    ];
    await until(() => [all, few, colleagues].every(({ events }) => events.length === 2), 'two events each');
    const first = (stream: Following) => stream.events[0]?.execution as unknown as Record<string, unknown>;
    expect(first(all)).toMatchObject({ name: 'Scan', createdBy: { email: analyst.email } });
    expect(first(few)).not.toHaveProperty('name');
    expect(JSON.stringify(first(colleagues))).not.toContain(analyst.email);
    for (const stream of [all, few, colleagues]) stream.stop();
  });
});

describe('urql', () => {
  const overWebSocket = () => {
    const socket = createWsClient({
      url: `${server.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${analyst.token}` },
    });
    const forwardSubscription = (request: { query?: string | undefined; variables?: unknown }) => ({
      subscribe: (sink: object) => ({ unsubscribe: socket.subscribe(request as never, sink as never) }),
    });
    const exchange = subscriptionExchange({ forwardSubscription: forwardSubscription as never });
    return { exchanges: [exchange, fetchExchange], end: () => socket.dispose() };
  };
  const overEventStream = () => ({ exchanges: [fetchExchange], end: () => {} });

  it.each([
    ['WebSocket', overWebSocket],
    ['event stream', overEventStream],
  ])('follows an execution by %s', async (transport, open) => {
    const { exchanges, end } = open();
    const client = createClient({
      ...{ url: `${server.url}/graphql`, exchanges, preferGetMethod: false },
      fetchOptions: { headers: { authorization: `Bearer ${analyst.token}` } },
      fetchSubscriptions: transport === 'event stream',
    });
    const id = await startExecution(server, analyst.token);
    const stream = { events: [] as LiveEvent[] } as Following;
    let isOver = false;
    const { unsubscribe } = client
      .subscription(eventsOf, { executionId: id })
      .subscribe(({ data, error, hasNext }) => {
        if (error !== undefined) throw error;
        // At the end urql gives the last answer again, saying that nothing follows.
        if (hasNext) stream.events.push(data.live);
        else isOver = true;
      });
    await until(() => stream.events.length === 2, 'the beginning');
    await report(server, analyst.token, id, 50);
    await act(server, analyst.token, 'completeExecution', id);
    await until(() => isOver, 'the end');
    expect(idsOf(stream)).toEqual(await logOf(server, id));
    unsubscribe();
    await end();
  });
});
