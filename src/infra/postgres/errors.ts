// Classifies errors of PostgreSQL, pg and Prisma: violated constraints, lost connections, and an unavailable database.
import { AppError } from '../../core/errors.js';

/** SQLSTATE classes and Node's codes that mean: down, shutting down, or out of resources; then statements cut by a time-out. */
const unavailableCodes =
  /^(08|53|57P0|58)|^(57014|25P03)$|^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH)/;
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

/** Whether the connection must be closed: it is gone, or an answer is still owed on it. */
export function isConnectionLost(error: unknown): boolean {
  if (error === undefined || error instanceof AppError)
    return error instanceof AppError && error.code === 'UNAVAILABLE';
  return (error as { severity?: string }).severity !== 'ERROR' && isUnavailable(error);
}

/** Whether a failed transaction counts as a failure of the database rather than as a rule that ended it. */
export function isFault(error: unknown): boolean {
  return !(error instanceof AppError) || error.code === 'UNAVAILABLE';
}

function isUnavailable(error: unknown): boolean {
  return unavailableCodes.test(codeOf(error)) || unavailableReasons.test(reasonOf(error));
}

/**
 * Maps errors of a database that is down, slow or full, Prisma's too, to UNAVAILABLE with the cause for the log.
 * @returns any other error unchanged
 */
export function toDatabaseError(error: unknown): unknown {
  if (error instanceof AppError || !isUnavailable(error)) return error;
  return new AppError('UNAVAILABLE', {
    message: 'The database is busy or down; try again shortly.',
    retryAfterSeconds: 1,
    cause: error,
  });
}
