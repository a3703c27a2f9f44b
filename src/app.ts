// The app factory: one node:http server, GraphQL ahead of Express. It listens to nothing until it is told to.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import express, { type NextFunction, type Request, type Response } from 'express';
import type { Logger } from 'pino';
import { AppError, headersOf } from './core/errors.js';
import { authRoutes } from './features/auth/auth.routes.js';
import { healthRoutes } from './features/health/health.routes.js';
import { createGraphiqlPage } from './graphql/graphiql.js';
import { createGraphQLServer } from './graphql/server.js';
import { loadTrustedDocuments } from './graphql/trusted.js';
import { createWebSockets } from './graphql/websocket.js';
import { bodyLimits, readJson } from './http/body.js';
import { refuseBrokenRequests } from './http/broken.js';
import { docsRouter } from './http/docs.routes.js';
import { ambiguityOf, apiVersion, endRaw } from './http/headers.js';
import { withMiddleware } from './http/middleware.js';
import { sendProblem, toAppError } from './http/problem.js';
import { createRequestLimits } from './http/request-limits.js';
import { allowedMethods, mountRoutes, type Route } from './http/route.js';
import { versionFault } from './http/version.js';
import { currentRequest } from './infra/request-context.js';
import type { Infra, Services } from './services.js';

const graphqlPaths = new Set(['/graphql', '/api/v1/graphql']);
const graphqlMethods = 'GET, HEAD, POST, OPTIONS';
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

/**
 * Makes the server.
 * @param more routes besides those of the product
 */
export function createApp(services: Services, infra: Infra, more: readonly Route[] = []): App {
  const { config, log } = infra;
  const trusted =
    config.trustedDocuments === undefined ? undefined : loadTrustedDocuments(config.trustedDocuments);
  const yoga = createGraphQLServer(services, infra, trusted);
  const routes = [...allRoutes(services), ...more];
  const rest = createRestApp(services, infra, routes);
  const page = config.isGraphiqlEnabled ? createGraphiqlPage() : undefined;
  const allowed = allowedMethods(routes);
  const allowOf = (path: string) => (graphqlPaths.has(path) ? graphqlMethods : allowed.get(path));

  const graphql = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (isPageAsked(request)) {
      if (page === undefined) throw new AppError('NOT_FOUND', { message: 'There is no page here.' });
      await page(response);
      return;
    }
    const refusal = refuseGraphQL(request);
    if (refusal !== undefined) throw refusal;
    if (request.method === 'POST') {
      const body = await readJson(request, await bodyLimitOf(request, services));
      if (
        typeof body !== 'object' ||
        body === null ||
        Array.isArray(body) ||
        !('query' in body || 'extensions' in body || 'documentId' in body)
      ) {
        throw new AppError('VALIDATION_FAILED', { message: 'The body must be a JSON object with a query.' });
      }
      Object.assign(request, { body }); // where Yoga looks for it
    }
    // Node leaves the body out of what answers a HEAD.
    if (request.method === 'HEAD') Object.assign(request, { method: 'GET' });
    await yoga(request, response);
  };

  const limited = createRequestLimits({
    requests: services.requests,
    authenticate: services.auth.authenticate,
    isFree: (path) => path.startsWith('/api/v1/health'),
  });
  const dispatch = (request: IncomingMessage, response: ServerResponse): void => {
    const path = pathOf(request);
    const isGraphQL = graphqlPaths.has(path);
    const refuse = (error: unknown) => {
      if (isGraphQL) sendGraphQLRefusal(response, toAppError(error), log);
      else sendProblem(response, path, error, log);
    };
    const fault = ambiguityOf(request);
    if (fault !== undefined) {
      response.setHeader('Connection', 'close');
      refuse(fault);
      return;
    }
    const next = () => {
      const unknownVersion = versionFault(request, path);
      if (unknownVersion !== undefined) refuse(unknownVersion);
      else if (isGraphQL) graphql(request, response).catch(refuse);
      else rest(request, response);
    };
    limited(request, response, path, next, refuse);
  };
  const listener = withMiddleware(config, log, dispatch);
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 2000,
      maxHeaderSize: 16_384,
      requireHostHeader: false, // ambiguityOf asks for it: Node's own refusal has no headers
    },
    listener,
  );
  server.maxHeadersCount = 0; // their size is limited; a count would drop those beyond it unseen
  server.on('checkExpectation', listener); // an Expect header that nobody knows is ignored
  refuseBrokenRequests(server, config.isProduction, allowOf);
  const webSockets = createWebSockets(yoga, services, infra, trusted);
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    if (ambiguityOf(request) !== undefined) endRaw(socket, '400 Bad Request', config.isProduction);
    else if (graphqlPaths.has(pathOf(request))) webSockets.upgrade(request, socket, head);
    else endRaw(socket, '404 Not Found', config.isProduction);
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

function createRestApp(services: Services, { log }: Infra, routes: Route[]) {
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
  if (method !== 'GET' && method !== 'POST' && method !== 'OPTIONS' && method !== 'HEAD')
    return new AppError('METHOD_NOT_ALLOWED');
  const isJson = /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '');
  return method === 'POST' && !isJson ? new AppError('UNSUPPORTED_MEDIA_TYPE') : undefined;
}

function isPageAsked({ method, headers, url = '' }: IncomingMessage): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    !/[?&](query|documentId|extensions)=/.test(url) &&
    /\btext\/html\b/.test(headers.accept ?? '')
  );
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

/** More than a little is taken only from those who are signed in. */
async function bodyLimitOf({ headers }: IncomingMessage, { auth }: Services): Promise<number> {
  const length = Number(headers['content-length'] ?? Number.POSITIVE_INFINITY);
  const { anonymousGraphQL, graphQL } = bodyLimits;
  if (length <= anonymousGraphQL || headers.authorization === undefined) return anonymousGraphQL;
  return (await auth.authenticate(headers.authorization)) === null ? anonymousGraphQL : graphQL;
}

function sendGraphQLRefusal(response: ServerResponse, error: AppError, log: Logger): void {
  if (error.code === 'INTERNAL')
    log.error({ event: 'internal_error', err: error.cause ?? error }, 'unexpected error');
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
