// The app factory: one node:http server, GraphQL ahead of Express. It listens to nothing until it is told to.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import express, { type NextFunction, type Request, type Response } from 'express';
import { AppError, errorCatalogue } from './core/errors.js';
import { authRoutes } from './features/auth/auth.routes.js';
import { healthRoutes } from './features/health/health.routes.js';
import { createGraphQLServer } from './graphql/server.js';
import { createWebSockets } from './graphql/websocket.js';
import { docsRouter } from './http/docs.routes.js';
import { apiVersion, withMiddleware } from './http/middleware.js';
import { sendProblem } from './http/problem.js';
import { createRequestLimits } from './http/request-limits.js';
import { mountRoutes, type Route } from './http/route.js';
import { currentRequest } from './infra/request-context.js';
import type { Infra, Services } from './services.js';

const graphqlPaths = new Set(['/graphql', '/api/v1/graphql']);
const graphiqlPolicy =
  "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; " +
  "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; " +
  "base-uri 'none'; form-action 'none'";

/** Every REST route; the one list that is mounted and documented. */
export function allRoutes(services: Services): Route[] {
  return [...authRoutes(services), ...healthRoutes(services.health)];
}

/** A server that does not listen yet. */
export interface App {
  server: Server;
  /** Ends all live streams and WebSockets, cleanly. */
  endStreams: () => Promise<void>;
}

/** Makes the server. */
export function createApp(services: Services, infra: Infra): App {
  const { config, log } = infra;
  const yoga = createGraphQLServer(services, infra);
  const rest = createRestApp(services, infra);

  const graphql = (request: IncomingMessage, response: ServerResponse): void => {
    const refusal = refuseGraphQL(request);
    if (refusal !== undefined) {
      sendGraphQLRefusal(response, refusal);
      return;
    }
    const isPage =
      request.method === 'GET' &&
      config.isGraphiqlEnabled &&
      /\btext\/html\b/.test(request.headers.accept ?? '');
    response.setHeader('Cache-Control', 'no-store');
    if (isPage) response.setHeader('Content-Security-Policy', graphiqlPolicy);
    Promise.resolve(yoga(request, response)).catch((error: unknown) =>
      sendProblem(response, '/graphql', error, log),
    );
  };

  const limited = createRequestLimits({
    requests: services.requests,
    authenticate: services.auth.authenticate,
    isFree: (path) => path.startsWith('/api/v1/health'),
  });
  const dispatch = (request: IncomingMessage, response: ServerResponse): void => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (graphqlPaths.has(path)) limited(request, response, path, graphql, sendGraphQLRefusal);
    else limited(request, response, path, rest, (to, refusal) => sendProblem(to, path, refusal, log));
  };
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 2000,
      maxHeaderSize: 16_384,
    },
    withMiddleware(config, log, dispatch),
  );
  server.maxHeadersCount = 100;
  const webSockets = createWebSockets(yoga, services, infra);
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const isGraphQL = graphqlPaths.has((request.url ?? '').split('?', 1)[0] ?? '');
    if (isGraphQL) webSockets.upgrade(request, socket, head);
    else socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  return {
    server,
    async endStreams() {
      services.streams.close();
      services.events.close();
      await webSockets.close();
    },
  };
}

function createRestApp(services: Services, { log }: Infra) {
  const routes = allRoutes(services);
  const rest = express();
  rest.disable('x-powered-by');
  rest.disable('etag');
  rest.set('query parser', 'simple');
  rest.use(mountRoutes(routes, services.auth.authenticate));
  rest.use(docsRouter(routes, apiVersion));
  rest.use(() => {
    throw new AppError('NOT_FOUND', { message: 'There is nothing at this path.' });
  });
  rest.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    sendProblem(response, request.path, error, log);
  });
  return rest;
}

/** GraphQL is GET for queries and POST of JSON; anything else could be sent by a foreign page without asking (CSRF). */
function refuseGraphQL(request: IncomingMessage): AppError | undefined {
  const { method, headers } = request;
  if (method !== 'GET' && method !== 'POST' && method !== 'OPTIONS')
    return new AppError('METHOD_NOT_ALLOWED');
  const isJson = /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '');
  return method === 'POST' && !isJson ? new AppError('UNSUPPORTED_MEDIA_TYPE') : undefined;
}

function sendGraphQLRefusal(response: ServerResponse, error: AppError): void {
  response.statusCode = errorCatalogue[error.code].status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  if (response.statusCode === 405) response.setHeader('Allow', 'GET, POST, OPTIONS');
  const { code, retryAfterSeconds } = error;
  if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', String(retryAfterSeconds));
  const extensions = {
    ...{ code, correlationId: currentRequest()?.correlationId },
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
  response.end(JSON.stringify({ errors: [{ message: error.message, extensions }] }));
}
