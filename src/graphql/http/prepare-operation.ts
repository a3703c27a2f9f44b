// Prepares the operation of a plain request for the fast path, and leaves to Yoga every request that is not plain and valid.
import type { DocumentNode } from 'graphql';
import type { Executor } from '../execution/executor.js';
import type { Planned } from '../execution/plan-cache.js';

/** The body of a request. */
export interface GraphQLParams {
  query?: unknown;
  variables?: unknown;
  operationName?: unknown;
  documentId?: unknown;
  extensions?: unknown;
}

/** The parts of the pipeline that find out what is to run. */
export interface PreparationParts {
  executor: Executor;
  /** The text that a request's parameters stand for. @throws AppError when it may not run */
  textOf: ((params: GraphQLParams) => string) | undefined;
  /** The document that extensions name by its hash. */
  persistedText: (extensions: unknown) => string | undefined;
  /** A document that was checked before. */
  documentOf: (text: string) => DocumentNode | undefined;
  /** Whether variables make the operation too large. */
  isTooLarge: (
    document: DocumentNode,
    variables: Record<string, unknown>,
    operationName: string | null,
  ) => boolean;
}

/** An operation that is ready to run. */
export interface PreparedOperation {
  document: DocumentNode;
  operationName: string | null;
  planned: Planned;
}

const plainParams = new Set(['query', 'variables', 'operationName', 'extensions']);

/** Creates the preparation, which returns undefined for requests that are left to Yoga. */
export function createPreparation(parts: PreparationParts) {
  const { executor, textOf, persistedText, documentOf, isTooLarge } = parts;
  const findText =
    textOf === undefined
      ? (params: GraphQLParams) => plainTextOf(params, persistedText)
      : orUndefined(textOf);

  return (params: GraphQLParams): PreparedOperation | undefined => {
    const { variables = null, operationName = null } = params;
    if (typeof variables !== 'object' || Array.isArray(variables)) return undefined;
    if (operationName !== null && typeof operationName !== 'string') return undefined;
    const text = findText(params);
    const document = text === undefined ? undefined : documentOf(text);
    if (document === undefined) return undefined;
    const given = (variables ?? {}) as Record<string, unknown>;
    const planned = executor.planFor(document, operationName, given);
    if (planned === undefined || planned.plan.operation.operation === 'subscription') return undefined;
    if (isTooLarge(document, given, operationName)) return undefined;
    return { document, operationName, planned };
  };
}

/** The query of parameters that name nothing else to run. */
function plainTextOf(
  params: GraphQLParams,
  persistedText: PreparationParts['persistedText'],
): string | undefined {
  for (const name in params) if (!plainParams.has(name)) return undefined;
  const { extensions, query } = params;
  if (extensions !== undefined && !isPlainExtensions(extensions))
    return query === undefined ? persistedText(extensions) : undefined;
  return typeof params.query === 'string' ? params.query : undefined;
}

function orUndefined(textOf: (params: GraphQLParams) => string) {
  return (params: GraphQLParams): string | undefined => {
    try {
      return textOf(params);
    } catch {
      return undefined;
    }
  };
}

/** Whether the server ignores these extensions: an object without a persisted query, such as Apollo's `clientLibrary`. */
function isPlainExtensions(extensions: unknown): boolean {
  if (typeof extensions !== 'object' || extensions === null || Array.isArray(extensions)) return false;
  return !('persistedQuery' in extensions);
}
