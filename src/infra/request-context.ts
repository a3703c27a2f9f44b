// What is known of the request being served, wherever its code runs; how requests are answered is elsewhere.
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { redactLooks } from './log-redaction.js';

/** One request, or one operation of an open stream. The fields below the first three are filled in on the way. */
export type RequestContext = {
  correlationId: string;
  ip: string | null;
  userAgent: string | null;
  userId?: string;
  sessionId?: string;
  /** Name of the GraphQL operation, or the route's pattern. */
  operation?: string;
  /** Refusals that are in the log already. */
  refusals?: Set<string>;
  /** Database statements so far. */
  dbQueries: number;
  /** Time spent waiting for the database so far, in milliseconds. */
  dbMs: number;
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
