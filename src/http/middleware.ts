// Runs ahead of GraphQL and REST for every request: its context, the headers of its response, CORS, logging and tracing.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Infra } from '../infra/infra.js';
import { redactLooks } from '../infra/logging/redaction.js';
import {
  correlationIdOf,
  type RequestContext,
  runInRequest,
  userAgentOf,
} from '../infra/telemetry/request-context.js';
import { parseTraceparent } from '../infra/telemetry/trace-context.js';
import type { Span, Tracing } from '../infra/telemetry/tracing.js';
import { clientIp } from './client-address.js';
import { forgetRequest, noteLatestRequest } from './connection/latest-request.js';
import { createCors, type OriginLog } from './cors.js';
import { securityHeaders } from './headers.js';
import { pathOf, type RequestLog } from './request-log.js';
import { applyHeaders } from './response.js';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Wraps the dispatcher. The headers of the response wait in the context until somebody writes the response.
 * @param requestLog writes one line when the response ends
 * @param logOrigin logs an origin that may not call
 */
export function withMiddleware(
  { config, metrics, tracing }: Pick<Infra, 'config' | 'metrics' | 'tracing'>,
  requestLog: RequestLog,
  logOrigin: OriginLog,
  dispatch: (request: IncomingMessage, response: ServerResponse, store: RequestContext) => void,
): Listener {
  const allowOrigins = createCors(config.corsOrigins);
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
    observeEnd(requestLog, request, response, store);
    runInRequest(store, () => {
      if (request.headers.origin === undefined) {
        dispatch(request, response, store);
        return;
      }
      logOrigin(request);
      applyHeaders(response, store);
      allowOrigins(request, response, () => dispatch(request, response, store));
    });
  };
}

/** Logs, measures and traces the end of a request: its response has been sent, or its client has disconnected. */
function observeEnd(
  requestLog: RequestLog,
  request: IncomingMessage,
  response: ServerResponse,
  store: RequestContext,
): void {
  const startedAt = performance.now();
  const { span } = store; // the span of the operation takes its place later
  const latest = noteLatestRequest(request.socket, store);
  requestLog.watch(response);
  response.on('close', () => {
    forgetRequest(latest, store);
    if ('body' in request) request.body = undefined; // Node keeps the last request of an idle connection
    const tookMs = performance.now() - startedAt;
    const { method = '' } = request;
    requestLog.end(request, response, store, tookMs);
    const status = response.writableFinished ? response.statusCode : undefined;
    // The duration of a stream says when its client left, not how fast the server is.
    if (store.operation?.startsWith('subscription ') !== true)
      store.metrics?.request(tookMs / 1000, method, store.route, status);
    if (span !== undefined) endSpan(span, method, response, store);
  });
}

/** Begins the span of a request; it continues the sender's trace, if there is one. */
function beginSpan(request: IncomingMessage, tracing: Tracing | undefined): Span | undefined {
  if (tracing === undefined) return undefined;
  return tracing.begin(request.method ?? 'HTTP', parseTraceparent(request.headers.traceparent), {
    'http.request.method': request.method ?? '',
    'url.path': redactLooks(pathOf(request)),
  });
}

function endSpan(span: Span, method: string, response: ServerResponse, store: RequestContext): void {
  const { route, userId, correlationId } = store;
  if (route !== undefined) span.rename(`${method} ${route}`);
  span.set({
    'http.response.status_code': response.statusCode,
    correlation_id: correlationId,
    ...(route !== undefined && { 'http.route': route }),
    ...(userId !== undefined && { 'user.id': userId }),
  });
  if (!response.writableFinished) span.end('aborted');
  else span.end(response.statusCode >= 500 ? String(response.statusCode) : undefined);
}
