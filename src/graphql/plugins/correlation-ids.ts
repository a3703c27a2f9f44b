// Errors of documents are cached, so they get the correlation id of the request on the way out.
import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { ErrorCode } from '../../core/error-catalogue.js';
import { logRefusal } from '../../infra/logging/security-events.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';

/** Yoga plugin: {@link withCorrelationIds} on every result but streams. */
export function correlationIds(log: Logger): Plugin {
  return {
    onExecutionResult({ result, setResult }) {
      if (result !== undefined && !Array.isArray(result) && !(Symbol.asyncIterator in result))
        setResult(withCorrelationIds(result, log));
    },
  };
}

/** Adds the correlation id to errors that have none, and logs them: they have passed no error mapper. */
export function withCorrelationIds(result: ExecutionResult, log: Logger): ExecutionResult {
  if (result.errors === undefined) return result;
  const correlationId = currentRequest()?.correlationId;
  const errors = result.errors.map((error) => {
    if (error.extensions?.correlationId !== undefined) return error;
    const code = (error.extensions?.code ?? 'GRAPHQL_VALIDATION_FAILED') as ErrorCode;
    logRefusal(log, { code }, undefined);
    return new GraphQLError(error.message, {
      ...error,
      extensions: { ...error.extensions, correlationId },
    });
  });
  return { ...result, errors };
}
