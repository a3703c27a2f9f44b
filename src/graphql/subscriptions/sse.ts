// Subscriptions as Server-Sent Events (GraphQL over SSE, distinct connections): the bytes, at the reader's pace.
// Yoga decides that an answer is one; writing it here costs a tenth of Yoga's web streams.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ExecutionResult } from 'graphql';
import type { Stream } from '../../core/pull-stream.js';
import { bytesOf, deliver, inThisRequest, type Mask } from './backpressure.js';
import type { Heartbeat } from './heartbeat.js';

interface EventStreamOptions {
  mask: Mask;
  heartbeat: Heartbeat;
}

/** As Yoga has them, and what keeps nginx from buffering and any proxy from compressing the stream. */
const headers = {
  'Content-Type': 'text/event-stream',
  Connection: 'keep-alive',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
  'Content-Encoding': 'none',
};
/** A comment, which clients skip: it opens the stream and keeps proxies from ending it. */
const ping = ':\n\n';
/** Turns of the heartbeat that a reader may leave what was written lying. */
const maxIdleTurns = 3;

/** Sends streams of answers. */
export function createEventStreams({ mask, heartbeat }: EventStreamOptions) {
  return (response: ServerResponse, answers: Stream<ExecutionResult>): void => {
    const { socket } = response.req;
    if (socket.destroyed) {
      answers.close();
      return;
    }
    response.writeHead(200, headers);
    response.write(ping);
    const ownMask = inThisRequest(mask);
    const begin = () => write(response, socket, answers, ownMask, heartbeat);
    // A request sent ahead of its turn on the connection has no socket yet.
    if (response.socket !== null) begin();
    else {
      socket.once('close', answers.close);
      response.once('socket', () => setImmediate(begin));
    }
  };
}

/**
 * Past the head the stream goes to the socket itself, in HTTP chunks that are made once for all subscribers; node's
 * response would write four pieces for each chunk.
 */
function write(
  response: ServerResponse,
  socket: Socket,
  answers: Stream<ExecutionResult>,
  mask: Mask,
  heartbeat: Heartbeat,
): void {
  const { chunkedEncoding } = response;
  const frame = chunkedEncoding ? toChunk : (text: string) => Buffer.from(text);
  const form = chunkedEncoding ? 'event chunk' : 'event';
  const toEvent = (answer: ExecutionResult) => frame(`event: next\ndata: ${JSON.stringify(answer)}\n\n`);

  const silence = heartbeat(watchReader(socket, () => socket.write(frame(ping))));
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
    ...{ answers, socket },
    isOpen: () => socket.writable,
    encode: (answer) => bytesOf(answer, mask, form, toEvent),
    onEnd: () => {
      leave();
      response.end('event: complete\ndata:\n\n');
    },
  });
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
