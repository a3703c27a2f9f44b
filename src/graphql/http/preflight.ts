// What is looked at before a request is GraphQL: page or not, method, media type, size; and the answer to what is refused.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { AppError, headersOf } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import { bodyLimits, codingOf } from '../../http/body.js';
import type { Caller } from '../../http/request-limits.js';
import { logRefusal } from '../../infra/logging/security-events.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { LeanParams } from './fast-path.js';

/** Methods of the GraphQL paths, for the header Allow. */
export const graphqlMethods = 'GET, HEAD, POST, OPTIONS';
const methods = new Set(graphqlMethods.split(', '));

/** GraphQL is GET for queries and POST of JSON; anything else could be sent by a foreign page without asking (CSRF). */
export function refuseGraphQL(request: IncomingMessage): AppError | undefined {
  const { method, headers } = request;
  if (method === undefined || !methods.has(method)) return new AppError('METHOD_NOT_ALLOWED');
  if (method !== 'POST') return undefined;
  const type = headers['content-type'] ?? '';
  const isJson = type === 'application/json' || /^application\/json\s*(;|$)/i.test(type);
  return isJson ? undefined : new AppError('UNSUPPORTED_MEDIA_TYPE');
}

/** Whether a browser asks for the page to explore with. */
export function isPageAsked({ method, headers, url = '' }: IncomingMessage): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    !/[?&](query|documentId|extensions)=/.test(url) &&
    /\btext\/html\b/.test(headers.accept ?? '')
  );
}

/** Whether a body may be an operation; what of it is wrong beyond that, Yoga tells. */
export function isOperation(body: unknown): body is LeanParams {
  return (
    typeof body === 'object' &&
    body !== null &&
    !Array.isArray(body) &&
    ('query' in body || 'extensions' in body || 'documentId' in body)
  );
}

/** More than a little is taken only from those who are signed in; undefined when that is to be found out. */
function limitFor({ headers }: IncomingMessage, caller: Caller): number | undefined {
  const isPlain = codingOf(headers) === undefined;
  const length = Number((isPlain ? headers['content-length'] : undefined) ?? Number.POSITIVE_INFINITY);
  const { anonymousGraphQL, graphQL } = bodyLimits;
  if (length <= anonymousGraphQL || headers.authorization === undefined) return anonymousGraphQL;
  if (caller === undefined) return undefined;
  return caller === null ? anonymousGraphQL : graphQL;
}

/** Bytes that a body may have, at once where it is known. @throws AppError for a token that is not good */
export function bodyLimitOf(
  request: IncomingMessage,
  caller: Caller,
  authenticate: (authorization: string | undefined) => Promise<Viewer | null>,
): number | Promise<number> {
  return limitFor(request, caller) ?? limitAfter(authenticate(request.headers.authorization));
}

async function limitAfter(authenticated: Promise<Viewer | null>): Promise<number> {
  const viewer = await authenticated;
  return viewer === null ? bodyLimits.anonymousGraphQL : bodyLimits.graphQL;
}

/** Answers what was refused before any document was looked at. */
export function sendGraphQLRefusal(response: ServerResponse, error: AppError, log: Logger): void {
  if (error.code === 'INTERNAL')
    log.error({ event: 'internal_error', err: error.cause ?? error }, 'unexpected error');
  if (error.code === 'UNAVAILABLE')
    log.warn({ event: 'unavailable', err: error.cause ?? error }, error.message);
  logRefusal(log, error, undefined);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { code, message, status, fields, retryAfterSeconds } = error;
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  if (status === 405) response.setHeader('Allow', graphqlMethods);
  for (const [name, value] of Object.entries(headersOf(error, currentRequest()?.hasToken)))
    response.setHeader(name, value);
  const extensions = {
    code,
    correlationId: currentRequest()?.correlationId,
    ...(fields !== undefined && { fields }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
  response.end(JSON.stringify({ errors: [{ message, extensions }] }));
}
