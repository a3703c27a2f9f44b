// Requests that Node's parser refuses: the answer that goes to the bare socket, with the headers of every other one.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { endRaw } from './headers.js';

type ParserError = NodeJS.ErrnoException & { rawPacket?: Buffer };

const statusOf: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/**
 * Answers what is no HTTP (400), too much of it (431) or too slow (408), and closes the connection.
 * @param allowOf the methods of a path, if there is anything
 */
export function refuseBrokenRequests(
  server: Server,
  isProduction: boolean,
  allowOf: (path: string) => string | undefined,
): void {
  server.on('clientError', (error: ParserError, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    // An answer that is under way must not be mixed with another.
    const { _httpMessage: underWay } = socket as Socket & { _httpMessage?: { headersSent: boolean } };
    if (underWay?.headersSent) {
      socket.destroy();
      return;
    }
    const allow = error.code === 'HPE_INVALID_METHOD' ? allowOf(pathIn(error.rawPacket)) : undefined;
    if (allow !== undefined) endRaw(socket, '405 Method Not Allowed', isProduction, [['Allow', allow]]);
    else endRaw(socket, statusOf[error.code ?? ''] ?? '400 Bad Request', isProduction);
  });
  // CONNECT asks for a tunnel; there is none.
  server.on('connect', (request, socket) => {
    socket.on('error', () => socket.destroy());
    const allow = allowOf((request.url ?? '').split('?', 1)[0] ?? '') ?? 'GET, POST';
    endRaw(socket, '405 Method Not Allowed', isProduction, [['Allow', allow]]);
  });
}

/** The path of a request whose method the parser does not know, when the rest of its line is well-formed. */
function pathIn(packet: Buffer | undefined): string {
  const line = packet?.subarray(0, 2000).toString('latin1').split('\r\n', 1)[0] ?? '';
  return /^[A-Za-z!#$%&'*+.^_`|~-]{1,40} (\/[^\s?]*)\S* HTTP\/1\.[01]$/.exec(line)?.[1] ?? '';
}
