// What goes out over a WebSocket: at the reader's pace, and written as JSON once for all who get the same.
import type { ExecutionResult } from 'graphql';
import type { WebSocket } from 'ws';

/** What may wait in a socket's buffer before its reader counts as too slow. */
const maxBufferedBytes = 4_000_000;

/**
 * Resolves when the socket has taken the message, so that a stream waits for its reader; one who leaves megabytes
 * lying is cut off. What comes after the end of the connection goes nowhere.
 */
export function send(socket: WebSocket, data: string): Promise<void> {
  if (socket.bufferedAmount > maxBufferedBytes) socket.terminate();
  if (socket.readyState !== socket.OPEN) return Promise.resolve();
  return new Promise((resolve) => {
    socket.send(data, () => resolve());
  });
}

/**
 * Sends a subscription's answers itself, where graphql-ws would write each one as JSON for each subscriber anew.
 * @returns what is left to graphql-ws: an iteration that yields nothing and ends when the answers do
 */
export function forward(
  answers: AsyncIterableIterator<ExecutionResult>,
  id: string,
  socket: WebSocket,
  masked: (answer: ExecutionResult) => ExecutionResult,
): AsyncIterableIterator<never> {
  const head = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
  const rest: AsyncIterableIterator<never> = {
    async next() {
      for (;;) {
        const step = await answers.next();
        if (step.done === true) return { done: true, value: undefined };
        await send(socket, `${head}${textOf(masked(step.value))}}`);
      }
    },
    async return() {
      await answers.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => rest,
  };
  return rest;
}

function textOf(answer: ExecutionResult): string {
  const { stringify } = answer as { stringify?: () => string };
  return stringify === undefined ? JSON.stringify(answer) : stringify();
}
