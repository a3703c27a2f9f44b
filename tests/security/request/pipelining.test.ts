// Attack: valid requests with invalid bytes behind them on one connection, to mix up whose response is whose. ASVS 4.2.1.
import { describe, expect, it } from '@jest/globals';
import { sendRaw } from '../../kit/network/wire.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();

const body = '{"query":"{ __typename }"}';
const graphql = (id: string) =>
  `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Correlation-ID: ${id}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const health = (id: string) => `GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX-Correlation-ID: ${id}\r\n\r\n`;
const broken = (...lines: string[]) => ['POST /graphql HTTP/1.1', 'Host: x', ...lines, '', ''].join('\r\n');

/** Status and correlation id of each response, in order; the id only where the request named it. */
async function statusesOf(bytes: string): Promise<string[]> {
  const { text, isClosed } = await sendRaw(server, bytes);
  expect(isClosed).toBe(true);
  const heads = text.split(/(?=HTTP\/1\.1 )/).filter((part) => part !== '');
  return heads.map((head) => {
    const id = /^x-correlation-id: (r\d)\r$/im.exec(head)?.[1];
    return [head.slice(9, 12), ...(id === undefined ? [] : [id])].join(' ');
  });
}

describe('valid requests are answered before what is invalid behind them', () => {
  it.each([
    ['bytes that are no HTTP', `${graphql('r1')}\u0000\u0001garbage\r\n\r\n`, ['200 r1', '400']],
    ['text that is no HTTP', `${graphql('r1')}hello there\r\n\r\n`, ['200 r1', '400']],
    ['a TLS handshake', `${health('r1')}\u0016\u0003\u0001\u0002`, ['200 r1', '400']],
    ['a probe of the database and text', `${health('r1')}hello there\r\n\r\n`, ['200 r1', '400']],
    [
      'several valid ones',
      `${graphql('r1')}${health('r2')}${graphql('r3')}%%%\r\n\r\n`,
      ['200 r1', '200 r2', '200 r3', '400'],
    ],
    [
      'a method that nobody knows, on a known path',
      `${health('r1')}FOO /graphql HTTP/1.1\r\n\r\n`,
      ['200 r1', '405'],
    ],
    [
      'a method that nobody knows, elsewhere',
      `${health('r1')}FOO /nowhere HTTP/1.1\r\n\r\n`,
      ['200 r1', '400'],
    ],
    ['a wrong version', `${graphql('r1')}GET / HTTP/9.9\r\n\r\n`, ['200 r1', '400']],
    [
      'two lengths',
      `${graphql('r1')}${broken('Content-Length: 3', 'Content-Length: 4')}abcd`,
      ['200 r1', '400'],
    ],
    [
      'a length and chunks',
      `${graphql('r1')}${broken('Content-Length: 3', 'Transfer-Encoding: chunked')}abc`,
      ['200 r1', '400'],
    ],
    [
      'headers that are too large',
      `${graphql('r1')}${broken(`X-Long: ${'a'.repeat(20_000)}`)}`,
      ['200 r1', '431'],
    ],
    [
      'an error response',
      `GET /nowhere HTTP/1.1\r\nHost: x\r\nX-Correlation-ID: r1\r\n\r\n%%%\r\n\r\n`,
      ['404 r1', '400'],
    ],
  ])('%s', async (_what, bytes, expected) => {
    expect(await statusesOf(bytes)).toEqual(expected);
  });
});

describe('a request that turns invalid in its body', () => {
  const chunked = (id: string, path = '/graphql') =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Correlation-ID: ${id}\r\nTransfer-Encoding: chunked\r\n\r\n`;

  it('gets one response, with its correlation id', async () => {
    for (const path of ['/graphql', '/api/v1/auth/login'])
      expect(await statusesOf(`${chunked('r1', path)}2\r\n{}\r\nzz\r\n`)).toEqual(['400 r1']);
  });

  it('gets it after the requests before it have theirs', async () => {
    expect(await statusesOf(`${health('r1')}${chunked('r2')}zz\r\n`)).toEqual(['200 r1', '400 r2']);
  });

  it('gets no second response when it has one already', async () => {
    expect(await statusesOf(`${chunked('r1', '/nowhere')}2\r\n{}\r\nzz\r\n`)).toEqual(['404 r1']);
  });
});

it('nothing follows the response to a request that closes the connection', async () => {
  const last = health('r1').replace('Host: x', 'Host: x\r\nConnection: close');
  expect(await statusesOf(`${last}%%%\r\n\r\n`)).toEqual(['200 r1']);
});

it('a method that nobody knows is 405 only where the path is its own', async () => {
  const { text } = await sendRaw(server, 'FOO /graphql HTTP/1.1\r\nHost: x\r\n\r\n');
  expect(text).toMatch(/^HTTP\/1\.1 405 [\s\S]*\r\nAllow: GET, HEAD, POST, OPTIONS\r\n/);
});
