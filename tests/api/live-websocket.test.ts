// The WebSocket side by its protocol: who gets in, what is refused, the same rules as over HTTP, and its limits.
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import WebSocket from 'ws';
import { startTestServer, type TestServer } from '../harness.js';
import { eventsOf, follow, logOf, report, sleep, until } from '../live-kit.js';
import { createPerson, type Person, startExecution } from '../seed.js';

let server: TestServer;
let analyst: Person;
beforeAll(async () => {
  server = await startTestServer({
    CORS_ORIGINS: 'https://app.example.test',
    STREAMS_MAX_PER_CONNECTION: '5',
    STREAMS_MAX_PER_USER: '8',
  });
  analyst = await createPerson(server, await server.signIn(), 'ANALYST');
});
afterAll(() => server.close());

interface Message {
  id?: string;
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read messages of any shape
  payload?: any;
}

/** A bare socket: what it got, and how it was closed. */
class Socket {
  readonly messages: Message[] = [];
  readonly ws: WebSocket;
  readonly closed: Promise<number>;
  readonly opened: Promise<'open' | number>;
  constructor(options: WebSocket.ClientOptions = {}, protocols: string[] = ['graphql-transport-ws']) {
    this.ws = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, protocols, options);
    this.ws.on('message', (data) => this.messages.push(JSON.parse(String(data))));
    this.closed = new Promise((resolve) => this.ws.on('close', resolve));
    this.opened = new Promise((resolve) => {
      this.ws.on('open', () => resolve('open'));
      this.ws.on('error', () => resolve(0));
      this.ws.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    });
  }
  send(message: Message): void {
    this.ws.send(JSON.stringify(message));
  }
  async init(token: string | undefined = analyst.token): Promise<this> {
    await this.opened;
    this.send({ type: 'connection_init', payload: token && { authorization: `Bearer ${token}` } });
    await until(() => this.messages.some(({ type }) => type === 'connection_ack'), 'the ack');
    return this;
  }
  subscribe(id: string, query: string, variables: Record<string, unknown> = {}): void {
    this.send({ id, type: 'subscribe', payload: { query, variables } });
  }
  /** Messages of one operation, once it is over. */
  async over(id: string): Promise<Message[]> {
    const own = () => this.messages.filter((message) => message.id === id);
    await until(() => own().some(({ type }) => type === 'complete' || type === 'error'), `the end of ${id}`);
    return own();
  }
}

describe('getting in', () => {
  it('a connection that does not introduce itself within 3 s is closed with 4408', async () => {
    const started = performance.now();
    expect(await new Socket().closed).toBe(4408);
    expect(performance.now() - started).toBeGreaterThan(2900);
    expect(performance.now() - started).toBeLessThan(4000);
  });

  it.each([
    ['a bad token', { authorization: 'Bearer nonsense' }],
    ['a wrong API key', { authorization: `Bearer stk_${'0'.repeat(32)}_${'A'.repeat(43)}` }],
    ['another scheme', { authorization: 'Basic YTpi' }],
    ['something that is no text', { authorization: { Bearer: 1 } }],
    ['nothing', undefined],
  ])('%s is closed with 4403', async (_name, payload) => {
    const socket = new Socket();
    await socket.opened;
    socket.send({ type: 'connection_init', payload });
    expect(await socket.closed).toBe(4403);
    expect(socket.messages).toEqual([]);
  });

  it('the token may come in the Authorization header of the handshake', async () => {
    const socket = new Socket({ headers: { authorization: `Bearer ${analyst.token}` } });
    await socket.opened;
    socket.send({ type: 'connection_init' });
    await until(() => socket.messages.length === 1, 'the ack');
    socket.subscribe('me', '{ me { email } }');
    expect((await socket.over('me'))[0]?.payload.data.me.email).toBe(analyst.email);
    socket.ws.close();
  });

  it('an operation before the ack is closed with 4401', async () => {
    const socket = new Socket();
    await socket.opened;
    socket.subscribe('early', '{ me { id } }');
    expect(await socket.closed).toBe(4401);
  });

  it('what is no message of the protocol is closed with 4400', async () => {
    const socket = await new Socket().init();
    socket.ws.send('{"type":"nonsense"}');
    expect(await socket.closed).toBe(4400);
  });

  it.each([[['graphql-ws']], [[]]])('the subprotocol %j is refused before the upgrade', async (protocols) => {
    expect(await new Socket({}, protocols).opened).toBe(400);
  });

  it('a foreign origin is refused before the upgrade; an allowed one, the same host and none get in', async () => {
    expect(await new Socket({ origin: 'https://evil.example.test' }).opened).toBe(403);
    expect(await new Socket({ origin: 'null' }).opened).toBe(403);
    expect(await new Socket({ origin: 'https://app.example.test.evil.test' }).opened).toBe(403);
    for (const options of [{ origin: 'https://app.example.test' }, { origin: server.url }, {}]) {
      const socket = new Socket(options);
      expect(await socket.opened).toBe('open');
      socket.ws.close();
    }
  });

  it('another path is not there', async () => {
    const ws = new WebSocket(`${server.url.replace('http', 'ws')}/other`, 'graphql-transport-ws');
    const status = await new Promise((resolve) => {
      ws.on('unexpected-response', (_request, response) => resolve(response.statusCode));
      ws.on('error', () => {});
    });
    expect(status).toBe(404);
  });
});

describe('operations', () => {
  it('queries and mutations work, with the errors that HTTP gives and nothing of HTTP in them', async () => {
    const socket = await new Socket().init();
    const create = `mutation($input: CreateExecutionInput!) { createExecution(input: $input) { execution { status } } }`;
    socket.subscribe('good', create, { input: { name: 'A', target: 't', kind: 'SCA' } });
    expect(await socket.over('good')).toEqual([
      {
        id: 'good',
        type: 'next',
        payload: { data: { createExecution: { execution: { status: 'QUEUED' } } } },
      },
      { id: 'good', type: 'complete' },
    ]);
    const cases: [string, string, Record<string, unknown>, string, string | undefined][] = [
      [
        'bad-input',
        create,
        { input: { name: '', target: 't', kind: 'SCA' } },
        'VALIDATION_FAILED',
        'input.name',
      ],
      [
        'bad-type',
        create,
        { input: { name: 'A', target: 't', kind: 'NONE' } },
        'VALIDATION_FAILED',
        'input.kind',
      ],
      ['syntax', '{ me', {}, 'GRAPHQL_PARSE_FAILED', undefined],
      ['field', '{ nothing }', {}, 'GRAPHQL_VALIDATION_FAILED', undefined],
      ['rights', '{ users { nodes { id } } }', {}, 'FORBIDDEN', undefined],
      [
        'gone',
        '{ execution(id: "exe_019a0000-0000-7000-8000-000000000000") { id } }',
        {},
        'NOT_FOUND',
        undefined,
      ],
      [
        'deep',
        `{ executions { nodes ${'{ rerunOf '.repeat(20)} { id } ${'}'.repeat(20)} } }`,
        {},
        'QUERY_TOO_COMPLEX',
        undefined,
      ],
      [
        'wide',
        `{ ${Array.from({ length: 50 }, (_, n) => `a${n}: me { id }`).join(' ')} }`,
        {},
        'QUERY_TOO_COMPLEX',
        undefined,
      ],
      ['long', `{ me { ${'id '.repeat(3000)} } }`, {}, 'QUERY_TOO_COMPLEX', undefined],
    ];
    for (const [id, query, variables, code, path] of cases) {
      socket.subscribe(id, query, variables);
      const [message] = await socket.over(id);
      const [error] = message?.type === 'error' ? message.payload : (message?.payload.errors ?? []);
      expect([id, error?.extensions.code]).toEqual([id, code]);
      expect(error.extensions.correlationId).toEqual(expect.any(String));
      expect(Object.keys(error.extensions)).not.toContain('http');
      if (path !== undefined) expect(error.extensions.fields[0].path).toBe(path);
    }
    socket.ws.close();
  });

  it('a second operation with an id in use is closed with 4409', async () => {
    const id = await startExecution(server, analyst.token);
    const socket = await new Socket().init();
    socket.subscribe('same', eventsOf, { executionId: id });
    socket.subscribe('same', eventsOf, { executionId: id });
    expect(await socket.closed).toBe(4409);
    await until(() => server.services.streams.size() === 0, 'no open stream');
  });

  it('a message of more than 1 MB is closed with 1009', async () => {
    const socket = await new Socket().init();
    socket.subscribe('big', `{ me { id } } # ${'x'.repeat(1_000_000)}`);
    expect(await socket.closed).toBe(1009);
  });

  it('a connection holds so many operations and not one more, however fast they come', async () => {
    const id = await startExecution(server, analyst.token);
    const socket = await new Socket().init();
    for (let n = 0; n < 12; n += 1) socket.subscribe(`s${n}`, eventsOf, { executionId: id });
    const refused = () => socket.messages.filter(({ type }) => type === 'error');
    await until(() => refused().length >= 7, 'the refusals');
    await sleep(100);
    expect(refused()).toHaveLength(7);
    expect(refused()[0]?.payload[0].extensions.code).toBe('RATE_LIMITED');
    socket.send({ id: 's0', type: 'complete' });
    await until(() => server.services.streams.size() === 4, 'one less');
    socket.subscribe('again', eventsOf, { executionId: id });
    await until(() => socket.messages.some((message) => message.id === 'again'), 'its first event');
    expect(socket.messages.find((message) => message.id === 'again')?.type).toBe('next');
    socket.ws.close();
    await until(() => server.services.streams.size() === 0, 'no open stream');
  });

  it.each(['WebSocket', 'event stream'] as const)(
    'a user has so many streams and not one more, by %s',
    async (transport) => {
      const id = await startExecution(server, analyst.token);
      const streams = Array.from({ length: 12 }, () => follow(transport, server, analyst.token, id));
      await until(
        () => streams.filter((stream) => stream.endedAt() !== undefined).length === 4,
        'the refusals',
      );
      for (const stream of streams.filter(({ endedAt }) => endedAt() !== undefined)) {
        if (transport === 'event stream') expect(await stream.ended).toBe('HTTP 429');
        else expect(stream.errors[0]?.code).toBe('RATE_LIMITED');
      }
      await until(() => streams.filter(({ events }) => events.length === 2).length === 8, 'the others');
      for (const stream of streams) stream.stop();
      await until(() => server.services.streams.size() === 0, 'no open stream');
    },
  );

  it('a connection closed at any moment leaves no stream behind', async () => {
    const id = await startExecution(server, analyst.token);
    for (let delay = 0; delay < 8; delay += 1) {
      const socket = new Socket();
      await socket.opened;
      socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${analyst.token}` } });
      if (delay > 1) await until(() => socket.messages.length > 0, 'the ack');
      if (delay > 1) socket.subscribe('s', eventsOf, { executionId: id });
      await sleep(delay);
      socket.ws.terminate();
    }
    await sleep(100);
    await until(() => server.services.streams.size() === 0, 'no open stream');
    expect(server.logs.filter(({ event }) => event === 'internal_error')).toEqual([]);
  });
});

describe('keeping up', () => {
  it('pings are answered on both levels', async () => {
    const socket = await new Socket().init();
    const pong = new Promise((resolve) => socket.ws.once('pong', resolve));
    socket.ws.ping();
    socket.send({ type: 'ping', payload: { at: 1 } });
    await pong;
    await until(() => socket.messages.some(({ type }) => type === 'pong'), 'the pong');
    expect(socket.messages.at(-1)).toEqual({ type: 'pong', payload: { at: 1 } });
    socket.ws.close();
  });

  it.each(['WebSocket', 'event stream'] as const)(
    'a reader by %s that stops reading holds up nobody, costs bounded memory and misses nothing',
    async (transport) => {
      const parameters = { filler: 'x'.repeat(60_000) };
      const id = await startExecution(server, analyst.token, { parameters });
      const query = `subscription { executionEvents(executionId: "${id}") { id execution { parameters } } }`;
      const reader = await pausedReader[transport](query);
      const healthy = follow('WebSocket', server, analyst.token, id);
      for (let n = 0; n < 300; n += 1) await report(server, analyst.token, id, Math.floor(n / 3));
      await until(() => healthy.events.length === 302, 'all events for the other', 10_000);
      const waiting = Math.max(...waitingBytes());
      expect(waiting).toBeGreaterThan(0);
      expect(waiting).toBeLessThan(1_000_000); // of 18 MB: the rest waits in the log
      const log = await logOf(server, id);
      const ids = () => [...new Set(reader.text().match(/evt_[0-9a-f-]{36}/g))];
      reader.resume();
      await until(() => ids().length === log.length, 'the rest for the slow one', 10_000);
      expect(ids()).toEqual(log);
      healthy.stop();
      reader.close();
      await until(() => server.services.streams.size() === 0, 'no open stream');
    },
  );
});

/** Bytes that wait in sockets of this process, which is the server's too. */
function waitingBytes(): number[] {
  const { _getActiveHandles: handles } = process as unknown as {
    _getActiveHandles: () => { writableLength?: number }[];
  };
  return handles().map(({ writableLength }) => writableLength ?? 0);
}

interface Reader {
  text: () => string;
  resume: () => void;
  close: () => void;
}

/** Subscribers that read nothing until they are told to. */
const pausedReader: Record<'WebSocket' | 'event stream', (query: string) => Promise<Reader>> = {
  async WebSocket(query) {
    const socket = await new Socket().init();
    socket.ws.pause();
    socket.subscribe('slow', query);
    return {
      text: () => JSON.stringify(socket.messages),
      resume: () => socket.ws.resume(),
      close: () => socket.ws.close(),
    };
  },
  async 'event stream'(query) {
    const sent = request(`${server.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${analyst.token}`,
      },
    }).end(JSON.stringify({ query }));
    const response = await new Promise<IncomingMessage>((resolve) => sent.once('response', resolve));
    let text = '';
    return {
      text: () => text,
      resume: () => response.on('data', (chunk) => (text += chunk)),
      close: () => response.destroy(),
    };
  },
};
