// The app factory: one node:http server, GraphQL ahead of Express. It listens to nothing until it is told to.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import express, { type NextFunction, type Request, type Response } from 'express';
import { AppError } from './core/errors.js';
import type { Timing } from './core/timing.js';
import { authRoutes } from './features/auth/auth.routes.js';
import { healthRoutes } from './features/health/health.routes.js';
import { createGraphiqlPage } from './graphql/graphiql.js';
import {
  bodyLimitOf,
  graphqlMethods,
  isOperation,
  isPageAsked,
  refuseGraphQL,
  sendGraphQLRefusal,
} from './graphql/requests.js';
import { createGraphQLServer } from './graphql/server.js';
import { loadTrustedDocuments } from './graphql/trusted.js';
import { createWebSockets } from './graphql/websocket.js';
import { type Answer, answersWith } from './http/answer.js';
import { DirectRequest, readJson } from './http/body.js';
import { refuseBrokenRequests } from './http/broken.js';
import { createCrowds } from './http/crowds.js';
import { docsRouter } from './http/docs.routes.js';
import { ambiguityOf, apiVersion, endRaw, securityHeaders } from './http/headers.js';
import { metricsRouter } from './http/metrics.routes.js';
import { withMiddleware } from './http/middleware.js';
import { sendProblem, toAppError } from './http/problem.js';
import { type Caller, createRequestLimits } from './http/request-limits.js';
import { allowedMethods, mountRoutes, type Route } from './http/route.js';
import { versionFault } from './http/version.js';
import { type RequestContext, runInRequest } from './infra/request-context.js';
import type { Infra, Services } from './services.js';

const graphqlPaths = new Set(['/graphql', '/api/v1/graphql']);
/** Every REST route; the one list that is mounted and documented. */
export function allRoutes(services: Services): Route[] {
  return [...authRoutes(services), ...healthRoutes(services.health)];
}

/** A server that does not listen yet. */
export interface App {
  server: Server;
  openWebSockets: () => number;
  /** Ends all live streams and WebSockets, cleanly. */
  endStreams: () => Promise<void>;
}

/** What tests choose. */
export interface AppOptions {
  /** Whether plain requests go the short way (graphql/lean.ts); by default they do. */
  isLean?: boolean;
  /** Routes besides those of the product. */
  moreRoutes?: readonly Route[];
  timing?: Partial<Timing>;
}

/** Makes the server. */
export function createApp(
  services: Services,
  infra: Infra,
  { isLean = true, moreRoutes = [] }: AppOptions = {},
): App {
  const { config, log } = infra;
  const trusted =
    config.trustedDocuments === undefined ? undefined : loadTrustedDocuments(config.trustedDocuments);
  const { yoga, lean } = createGraphQLServer(services, infra, trusted);
  const routes = [...allRoutes(services), ...moreRoutes];
  const rest = createRestApp(services, infra, routes);
  const crowds = createCrowds(routes);
  const page = config.isGraphiqlEnabled ? createGraphiqlPage() : undefined;
  const allowed = allowedMethods(routes);
  const allowOf = (path: string) => (graphqlPaths.has(path) ? graphqlMethods : allowed.get(path));

  /** What throws here, or before the first promise, is refused by the caller. */
  const graphql = (
    request: IncomingMessage,
    response: Answer,
    store: RequestContext,
    caller: Caller,
    refuse: (error: unknown) => void,
  ): void => {
    if (isPageAsked(request)) {
      if (page === undefined) throw new AppError('NOT_FOUND', { message: 'There is no page here.' });
      response.applyHeaders(store);
      page(response).catch(refuse);
      return;
    }
    const refusal = refuseGraphQL(request);
    if (refusal !== undefined) throw refusal;
    const throughYoga = () => {
      // Node leaves the body out of what answers a HEAD.
      if (request.method === 'HEAD') Object.assign(request, { method: 'GET' });
      response.applyHeaders(store);
      Promise.resolve(yoga(request, response)).catch(refuse);
    };
    if (request.method !== 'POST') {
      throughYoga();
      return;
    }
    const answer = (body: unknown) => {
      if (!isOperation(body)) {
        throw new AppError('VALIDATION_FAILED', { message: 'The body must be a JSON object with a query.' });
      }
      if (isLean && caller !== undefined && lean({ request, response, store, refuse }, body, caller)) return;
      Object.assign(request, { body }); // where Yoga looks for it
      throughYoga();
    };
    // What a body brings comes in no request's context.
    const inRequest =
      <T>(work: (value: T) => void) =>
      (value: T) =>
        runInRequest(store, () => work(value));
    const read = (bytes: number) => readJson(request, bytes, inRequest(answer), inRequest(refuse));
    const limit = bodyLimitOf(request, caller, services.auth.authenticate);
    if (typeof limit === 'number') read(limit);
    else limit.then(read).catch(refuse);
  };

  const limited = createRequestLimits({
    requests: services.requests,
    authenticate: services.auth.authenticate,
    recall: services.auth.recall,
    isFree: (path) => path.startsWith('/api/v1/health') || path === '/metrics',
  });
  const dispatch = (request: IncomingMessage, response: Answer, store: RequestContext): void => {
    const path = pathOf(request);
    const isGraphQL = graphqlPaths.has(path);
    if (isGraphQL) store.route = '/graphql';
    const refuse = (error: unknown) => {
      if (!response.headersSent) response.applyHeaders(store);
      if (isGraphQL) sendGraphQLRefusal(response, toAppError(error), log);
      else sendProblem(response, path, error, log);
    };
    const fault = ambiguityOf(request);
    if (fault !== undefined) {
      response.setHeader('Connection', 'close');
      refuse(fault);
      return;
    }
    const next = (caller: Caller) => {
      const unknownVersion = versionFault(request, path);
      if (unknownVersion !== undefined) {
        refuse(unknownVersion);
        return;
      }
      if (isGraphQL) {
        graphql(request, response, store, caller, refuse);
        return;
      }
      const work = () => {
        response.applyHeaders(store);
        rest(request, response);
      };
      crowds({ method: request.method, path, store, work, refuse });
    };
    try {
      limited(request, store, path, next, refuse);
    } catch (error) {
      refuse(error);
    }
  };
  const listener = withMiddleware(infra, dispatch);
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 2000,
      maxHeaderSize: 16_384,
      IncomingMessage: DirectRequest,
      ServerResponse: answersWith(securityHeaders(config.isProduction)),
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
    openWebSockets: webSockets.size,
    async endStreams() {
      services.streams.close();
      await webSockets.close(); // says goodbye before their streams would say why they end
      await services.events.close();
    },
  };
}

function createRestApp(services: Services, { config, log, metrics }: Infra, routes: Route[]) {
  const rest = express();
  rest.disable('x-powered-by');
  rest.disable('etag');
  rest.set('query parser', 'simple');
  rest.use(mountRoutes(routes, services.auth.authenticate));
  rest.use(docsRouter(routes, apiVersion));
  if (config.isMetricsEnabled) rest.use(metricsRouter(metrics, config.metricsToken));
  rest.use(() => {
    throw new AppError('NOT_FOUND', { message: 'There is nothing at this path.' });
  });
  rest.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    sendProblem(response, request.path, error, log);
  });
  return rest;
}

function pathOf(request: IncomingMessage): string {
  const { url = '' } = request;
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}
