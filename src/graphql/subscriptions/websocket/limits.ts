// Limits on WebSocket connections: how many of a user and of an address are open, and how many refusals one of them may
// cause. operations.ts checks operations.
import { GraphQLError } from 'graphql';
import type { Logger } from 'pino';
import type { AppError } from '../../../core/errors.js';
import { currentRequest } from '../../../infra/telemetry/request-context.js';

/** Counts what is open by some key. */
export interface OpenCounter {
  /** Counts one more; returns how to count it off, or undefined when there are as many as allowed. */
  take: (key: string) => (() => void) | undefined;
}

/**
 * Creates a counter.
 * @param max open at a time under one key
 * @param onRefusal called when there is no room
 */
export function createOpenCounter(max: number, onRefusal: () => void): OpenCounter {
  const open = new Map<string, number>();
  return {
    take(key) {
      const before = open.get(key) ?? 0;
      if (before >= max) {
        onRefusal();
        return undefined;
      }
      open.set(key, before + 1);
      let isOpen = true;
      return () => {
        if (!isOpen) return;
        isOpen = false;
        const rest = (open.get(key) ?? 1) - 1;
        if (rest === 0) open.delete(key);
        else open.set(key, rest);
      };
    },
  };
}

/** The refusals of one connection. */
export interface Refusals {
  /**
   * Counts a refusal.
   * @returns the errors to send
   */
  add: (error: AppError) => GraphQLError[];
  /** Logs how many there were, once, when the connection is over. */
  report: (ip: string | null) => void;
}

/** Refusals within the window after which a connection is closed. */
const maxRefusals = 50;
const windowMs = 60_000;

/**
 * Creates the count of a connection. Only the first refusal is logged as it happens: a client may cause thousands.
 * @param mask turns an error into what a client may see, and logs it
 * @param close ends the connection
 */
export function createRefusals(
  log: Logger,
  mask: (error: unknown) => GraphQLError,
  close: () => void,
): Refusals {
  let total = 0;
  let inWindow = 0;
  let windowBeganMs = 0;
  return {
    add(error) {
      const now = Date.now();
      if (now - windowBeganMs > windowMs) {
        windowBeganMs = now;
        inWindow = 0;
      }
      total += 1;
      inWindow += 1;
      if (inWindow > maxRefusals) close();
      return [total === 1 ? mask(error) : toGraphQLError(error)];
    },
    report(ip) {
      if (total > 1)
        log.warn(
          { event: 'excess_rate_limit_exceeded', reason: 'RATE_LIMITED', refusals: total, ip },
          `a WebSocket was refused ${total} operations`,
        );
    },
  };
}

function toGraphQLError({ code, message, retryAfterSeconds }: AppError): GraphQLError {
  const correlationId = currentRequest()?.correlationId;
  return new GraphQLError(message, {
    extensions: { code, correlationId, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) },
  });
}
