// Logs refused requests as security events, in OWASP's vocabulary; a bounded number of lines for each request.
import type { Logger } from 'pino';
import type { ErrorCode } from '../../core/error-catalogue.js';
import type { AppError } from '../../core/errors.js';
import { currentRequest, noteError } from '../telemetry/request-context.js';

const authorization = { event: 'authz_fail', level: 'warn' } as const;
const ended = { event: 'session_use_after_expire', level: 'info' } as const;
const input = { event: 'input_validation_fail', level: 'info' } as const;

/** Codes that mean a refusal. Wrong credentials are absent: the audit event of a failed sign-in is logged instead. */
const events: Partial<Record<ErrorCode, { event: string; level: 'info' | 'warn' }>> = {
  UNAUTHENTICATED: authorization,
  FORBIDDEN: authorization,
  TOKEN_EXPIRED: ended,
  TOKEN_REVOKED: ended,
  RATE_LIMITED: { event: 'excess_rate_limit_exceeded', level: 'warn' },
  VALIDATION_FAILED: input,
  GRAPHQL_PARSE_FAILED: input,
  GRAPHQL_VALIDATION_FAILED: input,
  QUERY_TOO_COMPLEX: input,
  PAYLOAD_TOO_LARGE: input,
  UNSUPPORTED_MEDIA_TYPE: input,
};

/** Lines for one request at most: it may have any number of refused fields. */
const maxLines = 30;

/**
 * Logs a refusal with its code and its place, without the client's input, once for each code and place of a request.
 * Errors that are not refusals are ignored.
 * @param where path of a GraphQL field or of a REST route
 */
export function logRefusal(log: Logger, { code }: Pick<AppError, 'code'>, where: string | undefined): void {
  const request = currentRequest();
  if (request !== undefined) noteError(request, code);
  const entry = events[code];
  if (entry === undefined) return;
  const place = where?.slice(0, 200);
  if (request !== undefined) {
    request.refusals ??= new Set();
    const key = `${code} ${place}`;
    if (request.refusals.has(key) || request.refusals.size >= maxLines) return;
    request.refusals.add(key);
    if (code === 'FORBIDDEN') request.onDenied?.(request, place);
  }
  log[entry.level]({
    event: entry.event,
    reason: code, // a field named code would be redacted
    ...(place !== undefined && { field: place }),
    ...(request !== undefined && { ip: request.ip }),
  });
}
