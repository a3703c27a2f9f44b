// Counts and times SQL statements for the request that waits for them, for /metrics and for traces.
import type { Metrics } from '../telemetry/metrics.js';
import { currentRequest } from '../telemetry/request-context.js';
import type { Span } from '../telemetry/tracing.js';

/** Ends the measurement of a statement; null for success. */
export type EndStatement = (error: (Error & { code?: unknown }) | null) => void;

/**
 * Counts a statement on the current request.
 * @returns call it when the statement ends, in any context
 */
export function beginStatement(text: string, metrics: Metrics | undefined): EndStatement {
  const request = currentRequest();
  const startedAt = performance.now();
  const span = request?.span?.isOpen() === true ? beginSpan(request.span, text) : undefined;
  if (request !== undefined) request.dbQueries += 1;
  return (error) => {
    const tookMs = performance.now() - startedAt;
    if (request !== undefined) request.dbMs += tookMs;
    metrics?.statement(tookMs / 1000, error !== null);
    // The message of an error may hold values, so the trace gets its code.
    if (error === null) span?.end();
    else span?.end(String(error.code ?? 'failed'));
  };
}

/** The text of a statement holds $1 and so on, never values. */
function beginSpan(parent: Span, text: string): Span {
  const operation = /^\s*(\w+)/.exec(text)?.[1]?.toUpperCase() ?? 'SQL';
  return parent.child(operation, 'client', {
    'db.system.name': 'postgresql',
    'db.operation.name': operation,
    'db.query.text': text.trim(),
  });
}
