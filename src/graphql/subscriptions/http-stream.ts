// Subscriptions over HTTP: the bytes of each format (stream-formats.ts), at the reader's pace.
// Yoga decides that an answer is a stream; writing it here costs a tenth of Yoga's web streams.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ExecutionResult } from 'graphql';
import { AppError } from '../../core/errors.js';
import type { Stream } from '../../core/pull-stream.js';
import { bytesOf, deliver, inThisRequest, type Mask } from './backpressure.js';
import type { Heartbeat } from './heartbeat.js';
import type { StreamFormat } from './stream-formats.js';

interface HttpStreamOptions {
  mask: Mask;
  heartbeat: Heartbeat;
}

/** In every format. They keep nginx from buffering, and any proxy from compressing, the stream. */
const headers = {
  Connection: 'keep-alive',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
  'Content-Encoding': 'none',
};
/** Turns of the heartbeat that a reader may leave what was written lying. */
const maxIdleTurns = 3;

/** Sends streams of answers. */
export function createHttpStreams({ mask, heartbeat }: HttpStreamOptions) {
  return (response: ServerResponse, answers: Stream<ExecutionResult>, format: StreamFormat): void => {
    const { socket } = response.req;
    if (socket.destroyed) {
      answers.close();
      return;
    }
    response.writeHead(200, { 'Content-Type': format.contentType, ...headers });
    response.write(format.open);
    const ownMask = inThisRequest(mask);
    const begin = () => write({ response, socket, answers, mask: ownMask, heartbeat, format });
    // A request sent ahead of its turn on the connection has no socket yet.
    if (response.socket !== null) begin();
    else {
      socket.once('close', answers.close);
      response.once('socket', () => setImmediate(begin));
    }
  };
}

interface Writing {
  response: ServerResponse;
  socket: Socket;
  answers: Stream<ExecutionResult>;
  mask: Mask;
  heartbeat: Heartbeat;
  format: StreamFormat;
}

/**
 * Past the head the stream goes to the socket itself, in HTTP chunks that are made once for all subscribers; node's
 * response would write four pieces for each chunk.
 */
function write({ response, socket, answers, mask, heartbeat, format }: Writing): void {
  const { chunkedEncoding } = response;
  const frame = chunkedEncoding ? toChunk : (text: string) => Buffer.from(text);
  const form = `${format.name}${chunkedEncoding ? ' chunk' : ''}`;
  const toBytes = (answer: ExecutionResult) => frame(format.encode(answer));
  let isExpired = false;

  const silence = heartbeat(watchReader(socket, () => socket.write(frame(format.ping))));
  const leave = () => {
    silence();
    socket.off('close', onClose);
  };
  const onClose = () => {
    leave();
    answers.close();
  };
  socket.once('close', onClose);
  deliver({
    answers,
    socket,
    isOpen: () => socket.writable,
    encode: (answer) => {
      isExpired ||= isTokenExpired(answer);
      return isExpired ? nothing : bytesOf(answer, mask, form, toBytes);
    },
    onEnd: () => {
      leave();
      if (isExpired) socket.end();
      else response.end(format.end);
    },
  });
}

const nothing = Buffer.alloc(0);

/**
 * Whether an answer ends a stream because the time of its token is over. Such a stream breaks off, like one whose
 * connection is lost: clients connect again after a loss, with a new token, but take an error for the stream's end.
 */
function isTokenExpired({ data, errors }: ExecutionResult): boolean {
  const cause = data === undefined ? errors?.[0]?.originalError : undefined;
  return cause instanceof AppError && cause.code === 'TOKEN_EXPIRED';
}

/** A turn of the heartbeat: a ping, or the end of a reader who has taken nothing of what waits for too long. */
function watchReader(socket: Socket, sendPing: () => void): () => void {
  let takenBefore = 0;
  let idleTurns = 0;
  return () => {
    const waiting = socket.writableLength;
    const taken = socket.bytesWritten - waiting;
    idleTurns = waiting > 0 && taken === takenBefore ? idleTurns + 1 : 0;
    takenBefore = taken;
    if (idleTurns >= maxIdleTurns) socket.destroy();
    else if (waiting === 0) sendPing();
  };
}

/** A chunk of HTTP's chunked transfer coding (RFC 9112, 7.1). */
function toChunk(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
}
