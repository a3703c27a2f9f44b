// Handles an HTTP request on a GraphQL path: sends the page or a refusal, or passes the request to the fast path or Yoga.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import { readJson } from '../../http/body.js';
import type { Caller } from '../../http/request-limits.js';
import type { RequestLog } from '../../http/request-log.js';
import { applyHeaders } from '../../http/response.js';
import { type RequestContext, runInRequest } from '../../infra/telemetry/request-context.js';
import type { createGraphiqlPage } from '../graphiql/page.js';
import type { FastPath } from './fast-path.js';
import { bodyLimitOf, isOperation, isPageAsked, refuseGraphQL } from './preflight.js';
import type { GraphQLServer } from './yoga.js';

interface HandlerOptions {
  /** Writes the lines of requests that do not take the fast path. */
  requestLog: RequestLog;
  yoga: GraphQLServer;
  /** Absent when every request goes through Yoga. */
  fastPath: FastPath | undefined;
  /** Absent where GraphiQL is disabled. */
  page: ReturnType<typeof createGraphiqlPage> | undefined;
  authenticate: (authorization: string | undefined) => Promise<Viewer | null>;
}

/** A request on its way. */
export interface GraphQLRequest {
  request: IncomingMessage;
  response: ServerResponse;
  store: RequestContext;
  caller: Caller;
  /** Answers with an error. */
  refuse: (error: unknown) => void;
}

/** Creates the handler. The caller refuses what it throws; what fails later, the handler refuses itself. */
export function createGraphQLHandler({ requestLog, yoga, fastPath, page, authenticate }: HandlerOptions) {
  const throughYoga = ({ request, response, store, refuse }: GraphQLRequest) => {
    requestLog.attach(request, response, store);
    // Node leaves the body out of the answer to a HEAD.
    if (request.method === 'HEAD') Object.assign(request, { method: 'GET' });
    applyHeaders(response, store);
    Promise.resolve(yoga(request, response)).catch(refuse);
  };

  const run = (incoming: GraphQLRequest, body: unknown) => {
    if (Array.isArray(body))
      throw new AppError('VALIDATION_FAILED', {
        message: 'The server accepts no batches: send each operation in a request of its own.',
      });
    if (!isOperation(body))
      throw new AppError('VALIDATION_FAILED', { message: 'The body must be a JSON object with a query.' });
    if (fastPath !== undefined && incoming.caller !== undefined && fastPath(incoming, body, incoming.caller))
      return;
    Object.assign(incoming.request, { body }); // where Yoga looks for it
    throughYoga(incoming);
  };

  const readAndRun = (incoming: GraphQLRequest) => {
    const { request, store, caller, refuse } = incoming;
    // The body arrives outside the request's context.
    const inRequest =
      <T>(work: (value: T) => void) =>
      (value: T) =>
        runInRequest(store, () => work(value));
    const read = (bytes: number) =>
      readJson(
        request,
        bytes,
        inRequest((body: unknown) => run(incoming, body)),
        inRequest(refuse),
      );
    const limit = bodyLimitOf(request, caller, authenticate);
    if (typeof limit === 'number') read(limit);
    else limit.then(read).catch(refuse);
  };

  return (incoming: GraphQLRequest): void => {
    const { request, response, store, refuse } = incoming;
    if (isPageAsked(request)) {
      if (page === undefined) throw new AppError('NOT_FOUND', { message: 'There is no page here.' });
      applyHeaders(response, store);
      page(response).catch(refuse);
      return;
    }
    const refusal = refuseGraphQL(request);
    if (refusal !== undefined) throw refusal;
    if (request.method === 'POST') readAndRun(incoming);
    else throughYoga(incoming);
  };
}
