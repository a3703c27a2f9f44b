// The fast path of a request: answers a plain JSON POST of a cached document without Yoga. It leaves all else (a new
// document, an invalid request, a stream) to Yoga, which gives the same answer, and writes only the errors of fields itself.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { DocumentNode, ExecutionResult, GraphQLError } from 'graphql';
import type { Viewer } from '../../core/permissions.js';
import { endInBatch } from '../../http/write-batch.js';
import type { RequestContext } from '../../infra/telemetry/request-context.js';
import { type WrittenResult, writeInTurns } from '../documents/response-text.js';
import { faultOf } from '../plugins/operation-telemetry.js';
import type { GraphQLContext } from '../schema-kit/context.js';
import { endNow, mediaTypeOf, sendJson } from './json-response.js';
import { createPreparation, type GraphQLParams, type PreparationParts } from './prepare-operation.js';

/** The parts of the pipeline that Yoga and the fast path share. */
export interface FastPathParts extends PreparationParts {
  /** Whether a response has to be written in turns, and may be too large. */
  mayBeLarge: (document: DocumentNode) => boolean;
  /** Bytes of the largest response. */
  maxBytes: number;
  /** Whether it asks for nothing but what anonymous callers may read. */
  isPublic: (document: DocumentNode, operationName: string | null) => boolean;
  contextFor: (viewer: Viewer | null) => GraphQLContext;
  /** Begins to measure what runs. @returns what ends it, with a code when it failed */
  beginOperation: (args: {
    document: DocumentNode;
    operationName?: string | null;
  }) => (fault: string | undefined) => void;
  maskError: (error: unknown) => Error;
  /** Adds the request's correlation id to errors. */
  withCorrelationIds: (result: ExecutionResult) => ExecutionResult;
}

/** A request that is being answered. */
export interface FastPathRequest {
  request: IncomingMessage;
  response: ServerResponse;
  store: RequestContext;
  /** Answers with an error that no field has. */
  refuse: (error: unknown) => void;
}

/** Takes a request on, or (false) leaves it to Yoga. */
export type FastPath = (exchange: FastPathRequest, params: GraphQLParams, viewer: Viewer | null) => boolean;

/** Creates the fast path. */
export function createFastPath(parts: FastPathParts): FastPath {
  const prepare = createPreparation(parts);

  function errorsOf({ errors }: ExecutionResult): readonly GraphQLError[] {
    if (errors === undefined) return [];
    const masked = errors.map((error) => parts.maskError(error) as GraphQLError);
    return parts.withCorrelationIds({ errors: masked }).errors ?? [];
  }

  return ({ request, response, store, refuse }, params, viewer) => {
    const mediaType = mediaTypeOf(request.headers.accept);
    const prepared = mediaType === undefined ? undefined : prepare(params);
    if (mediaType === undefined || prepared === undefined) return false;
    const { document, operationName, planned } = prepared;
    if (viewer === null && !parts.isPublic(document, operationName)) return false; // Yoga refuses it
    const endOperation = parts.beginOperation({ document, operationName });
    // Publishing a change may keep this turn busy: the client that made it need not wait for that.
    const end = planned.plan.isSerial ? endNow : endInBatch;
    const write = ({ errors, text }: WrittenResult) => {
      const result = errors === undefined ? {} : { errors };
      endOperation(errors && faultOf(result));
      if (!response.destroyed) sendJson(response, store, mediaType, text, errorsOf(result), end);
    };
    const answer = (result: ExecutionResult): void | Promise<void> =>
      parts.mayBeLarge(document)
        ? writeInTurns(result, parts.maxBytes).then(write)
        : write({ errors: result.errors, text: JSON.stringify(result.data) });
    const giveUp = (error: unknown) => {
      endOperation('INTERNAL');
      if (!response.destroyed) refuse(error); // else nobody waits for it
    };
    try {
      const result = parts.executor.run(planned, parts.contextFor(viewer), () => response.destroyed);
      if (result instanceof Promise) result.then(answer, giveUp).catch(refuse);
      else answer(result)?.catch(refuse);
    } catch (error) {
      giveUp(error);
    }
    return true;
  };
}
