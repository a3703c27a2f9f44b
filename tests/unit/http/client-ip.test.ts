// Which address a request counts as, with and without trusted proxies, in every spelling that proxies use.
import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { clientIp } from '../../../src/http/client-address.js';

const from = (remoteAddress: string | undefined, forwarded?: string | string[]) =>
  ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage;

describe('the address of a client', () => {
  it.each([
    ['the socket’s, when no proxy is trusted', '10.0.0.1', '1.1.1.1', 0, '10.0.0.1'],
    ['the socket’s, when nothing was forwarded', '10.0.0.1', undefined, 1, '10.0.0.1'],
    ['the one that one proxy saw', '10.0.0.1', '1.1.1.1', 1, '1.1.1.1'],
    ['not one that the client made up before that', '10.0.0.1', '6.6.6.6, 1.1.1.1', 1, '1.1.1.1'],
    ['the one that the second proxy saw', '10.0.0.1', '6.6.6.6, 1.1.1.1, 10.0.0.2', 2, '1.1.1.1'],
    ['the farthest there is, when more proxies are trusted', '10.0.0.1', '1.1.1.1', 5, '1.1.1.1'],
    ['without spaces and empty entries', '10.0.0.1', ' , 1.1.1.1 ,, ', 1, '1.1.1.1'],
    ['IPv4 where the socket maps it to IPv6', '::ffff:10.0.0.1', undefined, 0, '10.0.0.1'],
    ['the socket’s without its zone', 'fe80::1%eth0', undefined, 0, 'fe80::1'],
    ['the socket’s, when the header is empty', '10.0.0.1', ' , ', 1, '10.0.0.1'],
  ])('is %s', (_name, socket, forwarded, hops, expected) => {
    expect(clientIp(from(socket, forwarded), hops)).toBe(expected);
  });

  it('is unknown once the socket is gone', () => {
    expect(clientIp(from(undefined), 0)).toBeNull();
    expect(clientIp(from(undefined, 'unknown'), 1)).toBeNull();
  });

  it.each([
    ['203.0.113.7', ['203.0.113.7', '203.0.113.7:51034', '203.0.113.7:1', '203.0.113.7:65535']],
    [
      '203.0.113.7',
      ['::ffff:203.0.113.7', '::FFFF:203.0.113.7', '::ffff:cb00:7107', '0:0:0:0:0:ffff:203.0.113.7'],
    ],
    ['203.0.113.7', ['[::ffff:203.0.113.7]:51034', '[::ffff:cb00:7107]']],
    [
      '2001:db8::7',
      [
        ...['2001:db8::7', '2001:DB8::7', '2001:0db8:0:0:0:0:0:7', '2001:db8:0:0::0007', '2001:db8::0.0.0.7'],
        ...[
          '[2001:db8::7]',
          '[2001:db8::7]:51034',
          '[2001:DB8:0::7]:443',
          '2001:db8::7%eth0',
          '[2001:db8::7%1]:80',
        ],
      ],
    ],
    ['::1', ['::1', '0:0:0:0:0:0:0:1', '[::1]:4000']],
  ])('is %s, however a proxy writes it', (expected, spellings) => {
    for (const spelling of spellings)
      expect([spelling, clientIp(from('10.0.0.1', spelling), 1)]).toEqual([spelling, expected]);
  });

  it.each([
    ...['unknown', '_hidden', '<script>alert(1)</script>', 'localhost', 'null', '-', '""', '"203.0.113.7"'],
    ...[
      '203.0.113',
      '203.0.113.7.8',
      '203.0.113.256',
      '010.0.0.1',
      '0x7f.0.0.1',
      '2130706433',
      '203.0.113.7/24',
    ],
    ...[
      '203.0.113.7:',
      '203.0.113.7:65536',
      '203.0.113.7:port',
      '203.0.113.7:80:80',
      ':51034',
      '203.0.113.7 x',
    ],
    ...[
      '[203.0.113.7]',
      '[203.0.113.7]:80',
      '[2001:db8::7',
      '2001:db8::7]',
      '[]:80',
      '[2001:db8::7]x',
      '[[::1]]',
    ],
    ...['2001:db8:::7', '2001:db8::7::1', '1:2:3:4:5:6:7:8:9', 'g::1', '2001:db8::7%<b>', 'for=203.0.113.7'],
    ...['203.0.113.7\u0000', '２０３.0.113.7', 'x'.repeat(5000)],
  ])('is the socket’s where a trusted proxy writes %j', (entry) => {
    expect(clientIp(from('10.0.0.1', `6.6.6.6, ${entry}`), 1)).toBe('10.0.0.1');
  });
});
