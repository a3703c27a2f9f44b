// Any error → application/problem+json (RFC 9457). GraphQL's mapper is graphql/errors.ts.
import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { AppError, errorCatalogue, type FieldError, headersOf } from '../core/errors.js';
import { logRefusal } from '../infra/logging/security-events.js';
import { toDatabaseError } from '../infra/postgres/errors.js';
import { currentRequest } from '../infra/telemetry/request-context.js';

/** The body of every REST error. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  code: string;
  correlationId: string;
  errors?: FieldError[];
}

/** What body parsers throw. */
interface HttpError {
  type?: string;
  status?: number;
}

/** The AppError that an error stands for; the unexpected becomes INTERNAL. */
export function toAppError(error: unknown): AppError {
  const known = toDatabaseError(error);
  if (known instanceof AppError) return known;
  const { type, status } = (error ?? {}) as HttpError;
  if (type === 'entity.too.large') return new AppError('PAYLOAD_TOO_LARGE');
  if (type === 'charset.unsupported' || type === 'encoding.unsupported')
    return new AppError('UNSUPPORTED_MEDIA_TYPE');
  if (type === 'entity.parse.failed')
    return new AppError('VALIDATION_FAILED', { message: 'The body is not valid JSON.' });
  if (status === 400) return new AppError('VALIDATION_FAILED', { message: 'The request cannot be read.' });
  return new AppError('INTERNAL', { cause: error });
}

/** Sends an error; logs the unexpected once, with its stack. */
export function sendProblem(response: ServerResponse, instance: string, error: unknown, log: Logger): void {
  const known = toAppError(error);
  if (known.code === 'INTERNAL')
    log.error({ event: 'internal_error', err: known.cause ?? known }, 'unexpected error');
  if (known.code === 'UNAVAILABLE')
    log.warn({ event: 'unavailable', ...(known.cause !== undefined && { err: known.cause }) }, known.message);
  logRefusal(log, known, instance);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, title } = errorCatalogue[known.code];
  const problem: Problem = {
    type: 'about:blank',
    title,
    status,
    detail: known.message,
    instance,
    code: known.code,
    correlationId: currentRequest()?.correlationId ?? '',
    ...(known.fields !== undefined && { errors: known.fields }),
  };
  response.statusCode = status;
  // How a sign-in failed must not be read from what is left of a limit.
  if (known.code === 'INVALID_CREDENTIALS') response.removeHeader('RateLimit');
  response.setHeader('Content-Type', 'application/problem+json; charset=utf-8');
  for (const [name, value] of Object.entries(headersOf(known, currentRequest()?.hasToken)))
    response.setHeader(name, value);
  response.end(JSON.stringify(problem));
}
