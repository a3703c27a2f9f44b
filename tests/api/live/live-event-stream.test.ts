// The event stream as bytes: what stands on the wire for each way to subscribe, and what is never sent.
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ownerUrlOf } from '../../kit/harness.js';
import { act, sleep, until, untilLocked, useServerWith } from '../../kit/live.js';
import { startProxy } from '../../kit/network/proxy.js';
import { addResults, createPerson, startExecution } from '../../kit/seed.js';

const [server, analyst] = await useServerWith(['ANALYST']);

const noStreams = () => until(() => server.services.streams.size() === 0, 'no open stream');

/** Opens a stream and gathers its text. */
async function open(
  query: string,
  headers: Record<string, string> = {},
  token = analyst.token,
  url = server.url,
) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${token}`,
      ...headers,
    },
    body: JSON.stringify({ query }),
  });
  const stream = { response, text: '', isOver: false };
  (async () => {
    for await (const chunk of response.body ?? []) stream.text += Buffer.from(chunk as Uint8Array).toString();
    stream.isOver = true;
  })();
  return stream;
}

/** A socket for requests written by hand. */
async function openSocket() {
  const { port } = new URL(server.url);
  const socket = connect(Number(port), '127.0.0.1');
  await once(socket, 'connect');
  const state = { socket, text: '', isClosed: false };
  socket.setEncoding('utf8').on('data', (text: string) => {
    state.text += text;
  });
  socket.on('close', () => {
    state.isClosed = true;
  });
  return state;
}

function raw(query: string, version = '1.1', accept = 'text/event-stream'): string {
  const body = JSON.stringify({ query });
  return [
    `POST /graphql HTTP/${version}`,
    ...['Host: test', 'Content-Type: application/json', `Accept: ${accept}`],
    ...[`Authorization: Bearer ${analyst.token}`, `Content-Length: ${Buffer.byteLength(body)}`],
    ...['', body],
  ].join('\r\n');
}

const follow = (id: string) => `subscription { live: executionEvents(executionId: "${id}") { type } }`;
const next = (type: string) => `event: next\ndata: {"data":{"live":{"type":"${type}"}}}\n\n`;
const whole = `:\n\n${['CREATED', 'STARTED', 'COMPLETED'].map(next).join('')}event: complete\ndata:\n\n`;

describe('an event stream', () => {
  it('is a comment, an event for each answer and an event for the end', async () => {
    const id = await startExecution(server, analyst.token);
    const stream = await open(follow(id));
    expect(stream.response.status).toBe(200);
    expect(Object.fromEntries(stream.response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'transfer-encoding': 'chunked',
      'x-correlation-id': expect.any(String),
    });
    await act(server, analyst.token, 'completeExecution', id);
    await until(() => stream.isOver, 'the end');
    expect(stream.text).toBe(whole);
    await noStreams();
  });

  it('passes a proxy with default settings at once, event by event', async () => {
    const proxy = await startProxy(server.url);
    try {
      const id = await startExecution(server, analyst.token);
      const stream = await open(follow(id), { 'accept-encoding': 'gzip' }, analyst.token, proxy.url);
      await until(() => stream.text.includes('STARTED'), 'the first events, while the execution runs');
      expect(stream.isOver).toBe(false);
      await act(server, analyst.token, 'completeExecution', id);
      await until(() => stream.isOver, 'the end');
      expect(stream.text).toBe(whole);
    } finally {
      await proxy.close();
    }
  });

  it('is the same by GET', async () => {
    const id = await startExecution(server, analyst.token);
    await act(server, analyst.token, 'completeExecution', id);
    const response = await fetch(`${server.url}/graphql?query=${encodeURIComponent(follow(id))}`, {
      headers: { accept: 'text/event-stream', authorization: `Bearer ${analyst.token}` },
    });
    expect(await response.text()).toBe(whole);
  });

  it('leaves its connection usable for the next request, also for one that was sent ahead', async () => {
    const id = await startExecution(server, analyst.token);
    const connection = await openSocket();
    connection.socket.write(raw('{ me { name } }', '1.1', 'application/json') + raw(follow(id)));
    connection.socket.write(raw('{ me { email } }', '1.1', 'application/json'));
    await until(() => connection.text.includes('STARTED'), 'the beginning');
    expect(connection.text).not.toContain('email');
    await act(server, analyst.token, 'completeExecution', id);
    await until(() => connection.text.includes('email'), 'the answer behind the stream');
    expect(connection.text.match(/HTTP\/1\.1 200/g)).toHaveLength(3);
    expect(connection.text.replace(/\r\n[0-9a-f]+\r\n|^[0-9a-f]+\r\n|\r\n$/gm, '')).toContain(
      next('COMPLETED'),
    );
    connection.socket.destroy();
    await noStreams();
  });

  it('has no chunks for a client of HTTP/1.0', async () => {
    const id = await startExecution(server, analyst.token);
    await act(server, analyst.token, 'completeExecution', id);
    const connection = await openSocket();
    connection.socket.write(raw(follow(id), '1.0'));
    await until(() => connection.isClosed, 'the end');
    expect(connection.text.split('\r\n\r\n')[1]).toBe(whole);
  });

  it('is not left open for a client that takes none', async () => {
    const id = await startExecution(server, analyst.token);
    const answer = await open(follow(id), { accept: 'application/json' });
    expect(answer.response.status).toBe(406);
    await noStreams();
  });

  it('is closed when its client goes before it begins', async () => {
    const id = await startExecution(server, analyst.token);
    for (let delay = 0; delay < 10; delay += 1) {
      const connection = await openSocket();
      connection.socket.write(raw('{ me { name } }', '1.1', 'application/json') + raw(follow(id)));
      await sleep(delay);
      connection.socket.destroy();
    }
    await sleep(100); // for those that are about to begin
    await noStreams();
  });
});

describe('a revocation', () => {
  /** Holds up everyone who reads results. */
  async function holdResults(): Promise<() => Promise<void>> {
    const client = new pg.Client({ connectionString: ownerUrlOf(server.databaseUrl) });
    await client.connect();
    await client.query('BEGIN; LOCK TABLE test_results');
    return () => client.end();
  }

  it('keeps back an answer that was being made', async () => {
    const person = await createPerson(server, await server.signIn(), 'VIEWER');
    const id = await startExecution(server, analyst.token);
    await addResults(server, analyst.token, id, [{ title: 'Secret', severity: 'HIGH' }]);
    const release = await holdResults();
    const query = `subscription { live: executionEvents(executionId: "${id}") { type results { title } } }`;
    const stream = await open(query, { 'x-correlation-id': 'mine' }, person.token);
    await until(() => stream.text.includes('STARTED'), 'the beginning');
    await untilLocked(server, 1); // the third answer waits for the database
    await server.rest('POST', '/api/v1/auth/logout', { token: person.token, body: {} });
    await until(() => stream.text.includes('TOKEN_REVOKED'), 'the end, without the database');
    await release();
    await until(() => stream.isOver, 'the end');
    expect(stream.text).not.toContain('Secret');
    expect(stream.text).toMatch(/"correlationId":"mine"[^\n]*\n\nevent: complete\ndata:\n\n$/);
  });
});
