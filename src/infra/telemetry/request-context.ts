// What is known of the request being served, wherever its code runs; how requests are answered is elsewhere.
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { redactLooks } from '../logging/redaction.js';
import type { Metrics } from './metrics.js';
import { parseTraceparent, type Span } from './tracing.js';

/** How long a request has waited for database connections, in milliseconds. */
export interface Waits {
  underWay: number;
  spentMs: number;
  /** When the first of those under way began, or the last one ended. */
  since: number;
}

/** One request, or one operation of an open stream. The fields below the first three are filled in on the way. */
export type RequestContext = {
  correlationId: string;
  ip: string | null;
  userAgent: string | null;
  /** Whether it came with a bearer token. */
  hasToken?: boolean;
  /** Its answer, over HTTP; for headers that are known late. */
  response?: ServerResponse;
  userId?: string;
  sessionId?: string;
  /** Pattern of the route that answers. */
  route?: string;
  /** Type and name of the GraphQL operation. */
  operation?: string;
  /** Codes of the errors that were told so far. */
  errors?: Set<string>;
  /** The stretch of a trace that is under way. */
  span?: Span;
  /** Takes what is measured of it. */
  metrics?: Metrics;
  /** Called once for each place where the request is FORBIDDEN something. */
  onDenied?: (request: RequestContext, where: string | undefined) => void;
  /** Refusals that are in the log already. */
  refusals?: Set<string>;
  /** Database statements so far. */
  dbQueries: number;
  /** Time spent waiting for the database so far, in milliseconds. */
  dbMs: number;
  /** Its waits for database connections. */
  waits?: Waits;
  /** Headers that the answer will have, names and values in turn; taken by whoever begins to write it. */
  headers?: string[];
};

/** The store behind {@link currentRequest}; prefer {@link runInRequest} to entering it by hand. */
export const requestContext = new AsyncLocalStorage<RequestContext>();

/** @returns the request being served, or undefined outside of one. */
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

/** @returns whether an incoming correlation id may be kept: 1 to 128 of A-Z a-z 0-9 . _ - and no token or API key */
export function isValidCorrelationId(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9._-]{1,128}$/.test(value) && redactLooks(value) === value;
}

/** @returns the program's name for itself as it may be kept: at most 500 characters, no token or API key */
export function userAgentOf(value: string | undefined): string | null {
  return value === undefined ? null : redactLooks(value.slice(0, 500));
}

/** @returns a new correlation id: a random UUID (RFC 9562, version 4). */
export function newCorrelationId(): string {
  return randomUUID();
}

/**
 * @param traceId of the trace that was begun for it, if any
 * @returns the id that the sender gave, else that of the trace, which the sender may have named too, else a new one
 */
export function correlationIdOf(headers: IncomingHttpHeaders, traceId?: string): string {
  const given = headers['x-correlation-id'];
  if (isValidCorrelationId(given)) return given;
  return traceId ?? parseTraceparent(headers.traceparent)?.traceId ?? newCorrelationId();
}

/** Notes that an error of this code was told, for the request's line, /metrics and its trace. */
export function noteError(request: RequestContext, code: string): void {
  request.errors ??= new Set();
  if (request.errors.has(code)) return;
  request.errors.add(code);
  request.metrics?.error(code);
}
