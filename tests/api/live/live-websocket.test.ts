// The WebSocket side by its protocol: who gets in, what is refused, the same rules as over HTTP, and its limits.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import WebSocket from 'ws';
import { admin, startTestServer, type TestServer } from '../../kit/harness.js';
import { eventsOf, follow, sleep, until } from '../../kit/live.js';
import { readMetrics, sampleValue } from '../../kit/metrics.js';
import { Socket } from '../../kit/network/socket.js';
import { createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({
  CORS_ORIGINS: 'https://app.example.test',
  STREAMS_MAX_PER_CONNECTION: '5',
  STREAMS_MAX_PER_USER: '8',
});
const analyst = await createPerson(server, await server.signIn(), 'ANALYST');

const openSocket = (options?: WebSocket.ClientOptions, protocols?: string[]) =>
  new Socket(server.url, options, protocols);

describe('getting in', () => {
  it('a connection that does not introduce itself in time is closed with 4408', async () => {
    const greetingMs = 300;
    const hasty = await startTestServer({}, { timing: { greetingMs } });
    try {
      const started = performance.now();
      expect(await new Socket(hasty.url).closed).toBe(4408);
      expect(performance.now() - started).toBeGreaterThan(greetingMs - 10);
    } finally {
      await hasty.close();
    }
  });

  it.each([
    ['a bad token', { authorization: 'Bearer nonsense' }],
    ['a wrong API key', { authorization: `Bearer stk_${'0'.repeat(32)}_${'A'.repeat(43)}` }],
    ['another scheme', { authorization: 'Basic YTpi' }],
    ['something that is no text', { authorization: { Bearer: 1 } }],
    ['nothing', undefined],
  ])('%s is closed with 4403', async (_name, payload) => {
    const socket = openSocket();
    await socket.opened;
    socket.send({ type: 'connection_init', payload });
    expect(await socket.closed).toBe(4403);
    expect(socket.messages).toEqual([]);
  });

  it('the token may come in the Authorization header of the handshake', async () => {
    const socket = openSocket({ headers: { authorization: `Bearer ${analyst.token}` } });
    await socket.opened;
    socket.send({ type: 'connection_init' });
    await until(() => socket.messages.length === 1, 'the ack');
    socket.subscribe('me', '{ me { email } }');
    expect((await socket.over('me'))[0]?.payload.data.me.email).toBe(analyst.email);
    socket.ws.close();
  });

  it('an operation before the ack is closed with 4401', async () => {
    const socket = openSocket();
    await socket.opened;
    socket.subscribe('early', '{ me { id } }');
    expect(await socket.closed).toBe(4401);
  });

  it('what is no message of the protocol is closed with 4400', async () => {
    const socket = await openSocket().init(analyst.token);
    socket.ws.send('{"type":"nonsense"}');
    expect(await socket.closed).toBe(4400);
  });

  it.each([[['graphql-ws']], [[]]])('the subprotocol %j is refused before the upgrade', async (protocols) => {
    expect(await openSocket({}, protocols).opened).toBe(400);
  });

  it('a foreign origin is refused before the upgrade; an allowed one, the same host and none get in', async () => {
    expect(await openSocket({ origin: 'https://evil.example.test' }).opened).toBe(403);
    expect(await openSocket({ origin: 'null' }).opened).toBe(403);
    expect(await openSocket({ origin: 'https://app.example.test.evil.test' }).opened).toBe(403);
    for (const options of [{ origin: 'https://app.example.test' }, { origin: server.url }, {}]) {
      const socket = openSocket(options);
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
    const socket = await openSocket().init(analyst.token);
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
      const overHttp = await server.gql(query, variables, analyst.token);
      expect(error).toMatchObject({
        message: overHttp.body.errors?.[0]?.message,
        extensions: { code: overHttp.body.errors?.[0]?.extensions.code },
      });
      expect(error.extensions.correlationId).toEqual(expect.any(String));
      expect(Object.keys(error.extensions)).not.toContain('http');
      if (path !== undefined) expect(error.extensions.fields[0].path).toBe(path);
    }
    socket.ws.close();
  });

  it('a second operation with an id in use is closed with 4409', async () => {
    const id = await startExecution(server, analyst.token);
    const socket = await openSocket().init(analyst.token);
    socket.subscribe('same', eventsOf, { executionId: id });
    socket.subscribe('same', eventsOf, { executionId: id });
    expect(await socket.closed).toBe(4409);
    await until(() => server.services.streams.size() === 0, 'no open stream');
  });

  it('a message of more than 1 MB is closed with 1009', async () => {
    const socket = await openSocket().init(analyst.token);
    socket.subscribe('big', `{ me { id } } # ${'x'.repeat(1_000_000)}`);
    expect(await socket.closed).toBe(1009);
  });

  it('a connection holds so many operations and not one more, however fast they come', async () => {
    const id = await startExecution(server, analyst.token);
    const socket = await openSocket().init(analyst.token);
    for (let n = 0; n < 12; n += 1) socket.subscribe(`s${n}`, eventsOf, { executionId: id });
    const refused = () => socket.messages.filter(({ type }) => type === 'error');
    const answered = () => new Set(socket.messages.flatMap((message) => message.id ?? [])).size;
    await until(() => answered() === 12, 'an answer to each');
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
      await until(() => streams.filter((stream) => stream.hasEnded()).length === 4, 'the refusals');
      for (const stream of streams.filter(({ hasEnded }) => hasEnded())) {
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
      const socket = openSocket();
      await socket.opened;
      socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${analyst.token}` } });
      if (delay > 1) await until(() => socket.messages.length > 0, 'the ack');
      if (delay > 1) socket.subscribe('s', eventsOf, { executionId: id });
      await sleep(delay);
      socket.ws.terminate();
    }
    await sleep(100); // for those that are about to begin
    await until(() => server.services.streams.size() === 0, 'no open stream');
    expect(server.logs.filter(({ event }) => event === 'internal_error')).toEqual([]);
  });
});

describe('a connection that is pinged', () => {
  let pinging: TestServer;
  beforeAll(async () => {
    pinging = await startTestServer({}, { timing: { pingEveryMs: 240 } });
  });
  afterAll(() => pinging.close());

  it('and answers stays, as often as it is asked', async () => {
    const socket = await new Socket(pinging.url).init(await pinging.signIn());
    let pings = 0;
    socket.ws.on('ping', () => {
      pings += 1;
    });
    await until(() => pings >= 5, 'five pings');
    socket.subscribe('me', '{ me { email } }');
    expect((await socket.over('me'))[0]?.payload.data.me.email).toBe(admin.email);
    socket.ws.close();
  });

  it('and answers no more is dropped, and its streams with it', async () => {
    const token = await pinging.signIn();
    const socket = await new Socket(pinging.url).init(token);
    socket.subscribe('live', eventsOf, { executionId: await startExecution(pinging, token) });
    await until(() => socket.messages.some(({ id }) => id === 'live'), 'the beginning');
    socket.ws.pause();
    await until(() => pinging.services.streams.size() === 0, 'no open stream');
    socket.ws.resume();
    expect(await socket.closed).toBe(1006); // without a goodbye
  });
});

it('pings are answered on both levels', async () => {
  const socket = await openSocket().init(analyst.token);
  const pong = new Promise((resolve) => socket.ws.once('pong', resolve));
  socket.ws.ping();
  socket.send({ type: 'ping', payload: { at: 1 } });
  await pong;
  await until(() => socket.messages.some(({ type }) => type === 'pong'), 'the pong');
  expect(socket.messages.at(-1)).toEqual({ type: 'pong', payload: { at: 1 } });
  socket.ws.close();
});

describe('many connections and many messages', () => {
  const few = () =>
    startTestServer({
      METRICS: 'true',
      WEBSOCKETS_MAX_PER_USER: '3',
      WEBSOCKETS_MAX_PER_ADDRESS: '5',
      STREAMS_MAX_PER_CONNECTION: '5',
    });
  const refusalsOf = async (own: TestServer, limiter: string) =>
    sampleValue(await readMetrics(own), 'limiter_refusals_total', { limiter });

  it('a user has so many connections, and an address too; refusals are counted, and closed ones count no more', async () => {
    const own = await few();
    try {
      const token = await own.signIn();
      const person = await createPerson(own, token, 'VIEWER');
      const open = await Promise.all([1, 2, 3].map(() => new Socket(own.url).init(token)));
      const fourth = new Socket(own.url);
      await fourth.opened;
      fourth.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
      expect(await fourth.closed).toBe(4429);
      const others = await Promise.all([1, 2].map(() => new Socket(own.url).init(person.token)));
      expect(await new Socket(own.url).opened).toBe(429);
      expect(await refusalsOf(own, 'websockets')).toBe(2);
      open[0]?.ws.close();
      await until(async () => {
        const socket = new Socket(own.url);
        const isOpen = (await socket.opened) === 'open';
        if (isOpen) open.push(await socket.init(token));
        return isOpen;
      }, 'room again');
      for (const socket of [...open, ...others]) socket.ws.close();
    } finally {
      await own.close();
    }
  });

  it('ten thousand operations on one socket are refused, counted, logged once and end it', async () => {
    const own = await few();
    try {
      const token = await own.signIn();
      const id = await startExecution(own, token);
      const socket = await new Socket(own.url).init(token);
      for (let n = 0; n < 10_000; n += 1) socket.subscribe(`s${n}`, eventsOf, { executionId: id });
      const over = own.gql('{ __typename }').then(() => socket.messages.length);
      expect(await socket.closed).toBe(4429);
      expect(await over).toBeLessThan(100); // it was answered while the socket was busy
      const errors = socket.messages.filter(({ type }) => type === 'error');
      expect(errors).toHaveLength(50);
      expect(errors.at(-1)?.payload[0].extensions).toMatchObject({
        ...{ code: 'RATE_LIMITED', correlationId: expect.any(String) },
      });
      const lines = () => own.logs.filter(({ reason }) => reason === 'RATE_LIMITED');
      await until(() => lines().length === 2, 'the log');
      const counted = await refusalsOf(own, 'websocket-operations');
      expect(lines()[1]).toMatchObject({ refusals: counted });
      expect([counted > 50, counted < 100]).toEqual([true, true]);
      await until(() => own.services.streams.size() === 0, 'no open stream');
    } finally {
      await own.close();
    }
  });

  it('refused operations count as requests', async () => {
    const own = await startTestServer({ RATE_LIMIT_PER_MINUTE: '60', STREAMS_MAX_PER_CONNECTION: '1' });
    try {
      const token = await own.signIn();
      const id = await startExecution(own, token);
      const isLimited = async () => {
        const socket = await new Socket(own.url).init(token);
        for (let n = 0; n < 45; n += 1) socket.subscribe(`s${n}`, eventsOf, { executionId: id });
        const refused = () => socket.messages.filter(({ type }) => type === 'error').length;
        await until(() => refused() >= 44, 'the refusals');
        const answers = [];
        for (let n = 0; n < 20; n += 1) answers.push(await own.gql('{ me { id } }', {}, token));
        socket.ws.close();
        return answers.some(({ body }) => body.errors?.[0]?.extensions.code === 'RATE_LIMITED');
      };
      // A minute may end in between; twice the other requests would not reach the limit.
      expect((await isLimited()) || (await isLimited())).toBe(true);
    } finally {
      await own.close();
    }
  });

  it('others are answered between the operations of one socket', async () => {
    const own = await startTestServer({ STREAMS_MAX_PER_CONNECTION: '100000' });
    try {
      const socket = await new Socket(own.url).init(await own.signIn());
      for (let n = 0; n < 3000; n += 1) socket.subscribe(`q${n}`, '{ me { id name } }');
      await own.gql('{ __typename }');
      const answered = socket.messages.filter(({ type }) => type === 'complete').length;
      expect(answered).toBeLessThan(2000);
      await until(
        () => socket.messages.filter(({ type }) => type === 'complete').length === 3000,
        'all answers',
      );
      socket.ws.close();
    } finally {
      await own.close();
    }
  });
});
