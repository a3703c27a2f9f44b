// The one error class of the services, and the HTTP headers that belong to it. GraphQL and REST map it to responses.
import { type ErrorCode, errorCatalogue } from './error-catalogue.js';

/** One fault of the input: a dotted path ("input.email", "results.3.title") and a message. */
export interface FieldError {
  path: string;
  message: string;
}

interface AppErrorOptions {
  /** Replaces the catalogue's message. Clients see it, so it holds no secrets and no internals. */
  message?: string;
  fields?: FieldError[];
  /** For RATE_LIMITED and UNAVAILABLE: when to try again. */
  retryAfterSeconds?: number;
  /** Headers of the response besides those of {@link headersOf}. */
  headers?: Readonly<Record<string, string>>;
  /** The kind of the error in the words of SCIM, which only answers of SCIM name. */
  scimType?: ScimType;
  /** For the log only. */
  cause?: unknown;
}

/** Kinds of errors as SCIM names them (RFC 7644, section 3.12). */
export type ScimType =
  | 'invalidFilter'
  | 'tooMany'
  | 'uniqueness'
  | 'mutability'
  | 'invalidSyntax'
  | 'invalidPath'
  | 'noTarget'
  | 'invalidValue';

/** The fault of a token, as RFC 6750 names it. */
const tokenFaults: Partial<Record<ErrorCode, string>> = {
  UNAUTHENTICATED: 'invalid_token',
  TOKEN_EXPIRED: 'invalid_token',
  TOKEN_REVOKED: 'invalid_token',
  FORBIDDEN: 'insufficient_scope',
};

/** The only error that services throw on purpose. Any other error becomes INTERNAL. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly fields: FieldError[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** Members of the problem document beside those of every error. */
  members: Readonly<Record<string, string>> | undefined;
  readonly scimType: ScimType | undefined;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.message ?? errorCatalogue[code].message, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.fields = options.fields;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.headers = options.headers;
    this.scimType = options.scimType;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }
}

/** Creates a VALIDATION_FAILED for one field; `path` is dotted, as "input.email". */
export function invalid(path: string, message: string): AppError {
  return new AppError('VALIDATION_FAILED', { message: `${path}: ${message}`, fields: [{ path, message }] });
}

/** Creates a VALIDATION_FAILED with these faults; its message names the first. */
export function validationFailed(fields: FieldError[]): AppError {
  const [first] = fields;
  const message =
    first === undefined ? undefined : first.path === '' ? first.message : `${first.path}: ${first.message}`;
  return new AppError('VALIDATION_FAILED', { fields, ...(message === undefined ? {} : { message }) });
}

/** A VALIDATION_FAILED whose faults name their fields as the caller wrote them; any other error as it is. */
export function withFieldNames(error: AppError, nameOf: (path: string) => string): AppError {
  if (error.code !== 'VALIDATION_FAILED' || error.fields === undefined) return error;
  const renamed = validationFailed(error.fields.map((fault) => ({ ...fault, path: nameOf(fault.path) })));
  renamed.members = error.members;
  return renamed;
}

/**
 * The headers of every response with this error: how to sign in (RFC 6750), and when to try again.
 * @param hasToken whether the request carried a token; only then does the response name the token's fault
 */
export function headersOf(
  { code, message, status, retryAfterSeconds, headers }: AppError,
  hasToken = false,
): Record<string, string> {
  const fault = hasToken ? tokenFaults[code] : undefined;
  const details = fault === undefined ? '' : `, error="${fault}", error_description="${message}"`;
  return {
    ...((status === 401 || fault !== undefined) && {
      'WWW-Authenticate': `Bearer realm="sec-tester"${details}`,
    }),
    ...(retryAfterSeconds !== undefined && { 'Retry-After': String(retryAfterSeconds) }),
    ...headers,
  };
}

/** Whether an error means that the database or another resource did not answer, rather than that the request is wrong. */
export function isOutage(error: unknown): error is AppError {
  return error instanceof AppError && (error.code === 'UNAVAILABLE' || error.code === 'QUERY_TIMEOUT');
}
