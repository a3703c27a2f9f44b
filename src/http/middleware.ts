// What every response has and every request goes through, ahead of GraphQL and Express: ids, headers, CORS, logging.
import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';
import type { Config } from '../config.js';
import { type Logger, logPlainLine } from '../infra/logger.js';
import {
  isValidCorrelationId,
  newCorrelationId,
  type RequestContext,
  runInRequest,
  userAgentOf,
} from '../infra/request-context.js';
import { applyHeaders, securityHeaders } from './headers.js';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Wraps the dispatcher. The headers that every answer has wait in the context until one is written. */
export function withMiddleware(
  config: Config,
  log: Logger,
  dispatch: (request: IncomingMessage, response: ServerResponse, store: RequestContext) => void,
): Listener {
  const always = securityHeaders(config.isProduction).flat();
  const allowOrigins = cors({
    origin: [...config.corsOrigins],
    methods: ['GET', 'POST'],
    allowedHeaders: ['Authorization', 'Content-Type', 'X-Correlation-ID'],
    exposedHeaders: [
      ...['X-Correlation-ID', 'API-Version', 'Retry-After', 'RateLimit', 'RateLimit-Policy'],
      ...['Deprecation', 'Sunset'],
    ],
    maxAge: 600,
  });
  return (request, response) => {
    const incoming = request.headers['x-correlation-id'];
    const correlationId = isValidCorrelationId(incoming) ? incoming : newCorrelationId();
    const store: RequestContext = {
      correlationId,
      ip: clientIp(request, config.trustProxyHops),
      userAgent: userAgentOf(request.headers['user-agent']),
      dbQueries: 0,
      dbMs: 0,
      headers: ['X-Correlation-ID', correlationId, ...always],
    };
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
  return address?.replace(/^::ffff:/, '').slice(0, 100) ?? null;
}

/** One line per request when its answer is out, or its client gone; probes only at debug. Every request ends here. */
function logEnd(
  log: Logger,
  request: IncomingMessage,
  response: ServerResponse,
  store: RequestContext,
): void {
  const startedAt = performance.now();
  let error: Error | undefined;
  response.on('error', (fault) => {
    error = fault;
  });
  response.once('close', () => {
    const { correlationId, userId, sessionId, operation, ip } = store;
    const line = {
      ...{ event: 'request', correlationId, userId, sessionId },
      method: request.method,
      path: request.url?.split('?', 1)[0]?.slice(0, 200),
      operation,
      status: response.statusCode,
      durationMs: Math.round(performance.now() - startedAt),
      dbMs: Math.round(store.dbMs * 10) / 10,
      dbQueries: store.dbQueries,
      ip,
    };
    if (error !== undefined || response.statusCode >= 500)
      log.error({ ...line, err: error }, 'request failed');
    else logPlainLine(log, request.url?.startsWith('/api/v1/health') ? 'debug' : 'info', line, 'request');
  });
}
