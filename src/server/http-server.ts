// The one node:http server: GraphQL ahead of Express, WebSocket upgrades. It does not listen until it is told to.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createGraphQLContext } from '../api/create-context.js';
import { allRoutes } from '../api/routes.js';
import { buildSchema } from '../api/schema.js';
import type { Timing } from '../core/timeouts.js';
import { loadTrustedDocuments } from '../graphql/documents/persisted-operations.js';
import { createGraphiqlPage } from '../graphql/graphiql/page.js';
import { createGraphQLHandler, type GraphQLRequest } from '../graphql/http/handler.js';
import { graphqlMethods, sendGraphQLRefusal } from '../graphql/http/preflight.js';
import { createGraphQLServer } from '../graphql/http/yoga.js';
import { createWebSockets } from '../graphql/subscriptions/websocket.js';
import { createAdmissionQueue } from '../http/admission-queue.js';
import { versionFault } from '../http/api-version.js';
import { answerClientErrors } from '../http/client-errors.js';
import { ambiguityOf } from '../http/headers.js';
import { withMiddleware } from '../http/middleware.js';
import { type Caller, createRequestLimits } from '../http/request-limits.js';
import { createRequestLog, type RequestLog } from '../http/request-log.js';
import { applyHeaders } from '../http/response.js';
import { handleUpgrades } from '../http/upgrades.js';
import type { Infra } from '../infra/infra.js';
import type { RequestContext } from '../infra/telemetry/request-context.js';
import { createRestApp } from '../rest/app.js';
import { sendProblem, toAppError } from '../rest/problem.js';
import { allowedMethods, type Route } from '../rest/route.js';
import type { Services } from './services.js';

const graphqlPaths = new Set(['/graphql', '/api/v1/graphql']);

/** A server that does not listen yet. */
export interface App {
  server: Server;
  openWebSockets: () => number;
  /** Ends all live streams and WebSockets, cleanly. */
  endStreams: () => Promise<void>;
}

/** What tests choose. */
export interface AppOptions {
  /** Whether plain requests take the fast path; they do by default. */
  isLean?: boolean;
  /** Routes besides those of the product. */
  moreRoutes?: readonly Route[];
  timing?: Partial<Timing>;
}

/** Creates the server and everything that answers its requests. */
export function createApp(
  services: Services,
  infra: Infra,
  { isLean = true, moreRoutes = [] }: AppOptions = {},
): App {
  const { config } = infra;
  const authenticate = (authorization: string | undefined) => services.auth.authenticate(authorization);
  const trusted =
    config.trustedDocuments === undefined ? undefined : loadTrustedDocuments(config.trustedDocuments);
  const { yoga, lean } = createGraphQLServer({
    schema: buildSchema(),
    createContext: (viewer) => createGraphQLContext(services, viewer),
    authenticate,
    trusted,
    infra,
  });
  const requestLog = createRequestLog(infra.log);
  const page = config.isGraphiqlEnabled ? createGraphiqlPage() : undefined;
  const graphql = createGraphQLHandler({
    requestLog,
    yoga,
    lean: isLean ? lean : undefined,
    page,
    authenticate,
  });
  const routes = [...allRoutes(services), ...moreRoutes];
  const dispatch = createDispatcher(services, infra, routes, graphql, requestLog);
  const listener = withMiddleware(infra, requestLog, dispatch);
  const server = createHttpServer(listener);
  const allowed = allowedMethods(routes);
  answerClientErrors(server, config.isProduction, (path) =>
    graphqlPaths.has(path) ? graphqlMethods : allowed.get(path),
  );
  const webSockets = createWebSockets(yoga, services, infra, trusted);
  handleUpgrades(server, {
    isProduction: config.isProduction,
    isWebSocketPath: (path) => graphqlPaths.has(path),
    openWebSocket: webSockets.upgrade,
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

/** Sends each request on: refusals first, then GraphQL or REST. */
function createDispatcher(
  services: Services,
  infra: Infra,
  routes: Route[],
  graphql: (incoming: GraphQLRequest) => void,
  requestLog: RequestLog,
) {
  const { authenticate, recall } = services.auth;
  const rest = createRestApp(routes, authenticate, infra);
  const admit = createAdmissionQueue(routes, infra.metrics.refusalsOf('hashing'));
  const limited = createRequestLimits({
    requests: services.requests,
    authenticate,
    recall,
    isFree: (path) => path.startsWith('/api/v1/health') || path === '/metrics',
  });
  return (request: IncomingMessage, response: ServerResponse, store: RequestContext): void => {
    const path = pathOf(request);
    const isGraphQL = graphqlPaths.has(path);
    store.onDenied = services.denied;
    if (isGraphQL) store.route = '/graphql';
    else requestLog.attach(request, response, store);
    const refuse = (error: unknown) => {
      if (!response.headersSent) applyHeaders(response, store);
      if (isGraphQL) sendGraphQLRefusal(response, toAppError(error), infra.log);
      else sendProblem(response, path, error, infra.log);
    };
    const next = (caller: Caller) => {
      const unknownVersion = versionFault(request, path);
      if (unknownVersion !== undefined) {
        refuse(unknownVersion);
        return;
      }
      if (isGraphQL) {
        graphql({ request, response, store, caller, refuse });
        return;
      }
      const work = () => {
        applyHeaders(response, store);
        rest(request, response);
      };
      admit({ method: request.method, path, store, work, refuse });
    };
    const fault = ambiguityOf(request);
    if (fault !== undefined) {
      response.setHeader('Connection', 'close');
      refuse(fault);
      return;
    }
    try {
      limited(request, store, path, next, refuse);
    } catch (error) {
      refuse(error);
    }
  };
}

function createHttpServer(listener: ReturnType<typeof withMiddleware>) {
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
  return server;
}

function pathOf(request: IncomingMessage): string {
  const { url = '' } = request;
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}
