// What every response has and every request goes through, ahead of GraphQL and Express: ids, headers, CORS, logging.
import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';
import type { Logger } from 'pino';
import { pinoHttp } from 'pino-http';
import { redactLooks } from '../infra/log-redaction.js';
import { correlationIdOf, type RequestContext, runInRequest, userAgentOf } from '../infra/request-context.js';
import { parseTraceparent, type Span, type Tracing } from '../infra/tracing.js';
import type { Infra } from '../services.js';
import { securityHeaders } from './headers.js';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Wraps the dispatcher. */
export function withMiddleware(
  { config, log, metrics, tracing }: Pick<Infra, 'config' | 'log' | 'metrics' | 'tracing'>,
  dispatch: Listener,
): Listener {
  const logRequests = createRequestLog(log);
  const headers = securityHeaders(config.isProduction);
  const allowOrigins = cors({
    origin: [...config.corsOrigins],
    methods: ['GET', 'POST'],
    allowedHeaders: ['Authorization', 'Content-Type', 'X-Correlation-ID', 'Accept-Version'],
    exposedHeaders: [
      ...['X-Correlation-ID', 'API-Version', 'Retry-After', 'RateLimit', 'RateLimit-Policy'],
      ...['Deprecation', 'Sunset', 'Link'],
    ],
    maxAge: 600,
  });
  return (request, response) => {
    const span = beginSpan(request, tracing);
    const correlationId = correlationIdOf(request.headers, span?.traceId);
    const userAgent = userAgentOf(request.headers['user-agent']);
    const store: RequestContext = {
      correlationId,
      ip: clientIp(request, config.trustProxyHops),
      ...{ userAgent, metrics, dbQueries: 0, dbMs: 0 },
      ...(span !== undefined && { span }),
      hasToken: /^bearer /i.test(request.headers.authorization ?? ''),
      response,
    };
    response.setHeader('X-Correlation-ID', correlationId);
    for (const [name, value] of headers) response.setHeader(name, value);
    runInRequest(store, () => {
      logRequests(request, response, store);
      measure(request, response, store);
      if (request.headers.origin === undefined) dispatch(request, response);
      else allowOrigins(request as never, response as never, () => dispatch(request, response));
    });
  };
}

/** The sender's address: the socket's, or as many hops up X-Forwarded-For as are trusted. */
export function clientIp(request: IncomingMessage, trustedHops: number): string | null {
  const forwarded = String(request.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((hop) => hop.trim())
    .filter(Boolean);
  const chain = [request.socket.remoteAddress ?? null, ...forwarded.reverse()];
  return chain[Math.min(trustedHops, chain.length - 1)]?.replace(/^::ffff:/, '').slice(0, 100) ?? null;
}

/** A trace goes on where the sender's left off. */
function beginSpan(request: IncomingMessage, tracing: Tracing | undefined): Span | undefined {
  if (tracing === undefined) return undefined;
  return tracing.begin(request.method ?? 'HTTP', parseTraceparent(request.headers.traceparent), {
    'http.request.method': request.method ?? '',
    'url.path': redactLooks(pathOf(request)),
  });
}

/** Tells /metrics and the trace how it ended, once the answer is out or the client has left. */
function measure(request: IncomingMessage, response: ServerResponse, store: RequestContext): void {
  const startedAt = performance.now();
  const { method = '' } = request;
  const { span } = store; // the operation's takes its place
  response.once('close', () => {
    const { route } = store;
    const status = response.writableFinished ? response.statusCode : undefined;
    // A stream lasts as long as someone listens: its length tells nothing of the server.
    if (store.operation?.startsWith('subscription ') !== true)
      store.metrics?.request((performance.now() - startedAt) / 1000, method, route, status);
    if (span === undefined) return;
    if (route !== undefined) span.rename(`${method} ${route}`);
    span.set({
      ...{ 'http.response.status_code': response.statusCode, correlation_id: store.correlationId },
      ...(route !== undefined && { 'http.route': route }),
      ...(store.userId !== undefined && { 'user.id': store.userId }),
    });
    span.end(status === undefined ? 'aborted' : status >= 500 ? String(status) : undefined);
  });
}

/** One line per request when its answer is out; probes and scrapes only at debug. */
function createRequestLog(log: Logger) {
  const log_ = pinoHttp({
    logger: log,
    quietResLogger: true,
    serializers: { req: () => undefined, res: () => undefined },
    customLogLevel: (request, response, error) => {
      if (error !== undefined || response.statusCode >= 500) return 'error';
      return /^\/(api\/v1\/health|metrics)\b/.test(request.url ?? '') ? 'debug' : 'info';
    },
    customSuccessObject: (request, response, given) => describe(request, response, given),
    customErrorObject: (request, response, error, given) => ({
      ...describe(request, response, given),
      err: error,
    }),
    customSuccessMessage: () => 'request',
    customErrorMessage: () => 'request failed',
    customAttributeKeys: { responseTime: 'durationMs' },
  });
  return (request: IncomingMessage, response: ServerResponse, store: RequestContext) => {
    Object.assign(request, { id: store.correlationId });
    contexts.set(request, store);
    log_(request, response);
  };
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0]?.slice(0, 200) ?? '';
}

const contexts = new WeakMap<IncomingMessage, RequestContext>();

function describe(request: IncomingMessage, response: ServerResponse, given: { durationMs?: number }) {
  const store = contexts.get(request);
  return {
    event: 'request',
    ...(store?.userId !== undefined && { userId: store.userId, sessionId: store.sessionId }),
    method: request.method,
    path: pathOf(request),
    route: store?.route,
    operation: store?.operation,
    status: response.statusCode,
    errors: store?.errors && [...store.errors].join(' '),
    durationMs: given.durationMs,
    dbMs: Math.round((store?.dbMs ?? 0) * 10) / 10,
    dbQueries: store?.dbQueries ?? 0,
    ip: store?.ip,
  };
}
