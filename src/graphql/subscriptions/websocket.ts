// GraphQL over WebSocket (graphql-transport-ws) on the same paths, with the same rules as over HTTP.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ExecutionArgs, ExecutionResult } from 'graphql';
import { CloseCode, makeServer } from 'graphql-ws';
import { WebSocketServer } from 'ws';
import { inTurns } from '../../core/chunked.js';
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import { defaultTiming } from '../../core/timeouts.js';
import { bodyLimits } from '../../http/body.js';
import { clientIp } from '../../http/client-address.js';
import { findsDuplicateKey } from '../../http/duplicate-keys.js';
import { endRaw } from '../../http/headers.js';
import type { Infra } from '../../infra/infra.js';
import { logRefusal } from '../../infra/logging/security-events.js';
import {
  correlationIdOf,
  type RequestContext,
  runInRequest,
  userAgentOf,
} from '../../infra/telemetry/request-context.js';
import type { DocumentParams } from '../documents/persisted-operations.js';
import type { GraphQLServer } from '../http/yoga.js';
import type { GraphQLContext } from '../schema-kit/context.js';
import { createErrorMask, inThisRequest } from './backpressure.js';
import { createHeartbeat } from './heartbeat.js';
import { forward, type Line, send } from './websocket-frames.js';
import { refuseUpgrade, subprotocol } from './websocket-handshake.js';

/** WebSocket close code (IANA registry) for a server that is short of something for a moment. */
const tryAgainLater = 1013;

/** What the transport asks of the services. */
interface ConnectionServices {
  auth: { authenticate: (authorization: string | undefined) => Promise<Viewer | null> };
  denied: NonNullable<RequestContext['onDenied']>;
  streams: { watch: (viewer: Viewer, end: () => void) => () => void };
  requests: { take: (viewer: Viewer, ip: null) => { refusal?: AppError | undefined } | undefined };
}

interface Connection extends Line {
  /** Of the handshake. */
  header: string | undefined;
  /** As it was given when the connection was opened; checked again for each operation. */
  authorization?: string;
  unwatch?: () => void;
}

/** The WebSocket side of the server. */
export interface WebSocketTransport {
  /** Takes an HTTP upgrade. */
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Open connections. */
  size: () => number;
  /** Says goodbye (1001) to all. */
  close: () => Promise<void>;
}

export function createWebSockets(
  yoga: GraphQLServer,
  services: ConnectionServices,
  { config, log, metrics, timing = defaultTiming }: Infra,
  trusted?: (params: DocumentParams) => string,
): WebSocketTransport {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: bodyLimits.webSocketMessage,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });
  // A handshake with a wrong version or key; ws's own answer would lack the headers.
  sockets.on('wsClientError', (_error, socket) => endRaw(socket, '400 Bad Request', config.isProduction));
  const mask = createErrorMask(log, config.isIntrospectionEnabled);
  const heartbeat = createHeartbeat(timing.pingEveryMs);

  /** Who opened the connection, by connectionParams.authorization or the header. */
  async function authenticate(
    params: Record<string, unknown> | undefined,
    connection: Connection,
  ): Promise<boolean> {
    const given = params?.authorization ?? params?.Authorization ?? connection.header;
    if (typeof given !== 'string') return false;
    const viewer = await check(given);
    if (viewer === null) return false;
    const { socket } = connection;
    if (socket.readyState !== socket.OPEN) return false;
    connection.authorization = given;
    connection.unwatch = services.streams.watch(viewer, () => socket.close(CloseCode.Forbidden, 'Forbidden'));
    return true;
  }

  /** The viewer, or null for anything wrong with the credentials; @throws UNAVAILABLE */
  async function check(authorization: string | undefined): Promise<Viewer | null> {
    return services.auth.authenticate(authorization).catch((error: unknown) => {
      if (!(error instanceof AppError && error.status === 401)) throw error;
      logRefusal(log, error, 'connection');
      return null;
    });
  }

  const masked = (result: ExecutionResult): ExecutionResult =>
    result.errors === undefined ? result : { ...result, errors: result.errors.map(mask) };

  const server = makeServer<Record<string, unknown>, { connection: Connection }>({
    connectionInitWaitTimeout: timing.greetingMs,
    onConnect: ({ connectionParams, extra }) => authenticate(connectionParams, extra.connection),
    onSubscribe: async ({ extra, subscriptions }, _id, payload) => {
      const { connection } = extra;
      if (Object.keys(subscriptions).length > config.streamsMaxPerConnection) {
        return [
          mask(
            new AppError('RATE_LIMITED', {
              message: `At most ${config.streamsMaxPerConnection} operations at a time.`,
            }),
          ),
        ];
      }
      try {
        const viewer = await check(connection.authorization);
        if (viewer === null) {
          connection.socket.close(CloseCode.Forbidden, 'Forbidden');
          return [mask(new AppError('TOKEN_REVOKED'))];
        }
        const refusal = services.requests.take(viewer, null)?.refusal;
        if (refusal !== undefined) return [mask(refusal)];
        const enveloped = yoga.getEnveloped({ viewer, params: payload } as never);
        const document = enveloped.parse(trusted?.(payload) ?? payload.query);
        const faults = enveloped.validate(enveloped.schema, document);
        if (faults.length > 0) return faults.map(mask);
        return {
          schema: enveloped.schema,
          document,
          operationName: payload.operationName,
          variableValues: payload.variables,
          contextValue: await enveloped.contextFactory(),
          execute: enveloped.execute,
          subscribe: enveloped.subscribe,
        } as ExecutionArgs;
      } catch (error) {
        return [mask(error)];
      }
    },
    execute: (args) =>
      (args as unknown as { execute: (args: ExecutionArgs) => never }).execute(args as ExecutionArgs),
    subscribe: (args) =>
      (args as unknown as { subscribe: (args: ExecutionArgs) => never }).subscribe(args as ExecutionArgs),
    onOperation: ({ extra }, id, _payload, { contextValue }) => {
      const { answers } = contextValue as GraphQLContext;
      return answers && forward(answers, id, extra.connection, inThisRequest(masked));
    },
    onError: (_context, _id, _payload, errors) => errors.map(mask),
    onNext: (_context, _id, _payload, _args, result) => masked(result),
  });

  function open(connection: Connection, store: RequestContext): void {
    const { socket } = connection;
    let isAlive = true;
    const silence = heartbeat(() => {
      if (!isAlive) return socket.terminate();
      isAlive = false;
      socket.ping();
    });
    socket.on('pong', () => {
      isAlive = true;
    });
    socket.on('error', () => {}); // followed by close
    const closed = server.opened(
      {
        protocol: socket.protocol,
        send: (data) => send(socket, data),
        close: (code, reason) => socket.close(code, reason?.slice(0, 120)),
        onMessage: (callback) =>
          socket.on('message', (data, isBinary) => {
            if (isBinary || isAmbiguous(String(data))) {
              socket.close(CloseCode.BadRequest, 'Invalid message received');
              return;
            }
            runInRequest({ ...store, dbQueries: 0, dbMs: 0 }, () => callback(String(data))).catch(
              (error: unknown) => {
                const { code } = mask(error).extensions; // logs it
                if (code === 'UNAVAILABLE' || code === 'QUERY_TIMEOUT')
                  socket.close(tryAgainLater, 'Try again later');
                else socket.close(CloseCode.InternalServerError, 'Internal server error');
              },
            );
          }),
      },
      { connection },
    );
    socket.once('close', (code, reason) => {
      silence();
      connection.unwatch?.();
      void closed(code, String(reason));
    });
  }

  return {
    upgrade(request, socket, head) {
      const fault = refuseUpgrade(request, config.corsOrigins);
      if (fault !== undefined) {
        endRaw(socket, fault, config.isProduction);
        return;
      }
      const store: RequestContext = {
        correlationId: correlationIdOf(request.headers),
        ip: clientIp(request, config.trustProxyHops),
        userAgent: userAgentOf(request.headers['user-agent']),
        metrics,
        onDenied: services.denied,
        dbQueries: 0,
        dbMs: 0,
      };
      const header = request.headers.authorization;
      const wire = socket as Socket;
      wire.setMaxListeners(config.streamsMaxPerConnection + 10); // each stream waits for it when it is full
      sockets.handleUpgrade(request, socket, head, (opened) => open({ socket: opened, wire, header }, store));
    },
    size: () => sockets.clients.size,
    async close() {
      await inTurns(sockets.clients, (socket) => socket.close(1001, 'The server is stopping'));
      const deadline = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate();
      }, 2000);
      await new Promise<void>((resolve) => sockets.close(() => resolve()));
      clearTimeout(deadline);
    },
  };
}

/** A key twice in an object; what is no JSON is told of by graphql-ws. */
function isAmbiguous(message: string): boolean {
  try {
    JSON.parse(message);
  } catch {
    return false;
  }
  return findsDuplicateKey(message);
}
