// The context of the request being served, available wherever its code runs.
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { redactLooks } from '../logging/redaction.js';
import type { Metrics } from './metrics.js';
import { parseTraceparent } from './trace-context.js';
import type { Span } from './tracing.js';

/** The time that a request has spent waiting for database connections, in milliseconds. */
export interface Waits {
  /** Waits in progress. */
  underWay: number;
  spentMs: number;
  /** When the first wait in progress began, or the last one ended. */
  since: number;
}

/** One request, or one operation of an open stream. The fields after the first three are set while it is served. */
export type RequestContext = {
  correlationId: string;
  ip: string | null;
  userAgent: string | null;
  /** Whether it came with a bearer token. */
  hasToken?: boolean;
  /** Its HTTP response, for headers that are set late. */
  response?: ServerResponse;
  userId?: string;
  sessionId?: string;
  /** Pattern of the matched route. */
  route?: string;
  /** Type and name of the GraphQL operation. */
  operation?: string;
  /** Codes of the errors that were returned so far. */
  errors?: Set<string>;
  /** The open span of its trace. */
  span?: Span;
  /** Where its measurements go. */
  metrics?: Metrics;
  /** Called once for each place where the request is FORBIDDEN something. */
  onDenied?: (request: RequestContext, where: string | undefined) => void;
  /** Refusals that have been logged, by code and place. */
  refusals?: Set<string>;
  /** Database statements so far. */
  dbQueries: number;
  /** Time spent waiting for the database so far, in milliseconds. */
  dbMs: number;
  /** Its waits for database connections. */
  waits?: Waits;
  /** Headers for its response, names and values alternating; the writer of the response takes them. */
  headers?: string[];
};

/** The store behind {@link currentRequest}; prefer {@link runInRequest} to entering it by hand. */
export const requestContext = new AsyncLocalStorage<RequestContext>();

/** The request being served; undefined outside of one. */
export function currentRequest(): RequestContext | undefined {
  return requestContext.getStore();
}

/**
 * Runs a function, and everything it starts, within a request.
 *
 * @returns what the function returns
 */
export function runInRequest<Result>(store: RequestContext, fn: () => Result): Result {
  return requestContext.run(store, fn);
}

/** Whether an incoming correlation id is accepted: 1 to 128 of A-Z a-z 0-9 . _ - and no token or API key. */
export function isValidCorrelationId(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9._-]{1,128}$/.test(value) && redactLooks(value) === value;
}

/** A User-Agent header in the form that is stored: at most 500 characters, tokens and API keys redacted. */
export function userAgentOf(value: string | undefined): string | null {
  return value === undefined ? null : redactLooks(value.slice(0, 500));
}

/** A new correlation id: a random UUID (RFC 9562, version 4). */
export function newCorrelationId(): string {
  return randomUUID();
}

/**
 * The correlation id of a request: the sender's X-Correlation-Id, else the id of its trace, else a new one.
 * @param traceId of the trace that was begun for the request, if any
 */
export function correlationIdOf(headers: IncomingHttpHeaders, traceId?: string): string {
  const given = headers['x-correlation-id'];
  if (isValidCorrelationId(given)) return given;
  return traceId ?? parseTraceparent(headers.traceparent)?.traceId ?? newCorrelationId();
}

/** Notes that an error of this code is returned, for the request's log line, /metrics and its trace. */
export function noteError(request: RequestContext, code: string): void {
  request.errors ??= new Set();
  if (request.errors.has(code)) return;
  request.errors.add(code);
  request.metrics?.error(code);
}
