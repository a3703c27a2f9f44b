// The short way of a request: a known document in a plain JSON POST, answered without Yoga. Whatever is not plain (a new
// document, a fault of any kind, a stream) is left to Yoga, which answers alike; only errors of fields are written here.
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type DocumentNode,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Viewer } from '../../core/permissions.js';
import { writeHead } from '../../http/response.js';
import { endInBatch } from '../../http/write-batch.js';
import type { RequestContext } from '../../infra/telemetry/request-context.js';
import { executePlan } from '../execution/execute.js';
import { type Plan, planOperation } from '../execution/plan.js';
import { faultOf } from '../plugins/operation-telemetry.js';
import type { GraphQLContext } from '../schema-kit/context.js';

/** The parts of the pipeline that Yoga and the short way share. */
export interface LeanParts {
  schema: GraphQLSchema;
  /** The text that a request's parameters stand for. @throws AppError when it may not run */
  textOf: ((params: LeanParams) => string) | undefined;
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
  /** Whether it asks for nothing but what strangers may have. */
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
export interface LeanParams {
  query?: unknown;
  variables?: unknown;
  operationName?: unknown;
  documentId?: unknown;
  extensions?: unknown;
}

/** A request that is being answered. */
export interface LeanRequest {
  request: IncomingMessage;
  response: ServerResponse;
  store: RequestContext;
  /** Answers what went wrong beyond the errors of fields. */
  refuse: (error: unknown) => void;
}

/** Takes a request on, or (false) leaves it to Yoga. */
export type Lean = (exchange: LeanRequest, params: LeanParams, viewer: Viewer | null) => boolean;

type MediaType = 'application/json' | 'application/graphql-response+json';
const contentTypes: Record<MediaType, string> = {
  'application/json': 'application/json; charset=utf-8',
  'application/graphql-response+json': 'application/graphql-response+json; charset=utf-8',
};

/** Fields of all plans that are kept, at a few hundred bytes each. */
const maxPlannedFields = 50_000;
const plainParams = new Set(['query', 'variables', 'operationName']);

/** Makes the short way. */
export function createLean(parts: LeanParts): Lean {
  const plans = new LRUCache<OperationDefinitionNode, Plan>({
    maxSize: maxPlannedFields,
    sizeCalculation: ({ size }) => size,
  });
  const unplanned = new WeakSet<OperationDefinitionNode>();

  function planOf(document: DocumentNode, operationName: string | null): Plan | undefined {
    const operation = getOperationAST(document, operationName);
    if (operation == null || unplanned.has(operation)) return undefined;
    const known = plans.get(operation);
    if (known !== undefined) return known;
    const plan = planOperation(parts.schema, document, operation);
    if (plan === undefined) unplanned.add(operation);
    else plans.set(operation, plan);
    return plan;
  }

  /** What is to run, when all of it is plain and sound. */
  function prepare(params: LeanParams) {
    const { variables = null, operationName = null } = params;
    if (typeof variables !== 'object' || Array.isArray(variables)) return undefined;
    if (operationName !== null && typeof operationName !== 'string') return undefined;
    const text = textOf(params);
    const document = text === undefined ? undefined : parts.documentOf(text);
    if (document === undefined) return undefined;
    const plan = planOf(document, operationName);
    if (plan === undefined) return undefined;
    const given = (variables ?? {}) as Record<string, unknown>;
    const coerced = plan.variables(given);
    if (coerced === undefined || parts.isTooLarge(document, given, operationName)) return undefined;
    return { document, operationName, plan, variables: coerced };
  }

  function textOf(params: LeanParams): string | undefined {
    if (parts.textOf === undefined) {
      for (const name in params) if (!plainParams.has(name)) return undefined;
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
    const { document, operationName, plan, variables } = prepared;
    if (viewer === null && !parts.isPublic(document, operationName)) return false; // refused as strangers are
    const end = parts.beginOperation({ document, operationName });
    // Telling others of a change may keep this turn busy: who made it need not wait for that.
    const handOver = plan.isSerial ? endNow : endInBatch;
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
      const result = executePlan(plan, parts.contextFor(viewer), variables, () => response.destroyed);
      if (result instanceof Promise) result.then(answer, giveUp).catch(refuse);
      else answer(result);
    } catch (error) {
      giveUp(error);
    }
    return true;
  };
}

/** The first kind of JSON that Accept lists, whatever its weight; undefined when there is none. */
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
  const told = errors.length === 0 ? '' : `"errors":${JSON.stringify(errors.map(withoutHttp))},`;
  const text = `{${told}"data":${data}}`;
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
