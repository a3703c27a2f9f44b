// Classifies errors of PostgreSQL, pg and Prisma: violated constraints, lost connections, and an unavailable database.
import { AppError, isOutage } from '../../core/errors.js';

/** SQLSTATE of a statement that PostgreSQL stopped: by statement_timeout, or because an operator cancelled it. */
export const queryCanceled = '57014';
/** The message of pg's own time-out of a statement (`query_timeout`). */
const clientTimeout = /Query read timeout/;
/** SQLSTATE of a write on a host that only reads: a standby, or a primary that failed over. */
const readOnly = '25006';
/** Prisma's code of a row that is gone: somebody deleted it after it was listed, before its relations were read. */
const rowGone = 'P2025';
/**
 * SQLSTATE classes and Node's codes that mean: down, shutting down, read-only, or out of resources; and the code of an AppError of
 * the pool that Prisma has wrapped.
 */
const unavailableCodes =
  /^(08|53|57P0|58)|^25P03$|^25006$|^UNAVAILABLE$|^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH)/;
const unavailableReasons =
  /timeout|Connection terminated|Client has encountered a connection error|not queryable/i;

/** Whether an error is a violation of this constraint or unique index. */
export function violates(error: unknown, constraint: string): boolean {
  return (error as { constraint?: string } | null)?.constraint === constraint;
}

/** SQLSTATE or Node's code of an error, also when Prisma wraps it; empty without one. */
export function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { originalCode?: unknown } };
  return String(cause?.originalCode ?? code ?? '');
}

/** The message of an error in one line. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** Whether the connection must be closed: it is gone, an answer is still owed on it, or its host only reads. */
export function isConnectionLost(error: unknown): boolean {
  if (error === undefined) return false;
  if (error instanceof AppError)
    return error.code === 'UNAVAILABLE' || (error.code === 'QUERY_TIMEOUT' && isConnectionLost(error.cause));
  if (codeOf(error) === readOnly) return true; // the next one may lead to another host
  return (error as { severity?: string }).severity !== 'ERROR' && isUnavailable(error);
}

/** Whether a failed transaction counts as a failure of the database rather than as a rule that ended it. */
export function isFault(error: unknown): boolean {
  return !(error instanceof AppError) || isOutage(error);
}

function isUnavailable(error: unknown): boolean {
  return unavailableCodes.test(codeOf(error)) || unavailableReasons.test(reasonOf(error));
}

function isTimeout(error: unknown): boolean {
  const code = codeOf(error);
  return code === queryCanceled || code === 'QUERY_TIMEOUT' || clientTimeout.test(reasonOf(error));
}

/**
 * Maps errors of the database, Prisma's too, with the cause for the log: a statement that took too long to QUERY_TIMEOUT; a
 * row that was deleted meanwhile to NOT_FOUND; a database that is down or busy to UNAVAILABLE.
 * @returns any other error unchanged
 */
export function toDatabaseError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  if (isTimeout(error)) return new AppError('QUERY_TIMEOUT', { cause: error });
  if (codeOf(error) === rowGone) return new AppError('NOT_FOUND', { cause: error });
  if (!isUnavailable(error)) return error;
  return new AppError('UNAVAILABLE', {
    message: 'The database is busy or down; try again shortly.',
    retryAfterSeconds: 1,
    cause: error,
  });
}
