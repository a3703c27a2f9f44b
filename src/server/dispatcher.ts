// Sends each request to GraphQL or REST, after what both facades refuse: ambiguous headers, limits, unknown versions.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLRequest } from '../graphql/http/handler.js';
import { sendGraphQLRefusal } from '../graphql/http/preflight.js';
import { createAdmissionQueue } from '../http/admission-queue.js';
import { refuseVersion } from '../http/api-version.js';
import { ambiguityOf } from '../http/headers.js';
import { type Caller, createRequestLimits } from '../http/request-limits.js';
import type { RequestLog } from '../http/request-log.js';
import { applyHeaders } from '../http/response.js';
import type { Infra } from '../infra/infra.js';
import type { RequestContext } from '../infra/telemetry/request-context.js';
import { createRestApp } from '../rest/app.js';
import { sendProblem, toAppError } from '../rest/problem.js';
import type { Route } from '../rest/route.js';
import { isScimPath } from '../rest/scim-error.js';
import type { Services } from './services.js';

const graphqlPaths = new Set(['/graphql', '/api/v1/graphql']);

/** Whether GraphQL is served at a path. */
export const isGraphQLPath = (path: string): boolean => graphqlPaths.has(path);

interface DispatcherOptions {
  services: Services;
  infra: Infra;
  routes: Route[];
  graphql: (incoming: GraphQLRequest) => void;
  requestLog: RequestLog;
}

/** Handles one request, within its context. */
type Dispatcher = (request: IncomingMessage, response: ServerResponse, store: RequestContext) => void;

/** Creates the dispatcher. Every request gets a response from it, or from the facade that it is sent to. */
export function createDispatcher({
  services,
  infra,
  routes,
  graphql,
  requestLog,
}: DispatcherOptions): Dispatcher {
  const { authenticate, recall } = services.auth;
  const rest = createRestApp(routes, authenticate, infra);
  const admit = createAdmissionQueue(routes, infra.metrics.refusalsOf('hashing'));
  const limitRequests = createRequestLimits({
    requests: services.requests,
    authenticate,
    recall,
    credentialAt: (path) => (isScimPath(path) ? services.scim.tokens.check : undefined),
    isFree: (path) => path.startsWith('/api/v1/health') || path === '/metrics',
  });

  return (request, response, store) => {
    const path = pathOf(request);
    const isGraphQL = isGraphQLPath(path);
    store.onDenied = services.denied;
    if (isGraphQL) store.route = '/graphql';
    else requestLog.attach(request, response, store);
    const refuse = (error: unknown) => {
      if (!response.headersSent) applyHeaders(response, store);
      if (isGraphQL) sendGraphQLRefusal(response, toAppError(error), infra.log);
      else sendProblem(response, path, error, infra.log);
    };
    const runRest = () => {
      applyHeaders(response, store);
      rest(request, response);
    };
    const next = (caller: Caller) => {
      const refusal = refuseVersion(request, path);
      if (refusal !== undefined) refuse(refusal);
      else if (isGraphQL) graphql({ request, response, store, caller, refuse });
      else admit({ method: request.method, path, store, work: runRest, refuse });
    };
    const ambiguity = ambiguityOf(request);
    if (ambiguity !== undefined) {
      response.setHeader('Connection', 'close');
      refuse(ambiguity);
      return;
    }
    try {
      limitRequests(request, store, path, next, refuse);
    } catch (error) {
      refuse(error);
    }
  };
}

function pathOf({ url = '' }: IncomingMessage): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}
