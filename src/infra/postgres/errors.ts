// What errors of the database mean: violations, broken connections, and what makes it unavailable.
import { AppError } from '../../core/errors.js';

const unavailable =
  /^(08|53|57P0|58)|^(57014|25P03)$|^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH)/;

/** Whether an error is a violation of this constraint or unique index. */
export function violates(error: unknown, constraint: string): boolean {
  return (error as { constraint?: string } | null)?.constraint === constraint;
}

/** SQLSTATE or Node's code of an error, Prisma's too; empty without one. */
export function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { originalCode?: unknown } };
  return String(cause?.originalCode ?? code ?? '');
}

/** What an error says, in one line. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** Whether the connection must not be used again: it is gone, or an answer is still owed on it. */
export function isBroken(error: unknown): boolean {
  if (error === undefined || error instanceof AppError)
    return error instanceof AppError && error.code === 'UNAVAILABLE';
  return (error as { severity?: string }).severity !== 'ERROR' && isUnavailable(error);
}

/** Whether it is the database's fault; a transaction that a rule ends is none. */
export function isFault(error: unknown): boolean {
  return !(error instanceof AppError) || error.code === 'UNAVAILABLE';
}

function isUnavailable(error: unknown): boolean {
  return (
    unavailable.test(codeOf(error)) ||
    /timeout|Connection terminated|Client has encountered a connection error|not queryable/i.test(
      reasonOf(error),
    )
  );
}

/** Down, slow or full → UNAVAILABLE with the cause for the log; anything else as it is. Prisma's errors too. */
export function toDatabaseError(error: unknown): unknown {
  if (error instanceof AppError || !isUnavailable(error)) return error;
  return new AppError('UNAVAILABLE', {
    message: 'The database is busy or down; try again shortly.',
    retryAfterSeconds: 1,
    cause: error,
  });
}
