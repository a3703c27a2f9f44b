// Hands WebSocket handshakes over, and lets every other request with an Upgrade header (h2c from Java's HttpClient and `curl
// --http2`) be answered as if it had none, which RFC 9110, section 7.8, allows.
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { OriginLog } from '../cors.js';
import { ambiguityOf, endRaw } from '../headers.js';
import { unfinishedRequest } from './latest-request.js';

interface UpgradeOptions {
  isProduction: boolean;
  /** Whether WebSockets may be opened at a path. */
  isWebSocketPath: (path: string) => boolean;
  /** Logs a handshake of an origin that may not call. */
  logOrigin: OriginLog;
  openWebSocket: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** Listens for upgrades. Node takes such a connection away from its HTTP parser; `readAgain` gives it back. */
export function handleUpgrades(server: Server, options: UpgradeOptions): void {
  server.on('upgrade', (request, socket: Socket, head) => {
    socket.on('error', destroyFailed);
    if (!isHandshake(request, options)) readAgain(server, request, socket, head);
    else if (ambiguityOf(request) !== undefined) endRaw(socket, '400 Bad Request', options.isProduction);
    else {
      options.logOrigin(request);
      options.openWebSocket(request, socket, head);
    }
  });
}

function destroyFailed(this: Socket): void {
  this.destroy();
}

/** Whether this opens a WebSocket (RFC 6455, 4.1); HTTP/1.0 knows no Upgrade. */
function isHandshake(request: IncomingMessage, { isWebSocketPath }: UpgradeOptions): boolean {
  const { method, httpVersion, headers, url = '' } = request;
  return (
    method === 'GET' &&
    httpVersion === '1.1' &&
    headers.upgrade?.toLowerCase() === 'websocket' &&
    isWebSocketPath(url.split('?', 1)[0] ?? '')
  );
}

/** Gives the request back to the HTTP parser without its offer, once the responses before it have ended. */
function readAgain(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const earlier = unfinishedRequest(socket)?.response;
  if (earlier !== undefined && !earlier.writableFinished) {
    earlier.once('close', () => readAgain(server, request, socket, head));
    return;
  }
  if (socket.destroyed) return;
  socket.off('error', destroyFailed); // the parser listens itself
  socket.setTimeout(0); // the parser sets the timeouts of the connection again
  socket.unshift(Buffer.concat([Buffer.from(headWithoutOffer(request), 'latin1'), head]));
  announceAgain(server, socket);
}

/** Listeners that the last announcement of a connection added. */
const added = new WeakMap<Socket, unknown[]>();

/**
 * Injects the connection into the server, as Node documents for this event. Each event adds the
 * listeners of connection watchers to the socket once more; the listeners of the last event are removed, so that a
 * connection may make any number of offers.
 */
function announceAgain(server: Server, socket: Socket): void {
  for (const listener of added.get(socket) ?? []) socket.off('close', listener as () => void);
  const before = new Set<unknown>(socket.rawListeners('close'));
  server.emit('connection', socket);
  added.set(
    socket,
    socket.rawListeners('close').filter((listener) => !before.has(listener)),
  );
}

const offers = new Set(['upgrade', 'http2-settings']);

/** The head as it came, without the headers of an upgrade and their names in Connection. */
function headWithoutOffer({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    const value = rawHeaders[index + 1] as string;
    const lowerName = name.toLowerCase();
    if (lowerName === 'connection') {
      const kept = value.split(',').filter((option) => !offers.has(option.trim().toLowerCase()));
      if (kept.length > 0) lines.push(`${name}: ${kept.join(',')}`);
    } else if (!offers.has(lowerName)) lines.push(`${name}: ${value}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}
