// A request that offers another protocol (Upgrade: h2c) is answered as if it did not, on every path, with a body too.
import { describe, expect, it } from '@jest/globals';
import { sendRaw } from '../../kit/network/wire.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

const offers = {
  'h2c, as Java’s HttpClient sends it':
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
  'h2c, as curl sends it':
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAQAAAAIAAAAA',
  TLS: 'Connection: upgrade\r\nUpgrade: TLS/1.0',
  'several protocols': 'Connection: Upgrade\r\nUpgrade: websocket, h2c',
  'a protocol that nobody knows': 'Connection: upgrade\r\nUpgrade: x/1',
};
const body = '{"query":"{ me { email } }"}';
const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
const post = (offer: string, ...lines: string[]) =>
  [
    ...[
      'POST /graphql HTTP/1.1',
      'Host: x',
      'Content-Type: application/json',
      `Authorization: Bearer ${token}`,
    ],
    ...[offer, ...lines, '', ''],
  ].join('\r\n');
const get = (path: string, offer: string, ...lines: string[]) =>
  [`GET ${path} HTTP/1.1`, 'Host: x', offer, ...lines, '', ''].join('\r\n');
const last = 'GET /api/v1/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const statusesIn = (text: string) =>
  [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));

describe.each(Object.entries(offers))('an offer of %s', (_name, offer) => {
  it('is ignored on every path', async () => {
    for (const [path, status] of [
      ['/api/v1/health/live', 200],
      ['/docs/openapi.json', 200],
      ['/.well-known/jwks.json', 200],
      ['/graphql?query=%7B__typename%7D', 200],
      ['/api/v1/auth/me', 401],
      ['/nowhere', 404],
    ] as const) {
      const { text } = await sendRaw(server, get(path, offer) + last);
      expect([path, statusesIn(text)]).toEqual([path, [status, 200]]);
      expect(text).toMatch(/^x-content-type-options: nosniff\r$/im);
      expect(text).not.toMatch(/^upgrade:/im);
    }
  });

  it('is ignored with a body, of a known length and in chunks', async () => {
    for (const request of [
      post(offer, `Content-Length: ${body.length}`) + body,
      post(offer, 'Transfer-Encoding: chunked') + chunked,
    ]) {
      const { text } = await sendRaw(server, request + last);
      expect(statusesIn(text)).toEqual([200, 200]);
      expect(text).toContain('{"data":{"me":{"email":"admin@harness.test"}}}');
    }
  });
});

const [offer] = Object.values(offers) as [string];

it('a large body that arrives later is read too', async () => {
  const large = JSON.stringify({ query: '{ __typename }', variables: { padding: 'x'.repeat(500_000) } });
  const { text } = await sendRaw(server, post(offer, `Content-Length: ${large.length}`) + large + last);
  expect(statusesIn(text)).toEqual([200, 200]);
});

it('responses to requests before the offer come first', async () => {
  const plain = `${post('X-A: b', `Content-Length: ${body.length}`)}${body}`;
  const upgrading = get('/api/v1/health', offer, 'X-Correlation-ID: second');
  const { text } = await sendRaw(server, plain + upgrading + plain + last);
  expect(statusesIn(text)).toEqual([200, 200, 200, 200]);
  expect(text.indexOf('"email"')).toBeLessThan(text.search(/x-correlation-id: second/i));
});

it('a connection may make any number of offers', async () => {
  const requests = Array.from({ length: 200 }, () => get('/api/v1/health/live', offer)).join('');
  const { text } = await sendRaw(server, requests + last);
  expect(statusesIn(text)).toEqual(Array(201).fill(200));
});

it('an invalid request with an offer is refused as without one', async () => {
  expect(statusesIn((await sendRaw(server, get('/nowhere', offer, 'Host: y') + last)).text)[0]).toBe(400);
  const unclear = post(offer, 'Content-Length: 3', 'Transfer-Encoding: chunked') + chunked;
  const { text, isClosed } = await sendRaw(server, unclear);
  expect([statusesIn(text), isClosed]).toEqual([[400], true]);
});

it('only GET by HTTP/1.1 opens a WebSocket', async () => {
  const handshake =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws';
  const opened = sendRaw(server, get('/graphql', handshake), 1000);
  expect((await opened).text).toMatch(/^HTTP\/1\.1 101 /);
  const posted = await sendRaw(server, post(handshake, `Content-Length: ${body.length}`) + body + last);
  expect(statusesIn(posted.text)).toEqual([200, 200]);
  const old = await sendRaw(server, `GET /api/v1/health/live HTTP/1.0\r\nHost: x\r\n${handshake}\r\n\r\n`);
  expect(old.text).toMatch(/^HTTP\/1\.[01] 200 /);
});
