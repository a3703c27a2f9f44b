// Yoga plugins for subscriptions: one execution for all subscribers with the same answer, written by our own event streams.
import type { ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Executor } from '../execution/executor.js';
import type { GraphQLContext } from '../schema-kit/context.js';
import { createErrorMask } from '../subscriptions/backpressure.js';
import { createHeartbeat } from '../subscriptions/heartbeat.js';
import { createHttpStreams } from '../subscriptions/http-stream.js';
import { type CreateContext, createSubscribe } from '../subscriptions/shared-execution.js';
import { formatFor } from '../subscriptions/stream-formats.js';

/** Executes an event once for all subscribers that get the same answer. */
export function shareAnswers(createContext: CreateContext, execute: Executor['execute']): Plugin {
  const subscribe = createSubscribe(createContext, execute);
  return {
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(subscribe);
    },
  };
}

/**
 * Writes subscriptions to HTTP responses here instead of in Yoga, in the format that the client accepts.
 * @param pingEveryMs interval of keep-alive comments on a silent stream
 */
export function streamAnswers(log: Logger, isSchemaPublic: boolean, pingEveryMs: number): Plugin {
  const maskError = createErrorMask(log, isSchemaPublic);
  const mask = (answer: ExecutionResult) => ({ ...answer, errors: answer.errors?.map(maskError) });
  const send = createHttpStreams({ mask, heartbeat: createHeartbeat(pingEveryMs) });
  return {
    onResultProcess({ resultProcessor, setResultProcessor, serverContext }) {
      const { answers, res } = serverContext as { answers?: GraphQLContext['answers']; res?: ServerResponse };
      if (answers === undefined || res === undefined) return;
      const format = formatFor(res.req.headers.accept, resultProcessor !== undefined);
      if (format === undefined) {
        answers.close(); // the client accepts no format of a stream: 406
        return;
      }
      const takeOver = () => {
        send(res, answers, format);
        return new Promise<never>(() => {}); // Yoga sends nothing more
      };
      setResultProcessor(takeOver, format.contentType);
    },
  };
}
