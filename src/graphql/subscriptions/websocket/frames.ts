// Sends messages of graphql-ws over a WebSocket, and subscriptions' answers as frames that are built here.
import type { Socket } from 'node:net';
import type { ExecutionResult } from 'graphql';
import type { WebSocket } from 'ws';
import { over, type Stream } from '../../../core/pull-stream.js';
import { bytesOf, deliver, type Mask } from '../backpressure.js';

/** A WebSocket and the socket under it. */
export interface Line {
  socket: WebSocket;
  wire: Socket;
}

/** Bytes that may wait in a socket's buffer before its reader counts as too slow. */
const maxBufferedBytes = 4_000_000;

/**
 * Resolves when the socket has taken the message. It terminates a connection whose reader leaves megabytes waiting, and
 * drops messages after the end of the connection.
 */
export function send(socket: WebSocket, data: string): Promise<void> {
  if (socket.bufferedAmount > maxBufferedBytes) socket.terminate();
  if (socket.readyState !== socket.OPEN) return Promise.resolve();
  return new Promise((resolve) => {
    socket.send(data, () => resolve());
  });
}

/**
 * Sends a subscription's answers, which graphql-ws and ws would serialize and frame again for each subscriber.
 * @returns the part for graphql-ws: an iteration that yields nothing and ends when the answers do
 */
export function forward(
  answers: Stream<ExecutionResult>,
  id: string,
  { socket, wire }: Line,
  mask: Mask,
): AsyncIterableIterator<never> {
  const head = headOf(id);
  let stop = answers.close;
  let finish: (end: typeof over) => void = () => {};
  const rest: AsyncIterableIterator<never> = {
    next: () =>
      new Promise((resolve) => {
        finish = resolve;
        stop = deliver({
          answers,
          socket: wire,
          isOpen: () => socket.readyState === socket.OPEN,
          encode: (answer) => textFrame(head, bytesOf(answer, mask, 'json', toJson), tail),
          onEnd: () => resolve(over),
        });
      }),
    async return() {
      stop();
      finish(over);
      return over;
    },
    [Symbol.asyncIterator]: () => rest,
  };
  return rest;
}

/**
 * Sends a large answer whose text is written already, which graphql-ws and ws would write and frame at once.
 * @returns the part for graphql-ws: an iteration that yields nothing and ends when the socket has taken the answer
 */
export function sendWhole(text: string, id: string, { socket, wire }: Line): AsyncIterableIterator<never> {
  const rest: AsyncIterableIterator<never> = {
    async next() {
      if (socket.bufferedAmount > maxBufferedBytes) socket.terminate();
      if (socket.readyState === socket.OPEN) {
        const frame = textFrame(headOf(id), Buffer.from(text), tail);
        await new Promise<void>((resolve) => wire.write(frame, () => resolve()));
      }
      return over;
    },
    return: async () => over,
    [Symbol.asyncIterator]: () => rest,
  };
  return rest;
}

const headOf = (id: string) => Buffer.from(`{"id":${JSON.stringify(id)},"type":"next","payload":`);
const tail = Buffer.from('}');
const toJson = (answer: ExecutionResult) => Buffer.from(JSON.stringify(answer));

/** A whole text message in one unmasked frame (RFC 6455, 5.2). */
function textFrame(...parts: Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  let at = 2 + lengthBytes;
  const frame = Buffer.allocUnsafe(at + length);
  frame[0] = 0x81;
  frame[1] = lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127;
  if (lengthBytes === 2) frame.writeUInt16BE(length, 2);
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  for (const part of parts) at += part.copy(frame, at);
  return frame;
}
