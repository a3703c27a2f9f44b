// GraphQL over WebSocket (graphql-transport-ws) on the same paths, with the same rules as over HTTP.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ExecutionResult } from 'graphql';
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
import { addressKey } from '../../infra/rate-limiting/address-key.js';
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
import { createOpenCounter, createRefusals } from './connection-limits.js';
import { createHeartbeat } from './heartbeat.js';
import { forward, send } from './websocket-frames.js';
import { refuseUpgrade, subprotocol } from './websocket-handshake.js';
import {
  type CheckedOperation,
  createOperationCheck,
  type OperatingConnection,
} from './websocket-operations.js';

/** WebSocket close code (IANA registry) for a server that is short of something for a moment. */
const tryAgainLater = 1013;

/** What the transport asks of the services. */
interface ConnectionServices {
  auth: { authenticate: (authorization: string | undefined) => Promise<Viewer | null> };
  denied: NonNullable<RequestContext['onDenied']>;
  streams: { watch: (viewer: Viewer, end: () => void) => () => void };
  requests: { take: (viewer: Viewer, ip: null) => { refusal?: AppError | undefined } | undefined };
}

interface Connection extends OperatingConnection {
  /** Of the handshake. */
  header: string | undefined;
  unwatch?: () => void;
  /** Count the connection off. */
  leave: (() => void)[];
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

/**
 * Creates the WebSocket side, which speaks graphql-transport-ws.
 * @param trusted finds the document of a request where only trusted ones run
 */
export function createWebSockets(
  yoga: GraphQLServer,
  services: ConnectionServices,
  { config, log, metrics, timing = defaultTiming }: Infra,
  trusted?: (params: DocumentParams) => string,
): WebSocketTransport {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: bodyLimits.webSocketMessage,
    // One message in a turn of the event loop, and none is read meanwhile: thousands on one socket hold up nobody else.
    allowSynchronousEvents: false,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });
  // A handshake with a wrong version or key; ws's own answer would lack the headers.
  sockets.on('wsClientError', (_error, socket) => endRaw(socket, '400 Bad Request', config.isProduction));
  const onRefusal = metrics.refusalsOf('websockets');
  const ofUser = createOpenCounter(config.webSocketsMaxPerUser, onRefusal);
  const ofAddress = createOpenCounter(config.webSocketsMaxPerAddress, onRefusal);
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
    const leave = ofUser.take(viewer.userId);
    if (leave === undefined) {
      socket.close(CloseCode.TooManyInitialisationRequests, 'Too many connections of this user');
      return false;
    }
    connection.leave.push(leave);
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

  const checkOperation = createOperationCheck({
    yoga,
    maxPerConnection: config.streamsMaxPerConnection,
    check,
    take: (viewer) => services.requests.take(viewer, null)?.refusal,
    onRefusal: metrics.refusalsOf('websocket-operations'),
    mask,
    trusted,
  });
  const server = makeServer<Record<string, unknown>, { connection: Connection }>({
    connectionInitWaitTimeout: timing.greetingMs,
    onConnect: ({ connectionParams, extra }) => authenticate(connectionParams, extra.connection),
    onSubscribe: ({ extra, subscriptions }, _id, payload) =>
      checkOperation(extra.connection, Object.keys(subscriptions).length, payload),
    execute: (args) => (args as CheckedOperation).execute(args),
    subscribe: (args) => (args as CheckedOperation).subscribe(args),
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
            if (socket.readyState !== socket.OPEN) return; // what was sent before the client saw the end
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
      for (const leave of connection.leave) leave();
      connection.refusals.report(store.ip);
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
      const ip = clientIp(request, config.trustProxyHops);
      const leave = ofAddress.take(addressKey(ip));
      if (leave === undefined) {
        endRaw(socket, '429 Too Many Requests', config.isProduction, [['Retry-After', '60']]);
        return;
      }
      const store: RequestContext = {
        correlationId: correlationIdOf(request.headers),
        ip,
        userAgent: userAgentOf(request.headers['user-agent']),
        metrics,
        onDenied: services.denied,
        dbQueries: 0,
        dbMs: 0,
      };
      const header = request.headers.authorization;
      const wire = socket as Socket;
      wire.setMaxListeners(config.streamsMaxPerConnection + 10); // each stream waits for it when it is full
      socket.once('close', leave); // also when the handshake fails
      sockets.handleUpgrade(request, socket, head, (opened) => {
        const close = () =>
          opened.close(CloseCode.TooManyInitialisationRequests, 'Too many refused operations');
        const refusals = createRefusals(log, mask, close);
        open({ socket: opened, wire, header, refusals, leave: [leave] }, store);
      });
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

/** Whether an object has a key twice; graphql-ws reports invalid JSON. */
function isAmbiguous(message: string): boolean {
  try {
    JSON.parse(message);
  } catch {
    return false;
  }
  return findsDuplicateKey(message);
}
