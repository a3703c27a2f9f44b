// Maps any error to application/problem+json (RFC 9457). The mapper of GraphQL is graphql/errors.ts.
import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { errorCatalogue } from '../core/error-catalogue.js';
import { AppError, type FieldError, headersOf } from '../core/errors.js';
import { logFault } from '../infra/logging/faults.js';
import { logRefusal } from '../infra/logging/security-events.js';
import { toDatabaseError } from '../infra/postgres/errors.js';
import { currentRequest } from '../infra/telemetry/request-context.js';
import { isScimPath, scimErrorOf, scimMediaType } from './scim-error.js';

/** The body of every REST error but those of SCIM. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  code: string;
  correlationId: string;
  errors?: FieldError[];
  /** The error code of RFC 6749, on the routes of that standard. */
  error?: string;
}

/** Maps an error to an AppError; an unexpected one becomes INTERNAL with the original as its cause. */
export function toAppError(error: unknown): AppError {
  const known = toDatabaseError(error);
  if (known instanceof AppError) return known;
  // Express throws errors with a status, for a path that is not valid percent-encoding, say.
  const { status } = (error ?? {}) as { status?: number };
  return status === 400
    ? new AppError('VALIDATION_FAILED', { message: 'The request cannot be read.' })
    : new AppError('INTERNAL', { cause: error });
}

/**
 * Sends an error, and logs an unexpected one with its stack.
 * @param instance path of the request
 */
export function sendProblem(response: ServerResponse, instance: string, error: unknown, log: Logger): void {
  const known = toAppError(error);
  logError(known, instance, log);
  if (response.headersSent) {
    if (!response.writableEnded) response.destroy();
    return;
  }
  const isScim = isScimPath(instance);
  const body = isScim ? scimErrorOf(known) : problemOf(known, instance);
  response.statusCode = Number(body.status);
  // The rest of a limit would show why a sign-in failed.
  if (known.code === 'INVALID_CREDENTIALS') response.removeHeader('RateLimit');
  const mediaType = isScim ? scimMediaType : 'application/problem+json';
  response.setHeader('Content-Type', `${mediaType}; charset=utf-8`);
  for (const [name, value] of Object.entries(headersOf(known, currentRequest()?.hasToken)))
    response.setHeader(name, value);
  response.end(JSON.stringify(body));
}

function problemOf(known: AppError, instance: string): Problem {
  const { status, title } = errorCatalogue[known.code];
  return {
    type: 'about:blank',
    title,
    status,
    detail: known.message,
    instance,
    code: known.code,
    correlationId: currentRequest()?.correlationId ?? '',
    ...(known.fields !== undefined && { errors: known.fields }),
    ...known.members,
  };
}

function logError(error: AppError, instance: string, log: Logger): void {
  logFault(log, error);
  logRefusal(log, error, instance);
}
