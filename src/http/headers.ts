// Sets the headers of every response, responds on bare sockets, and checks the headers of requests.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError } from '../core/errors.js';
import { newCorrelationId } from '../infra/telemetry/request-context.js';

/** Version of the API as clients see it; the first number is in the path. */
export const apiVersion = '1.0';

/** A response loads nothing and is framed by nobody. /docs and GraphiQL have policies of their own. */
const contentSecurityPolicy =
  "default-src 'none'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Returns the headers of every response, as pairs of name and value. */
export function securityHeaders(isProduction: boolean): readonly (readonly [string, string])[] {
  return [
    ['API-Version', apiVersion],
    ['Cache-Control', 'no-store'],
    ['X-Content-Type-Options', 'nosniff'],
    ['X-Frame-Options', 'DENY'],
    ['X-Permitted-Cross-Domain-Policies', 'none'],
    ['Referrer-Policy', 'no-referrer'],
    ['Cross-Origin-Opener-Policy', 'same-origin'],
    ['Cross-Origin-Resource-Policy', 'same-origin'],
    ['Permissions-Policy', 'camera=(), geolocation=(), microphone=()'],
    ['Content-Security-Policy', contentSecurityPolicy],
    ['Vary', 'Origin'],
    ...(isProduction
      ? ([['Strict-Transport-Security', 'max-age=31536000; includeSubDomains']] as const)
      : []),
  ];
}

/** Responds on a socket that has no ServerResponse, without a body, and closes it. */
export function endRaw(
  socket: Duplex,
  status: string,
  isProduction: boolean,
  extra: readonly (readonly [string, string])[] = [],
): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const headers = [
    ...securityHeaders(isProduction),
    ['X-Correlation-ID', newCorrelationId()],
    ...extra,
    ['Connection', 'close'],
    ['Content-Length', '0'],
  ];
  const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  endAndLinger(socket, `HTTP/1.1 ${status}\r\n${head}\r\n`);
}

/** Time, in milliseconds, that a client has to read a refusal and close its side (RFC 9112, section 9.6). */
const lingerMs = 2000;

/** Ends a socket, and destroys it when the client does not close its side in time. */
export function endAndLinger(socket: Duplex, text: string): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.end(text);
}

/** Headers of which Node would drop or join a second one. */
const single = new Set(['authorization', 'content-type', 'host', 'origin']);
const singleLengths = new Set([...single].map(({ length }) => length));

/**
 * Examines a request for what two programs may read differently: a missing host, a header or a query parameter that
 * occurs twice.
 * @returns VALIDATION_FAILED, or undefined for a request with one meaning
 */
export function ambiguityOf(request: IncomingMessage): AppError | undefined {
  const { rawHeaders, url = '' } = request;
  if (request.headers.host === undefined && request.httpVersion === '1.1')
    return new AppError('VALIDATION_FAILED', { message: 'The header host is missing.' });
  let seen = '';
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const raw = rawHeaders[index] as string;
    if (!singleLengths.has(raw.length)) continue;
    const name = raw.toLowerCase();
    if (!single.has(name)) continue;
    if (seen.includes(name))
      return new AppError('VALIDATION_FAILED', { message: `The header ${name} occurs twice.` });
    seen += `${name} `;
  }
  const query = url.indexOf('?');
  if (query === -1) return undefined;
  const names = [...new URLSearchParams(url.slice(query + 1)).keys()];
  return new Set(names).size === names.length
    ? undefined
    : new AppError('VALIDATION_FAILED', { message: 'A query parameter occurs twice.' });
}
