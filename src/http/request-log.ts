// Decides the fields, level and message of a request's log line; pino-http writes it for REST and Yoga, a compact writer for
// the fast path (docs/adr/0016).
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { pinoHttp } from 'pino-http';
import { logPlainLine } from '../infra/logging/access-log.js';
import { bindingUnredacted } from '../infra/logging/logger.js';
import type { RequestContext } from '../infra/telemetry/request-context.js';

/** Writes one line per request when its response has ended or its client has disconnected. */
export interface RequestLog {
  /** Keeps the error of a response for its line. Call it when the request begins. */
  watch: (response: ServerResponse) => void;
  /** Lets pino-http write the line of this response. A second call changes nothing. */
  attach: (request: IncomingMessage, response: ServerResponse, store: RequestContext) => void;
  /** Writes the line, unless pino-http does. Call it when the response is closed. */
  end: (request: IncomingMessage, response: ServerResponse, store: RequestContext, tookMs: number) => void;
}

/** Creates the log of a server. */
export function createRequestLog(log: Logger): RequestLog {
  const begun = new WeakMap<ServerResponse, { store: RequestContext; startedAt: number }>();

  function fieldsOfBegun(request: IncomingMessage, response: ServerResponse) {
    const { store, startedAt } = begun.get(response) as NonNullable<ReturnType<typeof begun.get>>;
    return fieldsOf(request, response, store, performance.now() - startedAt);
  }

  const write = pinoHttp({
    logger: bindingUnredacted(log),
    genReqId: (_request, response) => begun.get(response)?.store.correlationId ?? '',
    customLogLevel: (request, response, error) =>
      levelOf(request, response, begun.get(response)?.store, error),
    customSuccessMessage: () => message,
    customErrorMessage: () => failureMessage,
    customSuccessObject: fieldsOfBegun,
    customErrorObject: (request, response) => ({
      ...fieldsOfBegun(request, response),
      err: response.err,
    }),
    // The line has fields of its own; pino-http must not bind the request with its headers.
    wrapSerializers: false,
    serializers: { req: () => undefined },
  });

  return {
    watch(response) {
      // Without a listener, an error would end the process.
      response.on('error', (error) => {
        response.err = error;
      });
    },

    attach(request, response, store) {
      if (begun.has(response)) return;
      begun.set(response, { store, startedAt: performance.now() });
      write(request, response);
    },

    end(request, response, store, tookMs) {
      if (begun.has(response)) return;
      const { err } = response;
      const level = levelOf(request, response, store, err);
      const fields = fieldsOf(request, response, store, tookMs);
      if (level === 'error') log.error({ ...fields, err }, failureMessage);
      else logPlainLine(log, level, fields, message);
    },
  };
}

const message = 'request';
const failureMessage = 'request failed';

/** Probes and scrapes are logged at debug: they come every few seconds. */
function levelOf(
  request: IncomingMessage,
  response: ServerResponse,
  store: RequestContext | undefined,
  error: Error | undefined,
): 'error' | 'info' | 'debug' {
  if (error !== undefined || response.statusCode >= 500) return 'error';
  return store?.route !== '/graphql' && /^\/(api\/v1\/health|metrics)\b/.test(pathOf(request))
    ? 'debug'
    : 'info';
}

function fieldsOf(request: IncomingMessage, response: ServerResponse, store: RequestContext, tookMs: number) {
  const { correlationId, userId, sessionId, route, operation, errors, ip } = store;
  return {
    event: 'request',
    correlationId,
    userId,
    sessionId,
    method: request.method ?? '',
    path: pathOf(request),
    route,
    operation,
    status: response.statusCode,
    errors: errors && [...errors].join(' '),
    durationMs: Math.round(tookMs),
    dbMs: Math.round(store.dbMs * 10) / 10,
    dbQueries: store.dbQueries,
    ip,
  };
}

/** The path of a request without its query, at most 200 characters. */
export function pathOf({ url = '' }: IncomingMessage): string {
  const query = url.indexOf('?');
  return url.slice(0, query === -1 ? 200 : Math.min(query, 200));
}
