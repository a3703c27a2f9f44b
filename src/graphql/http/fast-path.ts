// The fast path of a request: answers a plain JSON POST of a cached document without Yoga. It leaves all else (a new
// document, an invalid request, a stream) to Yoga, which gives the same answer, and writes only the errors of fields itself.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { DocumentNode, ExecutionResult, GraphQLError } from 'graphql';
import type { Viewer } from '../../core/permissions.js';
import { writeHead } from '../../http/response.js';
import { endInBatch } from '../../http/write-batch.js';
import type { RequestContext } from '../../infra/telemetry/request-context.js';
import type { Executor } from '../execution/executor.js';
import { faultOf } from '../plugins/operation-telemetry.js';
import type { GraphQLContext } from '../schema-kit/context.js';

/** The parts of the pipeline that Yoga and the fast path share. */
export interface FastPathParts {
  executor: Executor;
  /** The text that a request's parameters stand for. @throws AppError when it may not run */
  textOf: ((params: GraphQLParams) => string) | undefined;
  /** A document that was checked before. */
  documentOf: (text: string) => DocumentNode | undefined;
  /** Whether variables make the operation too large. */
  isTooLarge: (
    document: DocumentNode,
    variables: Record<string, unknown>,
    operationName: string | null,
  ) => boolean;
  /** Replaces a response that is too large by an error. */
  limitSize: (document: DocumentNode, result: ExecutionResult) => ExecutionResult;
  /** Whether it asks for nothing but what anonymous callers may read. */
  isPublic: (document: DocumentNode, operationName: string | null) => boolean;
  contextFor: (viewer: Viewer | null) => GraphQLContext;
  /** Tells what runs; what it returns ends it, with a code when it failed. */
  beginOperation: (args: {
    document: DocumentNode;
    operationName?: string | null;
  }) => (fault: string | undefined) => void;
  maskError: (error: unknown) => Error;
  /** The answer as it goes out. */
  endOperation: (result: ExecutionResult) => ExecutionResult;
}

/** The body of a request. */
export interface GraphQLParams {
  query?: unknown;
  variables?: unknown;
  operationName?: unknown;
  documentId?: unknown;
  extensions?: unknown;
}

/** A request that is being answered. */
export interface FastPathRequest {
  request: IncomingMessage;
  response: ServerResponse;
  store: RequestContext;
  /** Answers what went wrong beyond the errors of fields. */
  refuse: (error: unknown) => void;
}

/** Takes a request on, or (false) leaves it to Yoga. */
export type FastPath = (exchange: FastPathRequest, params: GraphQLParams, viewer: Viewer | null) => boolean;

type MediaType = 'application/json' | 'application/graphql-response+json';
const contentTypes: Record<MediaType, string> = {
  'application/json': 'application/json; charset=utf-8',
  'application/graphql-response+json': 'application/graphql-response+json; charset=utf-8',
};

const plainParams = new Set(['query', 'variables', 'operationName', 'extensions']);

/** Creates the fast path. */
export function createFastPath(parts: FastPathParts): FastPath {
  const { executor } = parts;

  /** What is to run, when all of it is plain and valid. */
  function prepare(params: GraphQLParams) {
    const { variables = null, operationName = null } = params;
    if (typeof variables !== 'object' || Array.isArray(variables)) return undefined;
    if (operationName !== null && typeof operationName !== 'string') return undefined;
    const text = textOf(params);
    const document = text === undefined ? undefined : parts.documentOf(text);
    if (document === undefined) return undefined;
    const given = (variables ?? {}) as Record<string, unknown>;
    const planned = executor.planFor(document, operationName, given);
    if (planned === undefined || planned.plan.operation.operation === 'subscription') return undefined;
    if (parts.isTooLarge(document, given, operationName)) return undefined;
    return { document, operationName, planned };
  }

  function textOf(params: GraphQLParams): string | undefined {
    if (parts.textOf === undefined) {
      for (const name in params) if (!plainParams.has(name)) return undefined;
      if (params.extensions !== undefined && !isPlainExtensions(params.extensions)) return undefined;
      return typeof params.query === 'string' ? params.query : undefined;
    }
    try {
      return parts.textOf(params);
    } catch {
      return undefined;
    }
  }

  function errorsOf({ errors }: ExecutionResult): readonly GraphQLError[] {
    if (errors === undefined) return [];
    const masked = errors.map((error) => parts.maskError(error) as GraphQLError);
    return parts.endOperation({ errors: masked }).errors ?? [];
  }

  return ({ request, response, store, refuse }, params, viewer) => {
    const mediaType = mediaTypeOf(request.headers.accept);
    const prepared = mediaType === undefined ? undefined : prepare(params);
    if (mediaType === undefined || prepared === undefined) return false;
    const { document, operationName, planned } = prepared;
    if (viewer === null && !parts.isPublic(document, operationName)) return false; // Yoga refuses it
    const end = parts.beginOperation({ document, operationName });
    // Telling others of a change may keep this turn busy: who made it need not wait for that.
    const handOver = planned.plan.isSerial ? endNow : endInBatch;
    const answer = (unlimited: ExecutionResult) => {
      const result = parts.limitSize(document, unlimited);
      end(result.errors && faultOf(result));
      if (!response.destroyed)
        send(response, store, mediaType, JSON.stringify(result.data), errorsOf(result), handOver);
    };
    const giveUp = (error: unknown) => {
      end('INTERNAL');
      if (!response.destroyed) refuse(error); // else nobody waits for it
    };
    try {
      const result = executor.run(planned, parts.contextFor(viewer), () => response.destroyed);
      if (result instanceof Promise) result.then(answer, giveUp).catch(refuse);
      else answer(result);
    } catch (error) {
      giveUp(error);
    }
    return true;
  };
}

/** Whether the server ignores these extensions: an object without a persisted query, such as Apollo's `clientLibrary`. */
function isPlainExtensions(extensions: unknown): boolean {
  if (typeof extensions !== 'object' || extensions === null || Array.isArray(extensions)) return false;
  return !('persistedQuery' in extensions);
}

/** The first kind of JSON that Accept lists, of any weight; undefined when there is none. */
function mediaTypeOf(accept = '*/*'): MediaType | undefined {
  if (accept === '*/*' || accept === 'application/json') return 'application/json';
  for (const range of accept.toLowerCase().replace(/\s/g, '').split(',')) {
    const [type, ...parameters] = range.split(';');
    const charset = parameters.find((parameter) => parameter.includes('charset='));
    if (charset !== undefined && charset !== 'charset=utf-8') continue;
    if (type === 'application/graphql-response+json') return type;
    if (type === 'application/json' || type === 'application/*' || type === '*/*') return 'application/json';
  }
  return undefined;
}

interface HttpExtensions {
  status?: number;
  headers?: Record<string, string>;
  /** Whether GraphQL over HTTP answers it with 200 for application/json. */
  spec?: boolean;
}

/** Status and headers as the errors ask for them, and the answer without what only they tell. */
function send(
  response: ServerResponse,
  store: RequestContext,
  mediaType: MediaType,
  data: string,
  errors: readonly GraphQLError[],
  handOver: typeof endInBatch,
): void {
  const headers: Record<string, string> = {};
  let status = 0;
  for (const { extensions } of errors) {
    const http = extensions.http as HttpExtensions | undefined;
    Object.assign(headers, http?.headers);
    if (http?.status !== undefined && !(mediaType === 'application/json' && http.spec === true))
      status = Math.max(status, http.status);
  }
  const listed = errors.length === 0 ? '' : `"errors":${JSON.stringify(errors.map(withoutHttp))},`;
  const text = `{${listed}"data":${data}}`;
  const list = ['Content-Type', contentTypes[mediaType]];
  for (const name in headers) list.push(name, headers[name] as string);
  list.push('Content-Length', String(Buffer.byteLength(text)));
  writeHead(response, status === 0 ? 200 : status, store, list);
  handOver(response, text);
}

const endNow: typeof endInBatch = (response, text) => void response.end(text);

function withoutHttp(error: GraphQLError): object {
  const { extensions, ...rest } = error.toJSON();
  const { http: _told, ...shown } = extensions as Record<string, unknown>;
  return Object.keys(shown).length === 0 ? rest : { ...rest, extensions: shown };
}
