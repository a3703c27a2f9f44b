// What every response has and every request goes through, ahead of GraphQL and Express: ids, headers, CORS, logging.
import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';
import type { Logger } from 'pino';
import { pinoHttp } from 'pino-http';
import type { Config } from '../config.js';
import {
  isValidCorrelationId,
  newCorrelationId,
  type RequestContext,
  runInRequest,
  userAgentOf,
} from '../infra/request-context.js';
import { securityHeaders } from './headers.js';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Wraps the dispatcher. */
export function withMiddleware(config: Config, log: Logger, dispatch: Listener): Listener {
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
    const incoming = request.headers['x-correlation-id'];
    const correlationId = isValidCorrelationId(incoming) ? incoming : newCorrelationId();
    const userAgent = userAgentOf(request.headers['user-agent']);
    const store: RequestContext = {
      correlationId,
      ip: clientIp(request, config.trustProxyHops),
      userAgent,
      hasToken: /^bearer /i.test(request.headers.authorization ?? ''),
      response,
      dbQueries: 0,
      dbMs: 0,
    };
    response.setHeader('X-Correlation-ID', correlationId);
    for (const [name, value] of headers) response.setHeader(name, value);
    runInRequest(store, () => {
      logRequests(request, response, store);
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

/** One line per request when its answer is out; probes only at debug. */
function createRequestLog(log: Logger) {
  const log_ = pinoHttp({
    logger: log,
    quietResLogger: true,
    serializers: { req: () => undefined, res: () => undefined },
    customLogLevel: (request, response, error) => {
      if (error !== undefined || response.statusCode >= 500) return 'error';
      return request.url?.startsWith('/api/v1/health') ? 'debug' : 'info';
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

const contexts = new WeakMap<IncomingMessage, RequestContext>();

function describe(request: IncomingMessage, response: ServerResponse, given: { durationMs?: number }) {
  const store = contexts.get(request);
  return {
    event: 'request',
    ...(store?.userId !== undefined && { userId: store.userId, sessionId: store.sessionId }),
    method: request.method,
    path: request.url?.split('?', 1)[0]?.slice(0, 200),
    ...(store?.operation !== undefined && { operation: store.operation }),
    status: response.statusCode,
    durationMs: given.durationMs,
    dbMs: Math.round((store?.dbMs ?? 0) * 10) / 10,
    dbQueries: store?.dbQueries ?? 0,
    ip: store?.ip,
  };
}
