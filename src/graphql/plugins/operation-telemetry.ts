// Names operations in the log, in /metrics and in traces, and times them. It knows no transport.
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import { AppError } from '../../core/errors.js';
import type { Infra } from '../../infra/infra.js';
import { redactLooks } from '../../infra/logging/redaction.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { Span } from '../../infra/telemetry/tracing.js';

type Meters = Pick<Infra, 'metrics' | 'tracing'>;

/** Measures what Yoga executes, over HTTP and WebSockets alike. */
export function measureOperations(meters: Meters, isTrusted: boolean): Plugin {
  return {
    onExecute({ args }) {
      const end = beginOperation(args as ExecutionArgs, meters, isTrusted);
      return { onExecuteDone: ({ result }) => end(faultOf(result)) };
    },
    onSubscribe({ args }) {
      const end = beginOperation(args as ExecutionArgs, meters, isTrusted);
      return { onSubscribeResult: ({ result }) => end(faultOf(result)) };
    },
  };
}

/** The code of the first error of an answer. graphql/errors.ts, which comes later, words it for the client. */
export function faultOf(result: unknown): string | undefined {
  if (isAsyncIterable(result)) return undefined;
  const [error] = (result as ExecutionResult | null)?.errors ?? [];
  if (error === undefined) return undefined;
  const { originalError } = error;
  return originalError instanceof AppError ? originalError.code : String(error.extensions.code ?? 'error');
}

/**
 * Names the operation of the current request and begins to measure it.
 * @param isTrusted whether documents come from this server's own list
 * @returns what ends it; with a code when it failed
 */
export function beginOperation(
  { document, operationName }: Pick<ExecutionArgs, 'document' | 'operationName'>,
  { metrics, tracing }: Meters,
  isTrusted: boolean,
): (fault: string | undefined) => void {
  const operation = getOperationAST(document, operationName);
  const store = currentRequest();
  if (store === undefined || operation == null) return () => {};
  const { type, name, title, root } = namesOf(document, operation);
  store.operation = title;
  const label = isTrusted && name !== undefined ? name : root;
  const outer = store.span;
  const span = beginSpan(`${type} ${label}`, outer, tracing);
  if (span !== undefined) {
    const shown = redactLooks(name ?? 'anonymous');
    span.set({ 'graphql.operation.type': type, 'graphql.operation.name': shown });
    store.span = span;
  }
  const startedAt = performance.now();
  return (fault) => {
    metrics.operation((performance.now() - startedAt) / 1000, type, label, fault !== undefined);
    if (span === undefined) return;
    span.end(fault);
    if (outer !== undefined) store.span = outer;
  };
}

/** A WebSocket's operations are traces of their own: the connection outlives every one. */
function beginSpan(name: string, outer: Span | undefined, tracing: Meters['tracing']): Span | undefined {
  return outer === undefined ? tracing?.begin(name, undefined, {}) : outer.child(name, 'internal', {});
}

interface Names {
  type: string;
  name: string | undefined;
  /** For the log. */
  title: string;
  /** The root field, as validation has found it in the schema: names that clients make up become no label. */
  root: string;
}
const known = new WeakMap<OperationDefinitionNode, Names>();

function namesOf(document: DocumentNode, operation: OperationDefinitionNode): Names {
  let names = known.get(operation);
  if (names === undefined) {
    const type = operation.operation;
    const name = operation.name?.value.slice(0, 100);
    const fields = rootFields(document, operation.selectionSet);
    const [only = 'none'] = fields;
    const root = fields.size > 1 ? 'several' : only.startsWith('__') ? 'introspection' : only;
    names = { type, name, title: `${type} ${name ?? 'anonymous'}`, root };
    known.set(operation, names);
  }
  return names;
}

function rootFields(document: DocumentNode, { selections }: SelectionSetNode): Set<string> {
  const names = selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [selection.name.value];
    if (selection.kind === Kind.INLINE_FRAGMENT) return [...rootFields(document, selection.selectionSet)];
    const fragment = document.definitions.find(
      (definition) =>
        definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === selection.name.value,
    );
    return fragment?.kind === Kind.FRAGMENT_DEFINITION
      ? [...rootFields(document, fragment.selectionSet)]
      : [];
  });
  return new Set(names);
}
