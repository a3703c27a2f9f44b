// GraphQL over WebSocket (graphql-transport-ws) on the same paths, with the same rules as over HTTP: takes upgrades and
// counts connections. protocol.ts speaks the protocol on them.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CloseCode } from 'graphql-ws';
import { WebSocketServer } from 'ws';
import { inTurns } from '../../../core/chunked.js';
import type { AppError } from '../../../core/errors.js';
import { defaultTiming } from '../../../core/timeouts.js';
import { bodyLimits } from '../../../http/body.js';
import { clientIp } from '../../../http/client-address.js';
import { endRaw } from '../../../http/headers.js';
import type { Infra } from '../../../infra/infra.js';
import { addressKey } from '../../../infra/rate-limiting/address-key.js';
import {
  correlationIdOf,
  type RequestContext,
  userAgentOf,
} from '../../../infra/telemetry/request-context.js';
import type { DocumentParams } from '../../documents/persisted-operations.js';
import type { GraphQLServer } from '../../http/yoga.js';
import { createErrorMask } from '../backpressure.js';
import { createHeartbeat } from '../heartbeat.js';
import { type AuthenticationServices, createConnectionAuthentication } from './authentication.js';
import { openConnection } from './connection.js';
import { refuseUpgrade, subprotocol } from './handshake.js';
import { createOpenCounter, createRefusals } from './limits.js';
import { createOperationCheck } from './operations.js';
import { createProtocol } from './protocol.js';

/** The services that the transport calls. */
interface ConnectionServices extends AuthenticationServices {
  denied: NonNullable<RequestContext['onDenied']>;
  requests: { take: (callerId: string, ip: null) => { refusal?: AppError | undefined } | undefined };
}

/** The WebSocket side of the server. */
export interface WebSocketTransport {
  /** Takes an HTTP upgrade. */
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Open connections. */
  size: () => number;
  /** Says goodbye (1001) to all, and terminates the rest after two seconds. */
  close: () => Promise<void>;
}

const goodbyeMs = 2000;

/**
 * Creates the WebSocket side, which speaks graphql-transport-ws.
 * @param trusted finds the document of a request where only trusted ones run
 */
export function createWebSockets(
  yoga: GraphQLServer,
  services: ConnectionServices,
  infra: Infra,
  trusted?: (params: DocumentParams) => string,
): WebSocketTransport {
  const { config, log, metrics, timing = defaultTiming } = infra;
  const sockets = createServer(config.isProduction);
  const onRefusal = metrics.refusalsOf('websockets');
  const openOfAddress = createOpenCounter(config.webSocketsMaxPerAddress, onRefusal);
  const openOfUser = createOpenCounter(config.webSocketsMaxPerUser, onRefusal);
  const mask = createErrorMask(log, config.isIntrospectionEnabled);
  const { check, admit } = createConnectionAuthentication(services, openOfUser, log);
  const checkOperation = createOperationCheck({
    yoga,
    maxPerConnection: config.streamsMaxPerConnection,
    check,
    take: (viewer) => services.requests.take(viewer.userId, null)?.refusal,
    onRefusal: metrics.refusalsOf('websocket-operations'),
    mask,
    trusted,
  });
  const protocol = createProtocol({ admit, checkOperation, mask, greetingMs: timing.greetingMs });
  const parts = { protocol, heartbeat: createHeartbeat(timing.pingEveryMs), mask };

  return {
    upgrade(request, wire, head) {
      const refuse = (status: string, headers?: [string, string][]) =>
        endRaw(wire, status, config.isProduction, headers);
      const fault = refuseUpgrade(request, config.corsOrigins);
      if (fault !== undefined) return refuse(fault);
      const ip = clientIp(request, config.trustProxyHops);
      const leave = openOfAddress.take(addressKey(ip));
      if (leave === undefined) return refuse('429 Too Many Requests', [['Retry-After', '60']]);
      wire.setMaxListeners(config.streamsMaxPerConnection + 10); // each stream waits for it when it is full
      wire.once('close', leave); // also when the handshake fails
      const store = requestOf(request, ip, { metrics, onDenied: services.denied });
      const header = request.headers.authorization;
      sockets.handleUpgrade(request, wire, head, (socket) => {
        const close = () =>
          socket.close(CloseCode.TooManyInitialisationRequests, 'Too many refused operations');
        const refusals = createRefusals(log, mask, close);
        openConnection({ socket, wire: wire as Socket, header, refusals, onClose: [leave] }, store, parts);
      });
    },
    size: () => sockets.clients.size,
    close: () => closeAll(sockets),
  };
}

function createServer(isProduction: boolean): WebSocketServer {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: bodyLimits.webSocketMessage,
    // One message in a turn of the event loop, and none is read meanwhile: thousands on one socket hold up nobody else.
    allowSynchronousEvents: false,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });
  // A handshake with a wrong version or key; ws's own answer would lack the headers.
  sockets.on('wsClientError', (_error, socket) => endRaw(socket, '400 Bad Request', isProduction));
  return sockets;
}

function requestOf(
  { headers }: IncomingMessage,
  ip: string | null,
  shared: Pick<RequestContext, 'metrics' | 'onDenied'>,
): RequestContext {
  const correlationId = correlationIdOf(headers);
  return {
    ...shared,
    correlationId,
    ip,
    userAgent: userAgentOf(headers['user-agent']),
    dbQueries: 0,
    dbMs: 0,
  };
}

async function closeAll(sockets: WebSocketServer): Promise<void> {
  await inTurns(sockets.clients, (socket) => socket.close(1001, 'The server is stopping'));
  const deadline = setTimeout(() => {
    for (const socket of sockets.clients) socket.terminate();
  }, goodbyeMs);
  await new Promise<void>((resolve) => sockets.close(() => resolve()));
  clearTimeout(deadline);
}
