// The address of a client, by its socket or by the header of the reverse proxies in front.
import type { IncomingMessage } from 'node:http';

/** The sender's address: the socket's, or as many hops up X-Forwarded-For as are trusted. */
export function clientIp(request: IncomingMessage, trustedHops: number): string | null {
  const address = request.socket.remoteAddress ?? null;
  const header = request.headers['x-forwarded-for'];
  if (trustedHops === 0 || header === undefined) return shortened(address);
  const forwarded = String(header)
    .split(',')
    .map((hop) => hop.trim())
    .filter(Boolean);
  const chain = [address, ...forwarded.reverse()];
  return shortened(chain[Math.min(trustedHops, chain.length - 1)]);
}

function shortened(address: string | null | undefined): string | null {
  return address === undefined || address === null
    ? null
    : address.slice(address.startsWith('::ffff:') ? 7 : 0).slice(0, 100);
}
