// Sends answers to subscribers, over either transport: at the reader's pace, each answer serialized once for all.
import type { Socket } from 'node:net';
import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Logger } from 'pino';
import type { Stream } from '../../core/pull-stream.js';
import { currentRequest, runInRequest } from '../../infra/telemetry/request-context.js';
import { toGraphQLError } from '../errors.js';
import { encodeOnce } from './shared-execution.js';

/** Puts what a client may see in the place of an answer's errors. */
export type Mask = (answer: ExecutionResult) => ExecutionResult;

/** Reduces an error to its public part, without the fields for the head of an HTTP response. */
export function createErrorMask(log: Logger, isSchemaPublic: boolean) {
  return (error: unknown): GraphQLError => {
    const { extensions, ...rest } =
      error instanceof GraphQLError && error.extensions.correlationId
        ? error
        : toGraphQLError(error, log, isSchemaPublic);
    const { http: _http, ...shown } = extensions;
    return new GraphQLError(rest.message, { ...rest, extensions: shown });
  };
}

/** The same mask, always run within this request: the request that wrote an event wakes the streams of others. */
export function inThisRequest(mask: Mask): Mask {
  const request = currentRequest();
  return request === undefined ? mask : (answer) => runInRequest(request, () => mask(answer));
}

interface Delivery {
  answers: Stream<ExecutionResult>;
  socket: Socket;
  /** Whether anything may be written still. */
  isOpen: () => boolean;
  /** An answer as bytes of the transport. */
  encode: (answer: ExecutionResult) => Buffer;
  /** The answers are over; not called after `stop`. */
  onEnd: () => void;
}

/**
 * Writes answers to a socket as they come. Answers that are ready go out together. It takes none while the socket is full,
 * so that later events wait in the log.
 * @returns how to stop
 */
export function deliver({ answers, socket, isOpen, encode, onEnd }: Delivery): () => void {
  let isOver = false;
  let isPumping = false;
  let isWanted = false;

  function stop(): void {
    if (isOver) return;
    isOver = true;
    socket.off('drain', pump);
    answers.close();
  }

  /** A source may call this while it is asked for a step; the answer to that step goes out first. */
  function pump(): void {
    isWanted = true;
    if (isPumping) return;
    isPumping = true;
    socket.cork();
    try {
      while (isWanted && !isOver) {
        isWanted = false;
        writeReady();
      }
    } finally {
      isPumping = false;
      socket.uncork();
    }
  }

  function writeReady(): void {
    if (!isOpen()) {
      stop();
      return;
    }
    while (!socket.writableNeedDrain) {
      const step = answers.take();
      if (step === undefined) {
        answers.whenReady(pump);
        return;
      }
      if (step.done === true) {
        stop();
        onEnd();
        return;
      }
      socket.write(encode(step.value));
    }
    socket.off('drain', pump).once('drain', pump);
  }

  pump();
  return stop;
}

/**
 * Encodes an answer, once in this form for all subscribers who get the same; errors for each subscriber.
 * @param form names what `write` makes
 */
export function bytesOf(
  answer: ExecutionResult,
  mask: Mask,
  form: string,
  write: (answer: ExecutionResult) => Buffer,
): Buffer {
  try {
    return answer.errors === undefined ? encodeOnce(answer, form, write) : write(mask(answer));
  } catch (error) {
    // No caller could handle it: this runs within the request that wrote the event, and other streams wait for it.
    const originalError = error as Error;
    return write(mask({ errors: [new GraphQLError(originalError.message, { originalError })] }));
  }
}
