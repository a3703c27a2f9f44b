// Finds the address of a request, for limits and the audit trail: the socket's, or the one that trusted proxies report.
import type { IncomingMessage } from 'node:http';
import { isIPv4, isIPv6, SocketAddress } from 'node:net';

/**
 * The client's address in canonical form: dotted IPv4 also for IPv4-mapped IPv6, lower-case compressed IPv6 (RFC 5952)
 * without its zone. X-Forwarded-For is read from its end; an entry that is no address counts as the socket's address, so
 * that nothing a client writes becomes one.
 * @param trustedHops number of reverse proxies in front whose entries are believed
 * @returns null once the socket is gone
 */
export function clientIp(request: IncomingMessage, trustedHops: number): string | null {
  const peer = canonicalAddress(request.socket.remoteAddress ?? '') ?? null;
  const header = request.headers['x-forwarded-for'];
  if (trustedHops === 0 || header === undefined) return peer;
  const entries = String(header)
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean);
  const entry = entries.at(-Math.min(trustedHops, entries.length));
  return entry === undefined ? peer : (addressOf(entry) ?? peer);
}

/** The address of an entry, which Azure and IIS write with a port: `203.0.113.7:51034`, `[2001:db8::7]:51034`. */
function addressOf(entry: string): string | undefined {
  const [, ipv6, ipv4, port = '0'] = /^(?:\[([^[\]]+)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(entry) ?? [];
  if (Number(port) > 65_535) return undefined;
  if (ipv6 !== undefined) return isIPv6(ipv6) ? canonicalAddress(ipv6) : undefined;
  return canonicalAddress(ipv4 ?? entry);
}

function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text)) return undefined;
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}
