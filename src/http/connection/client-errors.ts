// Answers bytes that Node's HTTP parser rejects, with the headers of every other response, and closes the connection.
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { endAndLinger, endRaw } from '../headers.js';
import { writeHead } from '../response.js';
import { unfinishedRequest } from './latest-request.js';

/** Fields that Node adds to an error of its parser. */
type ParserError = NodeJS.ErrnoException & { rawPacket?: Buffer; bytesParsed?: number };

interface Refusal {
  status: number;
  reason: string;
  /** The header Allow. */
  allow?: string;
}

const refusals: Record<string, Refusal> = {
  HPE_HEADER_OVERFLOW: { status: 431, reason: 'Request Header Fields Too Large' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, reason: 'Payload Too Large' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, reason: 'Request Timeout' },
};
const badRequest: Refusal = { status: 400, reason: 'Bad Request' };

/** Longest wait, in milliseconds, for the responses to the requests that came before the error. */
const earlierResponsesMs = 10_000;

/**
 * Answers invalid HTTP (400), oversized headers (431) and slow requests (408). Valid requests that came before the
 * error on the same connection are answered first.
 * @param allowOf returns the methods of a path for the header Allow, or undefined for an unknown path
 */
export function answerClientErrors(
  server: Server,
  isProduction: boolean,
  allowOf: (path: string) => string | undefined,
): void {
  /** Connections that have their error: what still arrives on them is not read as HTTP. */
  const failed = new WeakSet<Socket>();

  server.on('clientError', (error: ParserError, socket: Socket) => {
    if (failed.has(socket)) return;
    failed.add(socket);
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const refusal = refusalOf(error, allowOf);
    const store = unfinishedRequest(socket);
    const response = store?.response;
    if (store === undefined || response === undefined) sendRefusal(socket, refusal, isProduction);
    else if (response.req.complete)
      afterResponse(response, socket, () => sendRefusal(socket, refusal, isProduction));
    else if (response.headersSent) afterResponse(response, socket, () => endAndLinger(socket, ''));
    else {
      const allow = refusal.allow === undefined ? [] : ['Allow', refusal.allow];
      writeHead(response, refusal.status, store, ['Connection', 'close', 'Content-Length', '0', ...allow]);
      response.end();
    }
  });

  // CONNECT asks for a tunnel; this server opens none.
  server.on('connect', (request, socket) => {
    socket.on('error', () => socket.destroy());
    const allow = allowOf((request.url ?? '').split('?', 1)[0] ?? '') ?? 'GET, POST';
    endRaw(socket, '405 Method Not Allowed', isProduction, [['Allow', allow]]);
  });
}

function refusalOf(error: ParserError, allowOf: (path: string) => string | undefined): Refusal {
  const allow = error.code === 'HPE_INVALID_METHOD' ? allowOf(pathIn(error)) : undefined;
  if (allow !== undefined) return { status: 405, reason: 'Method Not Allowed', allow };
  return refusals[error.code ?? ''] ?? badRequest;
}

function sendRefusal(socket: Socket, { status, reason, allow }: Refusal, isProduction: boolean): void {
  endRaw(socket, `${status} ${reason}`, isProduction, allow === undefined ? [] : [['Allow', allow]]);
}

/** Runs `then` when the response has ended; gives the connection up when that takes too long. */
function afterResponse(response: ServerResponse, socket: Socket, then: () => void): void {
  if (response.writableFinished) {
    then();
    return;
  }
  const timer = setTimeout(() => socket.destroy(), earlierResponsesMs).unref();
  response.once('close', () => {
    clearTimeout(timer);
    then();
  });
}

/** The path of a request whose method the parser does not know, when the rest of its line is well-formed. */
function pathIn({ rawPacket, bytesParsed = 0 }: ParserError): string {
  if (rawPacket === undefined) return '';
  const lineStart = rawPacket.lastIndexOf('\n', Math.max(0, bytesParsed - 1)) + 1;
  const line = rawPacket.toString('latin1', lineStart, lineStart + 2000).split('\r\n', 1)[0] ?? '';
  return /^[A-Za-z!#$%&'*+.^_`|~-]{1,40} (\/[^\s?]*)\S* HTTP\/1\.[01]$/.exec(line)?.[1] ?? '';
}
