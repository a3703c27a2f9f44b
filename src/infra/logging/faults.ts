// Logs errors that are the server's fault, or those of what it depends on. Refusals are logged by security-events.ts.
import type { Logger } from 'pino';
import type { AppError } from '../../core/errors.js';

/**
 * Logs INTERNAL with the stack of its cause, and UNAVAILABLE and QUERY_TIMEOUT as warnings. Ignores other codes.
 * @param cause of the error; by default, its own
 */
export function logFault(log: Logger, error: AppError, cause: unknown = error.cause): void {
  if (error.code === 'INTERNAL')
    log.error({ event: 'internal_error', err: cause ?? error }, 'unexpected error');
  if (error.code === 'UNAVAILABLE') log.warn({ event: 'unavailable', ...withCause(cause) }, error.message);
  if (error.code === 'QUERY_TIMEOUT')
    log.warn({ event: 'query_timeout', ...withCause(cause) }, error.message);
}

const withCause = (err: unknown) => (err === undefined ? {} : { err });
