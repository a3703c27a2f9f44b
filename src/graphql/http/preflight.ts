// Examines a request on a GraphQL path before its document: page or not, method, media types, size. It also answers those
// requests that are refused here.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { AppError, headersOf } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import { bodyLimits, codingOf } from '../../http/body.js';
import type { Caller } from '../../http/request-limits.js';
import { logFault } from '../../infra/logging/faults.js';
import { logRefusal } from '../../infra/logging/security-events.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { GraphQLParams } from './prepare-operation.js';

/** Methods of the GraphQL paths, for the header Allow. */
export const graphqlMethods = 'GET, HEAD, POST, OPTIONS';
const methods = new Set(graphqlMethods.split(', '));

/**
 * Refuses a request whose method or media types GraphQL does not have: GET for queries, POST of JSON. Any other media type
 * could be sent by a page of another origin without a preflight (CSRF). An unacceptable Accept is refused here too, because
 * Yoga would execute the operation first.
 * @returns METHOD_NOT_ALLOWED, UNSUPPORTED_MEDIA_TYPE or NOT_ACCEPTABLE, or undefined for a request that may go on
 */
export function refuseGraphQL(request: IncomingMessage): AppError | undefined {
  const { method, headers } = request;
  if (method === undefined || !methods.has(method))
    return new AppError('METHOD_NOT_ALLOWED', { ...(method === 'PUT' && { message: noSingleConnection }) });
  if (method === 'OPTIONS') return undefined;
  if (method === 'POST') {
    const type = headers['content-type'] ?? '';
    const isJson = type === 'application/json' || /^application\/json\s*(;|$)/i.test(type);
    if (!isJson) return new AppError('UNSUPPORTED_MEDIA_TYPE');
  }
  return isAcceptable(headers.accept) ? undefined : notAcceptable();
}

/** For the single connection mode of GraphQL over SSE, which reserves a stream with PUT. */
const noSingleConnection =
  'GET, HEAD, POST and OPTIONS are allowed. Subscribe with one request for each subscription (distinct connections): ' +
  'the single connection mode of graphql-sse does not exist here.';

/** Whether a browser asks for the GraphiQL page. */
export function isPageAsked({ method, headers, url = '' }: IncomingMessage): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    !/[?&](query|documentId|extensions)=/.test(url) &&
    /\btext\/html\b/.test(headers.accept ?? '')
  );
}

/** The media types of GraphQL responses. */
const mediaTypes = [
  'application/json',
  'application/graphql-response+json',
  'text/event-stream',
  'multipart/mixed',
];
const acceptCache = new LRUCache<string, boolean>({ max: 200 });

/** Whether a response of some kind fits the header Accept (RFC 9110, section 12.5.1). */
function isAcceptable(accept: string | undefined): boolean {
  if (accept === undefined || accept === 'application/json' || accept === '*/*') return true;
  let isKnown = acceptCache.get(accept);
  if (isKnown === undefined) {
    isKnown = accept.trim() === '' || accept.toLowerCase().split(',').some(fitsSome);
    acceptCache.set(accept, isKnown);
  }
  return isKnown;
}

function fitsSome(range: string): boolean {
  const [type = '', ...parameters] = range.split(';').map((part) => part.replace(/\s/g, ''));
  const isRefused = parameters.some(
    (parameter) =>
      /^q=0(\.0{0,3})?$/.test(parameter) ||
      (parameter.startsWith('charset=') && parameter !== 'charset=utf-8'), // as strict as Yoga
  );
  if (isRefused) return false;
  if (type === '*/*') return true;
  return type.endsWith('/*')
    ? mediaTypes.some((one) => one.startsWith(type.slice(0, -1)))
    : mediaTypes.includes(type);
}

/** The error of a request that accepts no format of its response. */
export function notAcceptable(): AppError {
  return new AppError('NOT_ACCEPTABLE', {
    message:
      'Accept application/json or application/graphql-response+json for queries and mutations, and text/event-stream ' +
      'or multipart/mixed;subscriptionSpec=1.0 for subscriptions, or subscribe through a WebSocket (graphql-transport-ws).',
  });
}

/** Whether a body may be an operation. Yoga names every fault beyond that. */
export function isOperation(body: unknown): body is GraphQLParams {
  return (
    typeof body === 'object' &&
    body !== null &&
    !Array.isArray(body) &&
    ('query' in body || 'extensions' in body || 'documentId' in body)
  );
}

/** The limit on the body; undefined when it depends on whether the token is valid. */
function limitFor({ headers }: IncomingMessage, caller: Caller): number | undefined {
  const isPlain = codingOf(headers) === undefined;
  const length = Number((isPlain ? headers['content-length'] : undefined) ?? Number.POSITIVE_INFINITY);
  const { anonymousGraphQL, graphQL } = bodyLimits;
  if (length <= anonymousGraphQL || headers.authorization === undefined) return anonymousGraphQL;
  if (caller === undefined) return undefined;
  return caller === null ? anonymousGraphQL : graphQL;
}

/**
 * Returns the limit on the body in bytes, as a number where it is known at once. Only signed-in callers may send large
 * bodies.
 * @throws UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED for a token that is not valid
 */
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

/** Sends the error of a request whose document was not examined. */
export function sendGraphQLRefusal(response: ServerResponse, error: AppError, log: Logger): void {
  logFault(log, error);
  logRefusal(log, error, undefined);
  if (response.headersSent) {
    if (!response.writableEnded) response.destroy();
    return;
  }
  const { status } = error;
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  if (status === 405) response.setHeader('Allow', graphqlMethods);
  for (const [name, value] of Object.entries(headersOf(error, currentRequest()?.hasToken)))
    response.setHeader(name, value);
  response.end(errorText(error));
}

/** A GraphQL response of one error, as JSON. */
export function errorText({ code, message, fields, retryAfterSeconds }: AppError): string {
  const extensions = {
    code,
    correlationId: currentRequest()?.correlationId,
    ...(fields !== undefined && { fields }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
  return JSON.stringify({ errors: [{ message, extensions }] });
}
