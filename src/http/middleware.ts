// What every response has and every request goes through, ahead of GraphQL and Express: ids, headers, CORS, logging.
import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';
import type { Infra } from '../infra/infra.js';
import { type Logger, logPlainLine } from '../infra/logging/logger.js';
import { redactLooks } from '../infra/logging/redaction.js';
import {
  correlationIdOf,
  type RequestContext,
  runInRequest,
  userAgentOf,
} from '../infra/telemetry/request-context.js';
import { parseTraceparent, type Span, type Tracing } from '../infra/telemetry/tracing.js';
import { securityHeaders } from './headers.js';
import { forgetRequest, noteLatestRequest } from './latest-request.js';
import { applyHeaders } from './response.js';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Wraps the dispatcher. Headers of the answer wait in the context until it is written. */
export function withMiddleware(
  { config, log, metrics, tracing }: Pick<Infra, 'config' | 'log' | 'metrics' | 'tracing'>,
  dispatch: (request: IncomingMessage, response: ServerResponse, store: RequestContext) => void,
): Listener {
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
  const always = securityHeaders(config.isProduction).flat();
  return (request, response) => {
    const span = beginSpan(request, tracing);
    const correlationId = correlationIdOf(request.headers, span?.traceId);
    const store: RequestContext = {
      correlationId,
      ip: clientIp(request, config.trustProxyHops),
      userAgent: userAgentOf(request.headers['user-agent']),
      hasToken: /^bearer /i.test(request.headers.authorization ?? ''),
      response,
      metrics,
      dbQueries: 0,
      dbMs: 0,
      headers: [...always, 'X-Correlation-ID', correlationId],
    };
    if (span !== undefined) store.span = span;
    noteLatestRequest(request.socket, store);
    logEnd(log, request, response, store);
    runInRequest(store, () => {
      if (request.headers.origin === undefined) {
        dispatch(request, response, store);
        return;
      }
      applyHeaders(response, store);
      allowOrigins(request as never, response as never, () => dispatch(request, response, store));
    });
  };
}

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

/** A trace goes on where the sender's left off. */
function beginSpan(request: IncomingMessage, tracing: Tracing | undefined): Span | undefined {
  if (tracing === undefined) return undefined;
  return tracing.begin(request.method ?? 'HTTP', parseTraceparent(request.headers.traceparent), {
    'http.request.method': request.method ?? '',
    'url.path': redactLooks(pathOf(request)),
  });
}

function pathOf({ url = '' }: IncomingMessage): string {
  const query = url.indexOf('?');
  return url.slice(0, query === -1 ? 200 : Math.min(query, 200));
}

/**
 * One line per request when its answer is out, or its client gone; probes and scrapes only at debug. /metrics and the
 * trace are told too. Every request ends here.
 */
function logEnd(
  log: Logger,
  request: IncomingMessage,
  response: ServerResponse,
  store: RequestContext,
): void {
  const startedAt = performance.now();
  const { span } = store; // the operation's takes its place
  let error: Error | undefined;
  response.on('error', (fault) => {
    error = fault;
  });
  response.on('close', () => {
    forgetRequest(request.socket, store);
    const tookMs = performance.now() - startedAt;
    const { correlationId, userId, sessionId, route, operation, errors, ip } = store;
    const { method = '' } = request;
    const path = pathOf(request);
    const line = {
      event: 'request',
      correlationId,
      userId,
      sessionId,
      method,
      path,
      route,
      operation,
      status: response.statusCode,
      errors: errors && [...errors].join(' '),
      durationMs: Math.round(tookMs),
      dbMs: Math.round(store.dbMs * 10) / 10,
      dbQueries: store.dbQueries,
      ip,
    };
    if (error !== undefined || response.statusCode >= 500)
      log.error({ ...line, err: error }, 'request failed');
    else {
      const isProbe = route !== '/graphql' && /^\/(api\/v1\/health|metrics)\b/.test(path);
      logPlainLine(log, isProbe ? 'debug' : 'info', line, 'request');
    }
    const status = response.writableFinished ? response.statusCode : undefined;
    // A stream lasts as long as someone listens: its length tells nothing of the server.
    if (operation?.startsWith('subscription ') !== true)
      store.metrics?.request(tookMs / 1000, method, route, status);
    if (span !== undefined) endSpan(span, method, response, store);
  });
}

function endSpan(span: Span, method: string, response: ServerResponse, store: RequestContext): void {
  const { route, userId, correlationId } = store;
  if (route !== undefined) span.rename(`${method} ${route}`);
  span.set({
    ...{ 'http.response.status_code': response.statusCode, correlation_id: correlationId },
    ...(route !== undefined && { 'http.route': route }),
    ...(userId !== undefined && { 'user.id': userId }),
  });
  if (!response.writableFinished) span.end('aborted');
  else span.end(response.statusCode >= 500 ? String(response.statusCode) : undefined);
}
