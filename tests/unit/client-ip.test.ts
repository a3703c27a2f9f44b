// Whose address a request comes from, with and without trusted proxies.
import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { clientIp } from '../../src/http/client-address.js';

const from = (remoteAddress: string | undefined, forwarded?: string | string[]) =>
  ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage;

describe('the sender’s address', () => {
  it.each([
    ['the socket’s, when nobody is trusted', '10.0.0.1', '1.1.1.1', 0, '10.0.0.1'],
    ['the socket’s, when nothing was forwarded', '10.0.0.1', undefined, 1, '10.0.0.1'],
    ['what one proxy saw', '10.0.0.1', '1.1.1.1', 1, '1.1.1.1'],
    ['not what the client made up before that', '10.0.0.1', '6.6.6.6, 1.1.1.1', 1, '1.1.1.1'],
    ['what the second proxy saw', '10.0.0.1', '6.6.6.6, 1.1.1.1, 10.0.0.2', 2, '1.1.1.1'],
    ['the farthest there is, when more are trusted', '10.0.0.1', '1.1.1.1', 5, '1.1.1.1'],
    ['without spaces and empty entries', '10.0.0.1', ' , 1.1.1.1 ,, ', 1, '1.1.1.1'],
    ['IPv4 without its IPv6 coat', '::ffff:10.0.0.1', undefined, 0, '10.0.0.1'],
    ['IPv6 as it is', '::1', '2001:db8::1', 1, '2001:db8::1'],
  ])('is %s', (_name, socket, forwarded, hops, expected) => {
    expect(clientIp(from(socket, forwarded), hops)).toBe(expected);
  });

  it('is unknown when the socket is gone, and never long', () => {
    expect(clientIp(from(undefined), 0)).toBeNull();
    expect(clientIp(from('10.0.0.1', 'x'.repeat(5000)), 1)).toHaveLength(100);
  });
});
