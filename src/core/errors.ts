// The catalogue of error codes and the one error class; mapping to GraphQL and REST lives with the transports.

interface CatalogueEntry {
  /** HTTP status of the REST answer. */
  status: number;
  /** Short, stable title (RFC 9457 `title`). */
  title: string;
  /** What a client is told when the thrower says nothing more precise. */
  message: string;
}

/** Every code that a client can meet. */
export const errorCatalogue = {
  VALIDATION_FAILED: { status: 400, title: 'Validation failed', message: 'The input is not valid.' },
  GRAPHQL_PARSE_FAILED: { status: 400, title: 'Syntax error', message: 'The document cannot be parsed.' },
  GRAPHQL_VALIDATION_FAILED: {
    status: 400,
    title: 'Invalid document',
    message: 'The document does not fit the schema.',
  },
  QUERY_TOO_COMPLEX: { status: 400, title: 'Query too complex', message: 'The document asks for too much.' },
  UNAUTHENTICATED: { status: 401, title: 'Not signed in', message: 'Sign in first.' },
  INVALID_CREDENTIALS: {
    status: 401,
    title: 'Invalid credentials',
    message: 'E-mail or password is wrong, or the account cannot sign in now.',
  },
  TOKEN_EXPIRED: {
    status: 401,
    title: 'Token expired',
    message: 'The token has expired; refresh it or sign in.',
  },
  TOKEN_REVOKED: { status: 401, title: 'Token revoked', message: 'The session has ended; sign in again.' },
  SECOND_FACTOR_REQUIRED: {
    status: 401,
    title: 'Second factor required',
    message: 'Send a code of your authenticator app, or a recovery code, as `code` too.',
  },
  REAUTHENTICATION_REQUIRED: {
    status: 403,
    title: 'Fresh sign-in required',
    message: 'Sign in again: this needs a sign-in of the last five minutes.',
  },
  PASSWORD_CHANGE_REQUIRED: {
    status: 403,
    title: 'Password change required',
    message: 'Change your password first: somebody else chose it.',
  },
  SECOND_FACTOR_ENROLMENT_REQUIRED: {
    status: 403,
    title: 'Second factor must be set up',
    message: 'Set up a second factor first: your role needs one.',
  },
  FORBIDDEN: { status: 403, title: 'Forbidden', message: 'Your role does not allow this.' },
  NOT_FOUND: { status: 404, title: 'Not found', message: 'There is no such thing, or you may not see it.' },
  UNKNOWN_VERSION: {
    status: 404,
    title: 'Unknown version',
    message: 'There is no such version of this API.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'Method not allowed',
    message: 'This path does not take that method.',
  },
  NOT_ACCEPTABLE: {
    status: 406,
    title: 'Not acceptable',
    message: 'No representation fits the Accept header.',
  },
  CONFLICT: { status: 409, title: 'Conflict', message: 'The present state does not allow this.' },
  IDEMPOTENCY_KEY_REUSED: {
    status: 409,
    title: 'Idempotency key reused',
    message: 'This key was used for another request.',
  },
  EXECUTION_FINISHED: {
    status: 409,
    title: 'Execution finished',
    message: 'The execution has already finished.',
  },
  PAYLOAD_TOO_LARGE: { status: 413, title: 'Payload too large', message: 'The request body is too large.' },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: 'Unsupported media type',
    message: 'Send the body as application/json.',
  },
  RATE_LIMITED: { status: 429, title: 'Too many requests', message: 'Too many requests; try again later.' },
  INTERNAL: { status: 500, title: 'Internal error', message: 'Something went wrong on the server.' },
  UNAVAILABLE: {
    status: 503,
    title: 'Unavailable',
    message: 'A resource is busy or down; try again shortly.',
  },
} as const satisfies Record<string, CatalogueEntry>;

/** A key of {@link errorCatalogue}. */
export type ErrorCode = keyof typeof errorCatalogue;

/** One fault of the input: a dotted path ("input.email", "results.3.title") and what is wrong there. */
export interface FieldError {
  path: string;
  message: string;
}

interface AppErrorOptions {
  /** Replaces the catalogue's message; shown to clients, so never a secret or an internal. */
  message?: string;
  fields?: FieldError[];
  /** For RATE_LIMITED and UNAVAILABLE: when a retry makes sense. */
  retryAfterSeconds?: number;
  /** Headers of the response besides those of {@link headersOf}. */
  headers?: Readonly<Record<string, string>>;
  /** For the log only. */
  cause?: unknown;
}

/** What is wrong with a token, in the words of RFC 6750. */
const tokenFaults: Partial<Record<ErrorCode, string>> = {
  UNAUTHENTICATED: 'invalid_token',
  TOKEN_EXPIRED: 'invalid_token',
  TOKEN_REVOKED: 'invalid_token',
  FORBIDDEN: 'insufficient_scope',
};

/** The only error that services throw on purpose; everything else becomes INTERNAL. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly fields: FieldError[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.message ?? errorCatalogue[code].message, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.fields = options.fields;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.headers = options.headers;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }
}

/** A VALIDATION_FAILED for one field. */
export function invalid(path: string, message: string): AppError {
  return new AppError('VALIDATION_FAILED', { message: `${path}: ${message}`, fields: [{ path, message }] });
}

/** A VALIDATION_FAILED of these faults; the message names the first. */
export function validationFailed(fields: FieldError[]): AppError {
  const [first] = fields;
  const message =
    first === undefined ? undefined : first.path === '' ? first.message : `${first.path}: ${first.message}`;
  return new AppError('VALIDATION_FAILED', { fields, ...(message === undefined ? {} : { message }) });
}

/**
 * Headers that every answer with this error has: how to sign in (RFC 6750), when to come back.
 * @param hasToken whether the request came with a token: only then is there one to find fault with
 */
export function headersOf(
  { code, message, status, retryAfterSeconds, headers }: AppError,
  hasToken = false,
): Record<string, string> {
  const fault = hasToken ? tokenFaults[code] : undefined;
  const said = fault === undefined ? '' : `, error="${fault}", error_description="${message}"`;
  return {
    ...((status === 401 || fault !== undefined) && {
      'WWW-Authenticate': `Bearer realm="sec-tester"${said}`,
    }),
    ...(retryAfterSeconds !== undefined && { 'Retry-After': String(retryAfterSeconds) }),
    ...headers,
  };
}
