// Refused requests as lines of the log, in OWASP's words; a bounded number for each request, and never a row.
import type { Logger } from 'pino';
import type { AppError, ErrorCode } from '../../core/errors.js';
import { currentRequest, noteError } from '../telemetry/request-context.js';

const authorization = { event: 'authz_fail', level: 'warn' } as const;
const ended = { event: 'session_use_after_expire', level: 'info' } as const;
const input = { event: 'input_validation_fail', level: 'info' } as const;

/** Codes that tell of a refusal. Wrong credentials are missing: they are audited, and logged with that. */
const words: Partial<Record<ErrorCode, { event: string; level: 'info' | 'warn' }>> = {
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

/** Most lines for one request, as it may have any number of refused fields. */
const linesMax = 30;

/**
 * Logs a refusal, with its code and where it happened but without what was sent; once for each code and place of a
 * request. Other errors are left alone.
 * @param where path of a GraphQL field or of a REST route
 */
export function logRefusal(log: Logger, { code }: Pick<AppError, 'code'>, where: string | undefined): void {
  const request = currentRequest();
  if (request !== undefined) noteError(request, code);
  const word = words[code];
  if (word === undefined) return;
  const place = where?.slice(0, 200);
  if (request !== undefined) {
    request.refusals ??= new Set();
    const key = `${code} ${place}`;
    if (request.refusals.has(key) || request.refusals.size >= linesMax) return;
    request.refusals.add(key);
    if (code === 'FORBIDDEN') request.onDenied?.(request, place);
  }
  log[word.level]({
    event: word.event,
    reason: code, // a field named code would be taken for a secret
    ...(place !== undefined && { field: place }),
    ...(request !== undefined && { ip: request.ip }),
  });
}
