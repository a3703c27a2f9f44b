// Headers of every answer, also of those written by hand to a socket; and what is wrong with a request's own headers.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError } from '../core/errors.js';
import { newCorrelationId } from '../infra/telemetry/request-context.js';

/** Version of the API as clients see it; the first number is in the path. */
export const apiVersion = '1.0';

/** What answers may load and who may frame them: nothing, nobody. The two pages have policies of their own. */
const contentSecurityPolicy =
  "default-src 'none'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** What every answer has. */
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

/** Answers on a bare socket (there is no ServerResponse yet, or never will be) and closes it. */
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
  socket.end(`HTTP/1.1 ${status}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
}

/** Headers of which a second one must not silently be dropped or joined. */
const single = new Set(['authorization', 'content-type', 'host', 'origin']);
const singleLengths = new Set([...single].map(({ length }) => length));

/** What is ambiguous about a request: no host, or a header or a query parameter that is there twice. */
export function ambiguityOf(request: IncomingMessage): AppError | undefined {
  const { rawHeaders, url = '' } = request;
  if (request.headers.host === undefined && request.httpVersion === '1.1') {
    return new AppError('VALIDATION_FAILED', { message: 'The header host is missing.' });
  }
  let seen = '';
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const raw = rawHeaders[index] as string;
    if (!singleLengths.has(raw.length)) continue;
    const name = raw.toLowerCase();
    if (!single.has(name)) continue;
    if (seen.includes(name)) {
      return new AppError('VALIDATION_FAILED', { message: `The header ${name} is there twice.` });
    }
    seen += `${name} `;
  }
  const query = url.indexOf('?');
  if (query === -1) return undefined;
  const names = [...new URLSearchParams(url.slice(query + 1)).keys()];
  return new Set(names).size === names.length
    ? undefined
    : new AppError('VALIDATION_FAILED', { message: 'A query parameter is there twice.' });
}
