// A page of an origin that CORS_ORIGINS does not list fails in its browser without a reason; the log names the setting.
import { connect } from 'node:net';
import { beforeEach, expect, it } from '@jest/globals';
import { until } from '../../kit/live.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ CORS_ORIGINS: 'https://app.example.com' });
beforeEach(() => server.clock.advance(600_000)); // origins that were logged before may be logged again

const lines = () => server.logs.filter(({ event }) => event === 'cors_refused');
const ask = (origin: string, method = 'GET', path = '/api/v1/health/live') =>
  fetch(server.url + path, { method, headers: { origin } }).then((response) => response.arrayBuffer());
/** The lines that this work adds. */
async function linesOf(work: () => Promise<unknown>) {
  const before = lines().length;
  await work();
  await ask('https://marker.example');
  await until(() => lines().at(-1)?.origin === 'https://marker.example', 'the last line');
  return lines().slice(before, -1);
}

it('a refused origin is logged with the setting, on every path, by preflights too', async () => {
  for (const [method, path] of [
    ['GET', '/api/v1/health/live'],
    ['OPTIONS', '/graphql'],
    ['POST', '/api/v1/auth/login'],
    ['GET', '/nowhere'],
  ] as const) {
    server.clock.advance(600_000);
    expect(await linesOf(() => ask('https://other.example', method, path))).toEqual([
      expect.objectContaining({
        ...{ level: 'warn', origin: 'https://other.example', setting: 'CORS_ORIGINS', method },
        msg: 'the origin https://other.example may not call the API from a browser: CORS_ORIGINS does not list it',
        correlationId: expect.any(String),
      }),
    ]);
  }
});

it('a WebSocket of a refused origin is logged too', async () => {
  const { hostname, port, host } = new URL(server.url);
  const handshake = (origin: string) =>
    new Promise<string>((resolve) => {
      const socket = connect(Number(port), hostname, () =>
        socket.write(
          `GET /graphql HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: ${origin}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n`,
        ),
      );
      socket.once('data', (bytes) => {
        resolve(String(bytes).split('\r\n')[0] ?? '');
        socket.destroy();
      });
    });
  const found = await linesOf(async () => {
    expect(await handshake('https://other.example')).toBe('HTTP/1.1 403 Forbidden');
    expect(await handshake('https://app.example.com')).toContain(' 101 ');
    expect(await handshake(server.url)).toContain(' 101 ');
  });
  expect(found.map(({ origin }) => origin)).toEqual(['https://other.example']);
});

it('allowed origins, the server’s own pages and requests without an origin are not logged', async () => {
  const found = await linesOf(async () => {
    await ask('https://app.example.com');
    await ask(server.url, 'POST', '/graphql');
    await server.rest('GET', '/api/v1/health/live');
  });
  expect(found).toEqual([]);
});

it('nobody can flood the log: each origin once in ten minutes, and twenty origins', async () => {
  const flood = async () => {
    for (let index = 0; index < 60; index += 1) await ask(`https://${index % 30}.example`);
    await ask(`https://${'x'.repeat(5000)}.example`);
  };
  const before = lines().length;
  await flood();
  await until(() => lines().length - before === 20, 'twenty lines');
  const origins = lines()
    .slice(before)
    .map(({ origin }) => origin as string);
  expect(new Set(origins).size).toBe(20);
  server.clock.advance(300_000); // the clock runs on, so a slow machine needs the room
  await flood();
  expect(lines()).toHaveLength(before + 20);
  server.clock.advance(300_000);
  await ask('https://0.example');
  await until(() => lines().length === before + 21, 'a line of the next window');
});

it('the origin is shortened and cannot forge a line', async () => {
  const found = await linesOf(() => ask(`https://${'x'.repeat(5000)}.example`));
  expect(found.map(({ origin }) => String(origin).length)).toEqual([200]);
  server.clock.advance(600_000);
  const forged = await linesOf(() => ask('https://a.example\u0085{"level":"fatal"}'));
  expect(forged.map(({ level }) => level)).toEqual(['warn']);
});
