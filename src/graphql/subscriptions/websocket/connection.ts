// One open WebSocket: passes its messages on in order, pings it, and gives back what it holds when it closes.
import type { GraphQLError } from 'graphql';
import { CloseCode, type Server } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { findsDuplicateKey } from '../../../http/duplicate-keys.js';
import { type RequestContext, runInRequest } from '../../../infra/telemetry/request-context.js';
import type { Heartbeat } from '../heartbeat.js';
import { type Line, send } from './frames.js';
import type { Refusals } from './limits.js';

/** The state of an open WebSocket. */
export interface Connection extends Line {
  /** The Authorization header of the handshake. */
  header: string | undefined;
  /** The credentials that opened the connection; checked again for each operation. */
  authorization?: string;
  refusals: Refusals;
  /** Called once when the connection is closed: they count it off and end what watches it. */
  onClose: (() => void)[];
}

interface ConnectionParts {
  protocol: Server<{ connection: Connection }>;
  heartbeat: Heartbeat;
  /** Turns an error into what a client may see, and logs it. */
  mask: (error: unknown) => GraphQLError;
}

/** WebSocket close code (IANA registry) for a server that is short of something for a moment. */
const tryAgainLater = 1013;

/**
 * Opens a connection, which lives until either side closes it or it misses a ping.
 * @param store the request of the handshake, in which its messages run
 */
export function openConnection(
  connection: Connection,
  store: RequestContext,
  { protocol, heartbeat, mask }: ConnectionParts,
): void {
  const { socket } = connection;
  const stopPings = pingRegularly(socket, heartbeat);
  socket.on('error', () => {}); // followed by close
  const inMessage = () => ({ ...store, dbQueries: 0, dbMs: 0 });
  const closed = protocol.opened(
    {
      protocol: socket.protocol,
      send: (data) => send(socket, data),
      close: (code, reason) => socket.close(code, reason?.slice(0, 120)),
      onMessage: (handle) =>
        onMessages(socket, (message) => {
          runInRequest(inMessage(), () => handle(message)).catch((error: unknown) =>
            closeAfter(error, socket, mask),
          );
        }),
    },
    { connection },
  );
  socket.once('close', (code, reason) => {
    stopPings();
    for (const release of connection.onClose) release();
    connection.refusals.report(store.ip);
    void closed(code, String(reason));
  });
}

/** Terminates a connection that has not answered the ping before. @returns how to stop */
function pingRegularly(socket: WebSocket, heartbeat: Heartbeat): () => void {
  let isAlive = true;
  socket.on('pong', () => {
    isAlive = true;
  });
  return heartbeat(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  });
}

/** Calls back for each text message; closes the connection at a binary or an ambiguous one. */
function onMessages(socket: WebSocket, handle: (message: string) => void): void {
  socket.on('message', (data, isBinary) => {
    if (socket.readyState !== socket.OPEN) return; // sent before the client saw the end
    const message = String(data);
    if (isBinary || isAmbiguous(message)) socket.close(CloseCode.BadRequest, 'Invalid message received');
    else handle(message);
  });
}

function closeAfter(error: unknown, socket: WebSocket, mask: ConnectionParts['mask']): void {
  const { code } = mask(error).extensions; // logs it
  if (code === 'UNAVAILABLE' || code === 'QUERY_TIMEOUT') socket.close(tryAgainLater, 'Try again later');
  else socket.close(CloseCode.InternalServerError, 'Internal server error');
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
