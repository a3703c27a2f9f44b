// Creates the one node:http server with everything that answers its requests. It does not listen yet.
import { createServer, type Server } from 'node:http';
import { createGraphQLContext } from '../api/create-context.js';
import { allRoutes } from '../api/routes.js';
import { buildSchema } from '../api/schema.js';
import type { Timing } from '../core/timeouts.js';
import { loadTrustedDocuments } from '../graphql/documents/persisted-operations.js';
import { createGraphiqlPage } from '../graphql/graphiql/page.js';
import { createGraphQLHandler } from '../graphql/http/handler.js';
import { graphqlMethods } from '../graphql/http/preflight.js';
import { createGraphQLServer } from '../graphql/http/yoga.js';
import { createWebSockets } from '../graphql/subscriptions/websocket/websocket.js';
import { answerClientErrors } from '../http/connection/client-errors.js';
import { handleUpgrades } from '../http/connection/upgrades.js';
import { createOriginLog } from '../http/cors.js';
import { withMiddleware } from '../http/middleware.js';
import { createRequestLog } from '../http/request-log.js';
import type { Infra } from '../infra/infra.js';
import { allowedMethods, type Route } from '../rest/route.js';
import { createDispatcher, isGraphQLPath } from './dispatcher.js';
import type { Services } from './services.js';

/** A server that does not listen yet. */
export interface App {
  server: Server;
  openWebSockets: () => number;
  /** Ends all live streams and WebSockets cleanly. */
  endStreams: () => Promise<void>;
}

/** Options of tests. */
export interface AppOptions {
  /** Whether plain requests take the fast path; they do by default. */
  hasFastPath?: boolean;
  /** Whether plans are run; otherwise graphql-js executes everything, to compare with. */
  hasPlans?: boolean;
  /** Routes besides those of the product. */
  moreRoutes?: readonly Route[];
  timing?: Partial<Timing>;
}

/** Creates the server: GraphQL ahead of Express, WebSockets on the same paths. */
export function createApp(
  services: Services,
  infra: Infra,
  { hasFastPath = true, hasPlans = true, moreRoutes = [] }: AppOptions = {},
): App {
  const { config, log } = infra;
  const authenticate = (authorization: string | undefined) => services.auth.authenticate(authorization);
  const trusted =
    config.trustedDocuments === undefined ? undefined : loadTrustedDocuments(config.trustedDocuments);
  const { yoga, fastPath } = createGraphQLServer({
    schema: buildSchema(),
    createContext: (viewer) => createGraphQLContext(services, infra.db.prisma, viewer),
    authenticate,
    trusted,
    hasPlans,
    infra,
  });
  const requestLog = createRequestLog(log);
  const graphql = createGraphQLHandler({
    requestLog,
    yoga,
    fastPath: hasFastPath && hasPlans ? fastPath : undefined,
    page: config.isGraphiqlEnabled ? createGraphiqlPage() : undefined,
    authenticate,
  });
  const routes = [...allRoutes(services), ...moreRoutes];
  const dispatch = createDispatcher({ services, infra, routes, graphql, requestLog });
  const logOrigin = createOriginLog(log, config.corsOrigins, infra.now);
  const server = createHttpServer(withMiddleware(infra, requestLog, logOrigin, dispatch));
  const allowed = allowedMethods(routes);
  answerClientErrors(server, config.isProduction, (path) =>
    isGraphQLPath(path) ? graphqlMethods : allowed.get(path),
  );
  const webSockets = createWebSockets(yoga, services, infra, trusted);
  handleUpgrades(server, {
    isProduction: config.isProduction,
    isWebSocketPath: isGraphQLPath,
    logOrigin,
    openWebSocket: webSockets.upgrade,
  });
  return {
    server,
    openWebSockets: webSockets.size,
    async endStreams() {
      services.streams.close();
      await webSockets.close(); // says goodbye before the streams would end with an error
      services.statistics.close();
      await services.events.close();
    },
  };
}

function createHttpServer(listener: ReturnType<typeof withMiddleware>): Server {
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 1_800_000, // of an upload; other bodies have a shorter one (http/body.ts)
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 2000,
      maxHeaderSize: 16_384,
      requireHostHeader: false, // ambiguityOf requires it: Node's own refusal has none of our headers
    },
    listener,
  );
  server.maxHeadersCount = 0; // maxHeaderSize bounds them; a count would silently drop the rest
  server.on('checkExpectation', listener); // an unknown Expect header is ignored
  return server;
}
