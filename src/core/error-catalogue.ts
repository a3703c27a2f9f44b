// The catalogue of error codes, with the HTTP status, title and default message of each. docs/errors.md describes them.

interface CatalogueEntry {
  /** HTTP status of the REST response. */
  status: number;
  /** Short, stable title (RFC 9457 `title`). */
  title: string;
  /** Shown to the client unless the error has a more precise message. */
  message: string;
}

/** Every code that a client can receive. */
export const errorCatalogue = {
  VALIDATION_FAILED: { status: 400, title: 'Validation failed', message: 'The input is not valid.' },
  SUBJECT_TOKEN_REFUSED: {
    status: 400,
    title: 'Subject token refused',
    message: 'No trust rule accepts this token, or it was used before; the audit trail has the reason.',
  },
  GRAPHQL_PARSE_FAILED: { status: 400, title: 'Syntax error', message: 'The document cannot be parsed.' },
  GRAPHQL_VALIDATION_FAILED: {
    status: 400,
    title: 'Invalid document',
    message: 'The document does not match the schema.',
  },
  QUERY_TOO_COMPLEX: {
    status: 400,
    title: 'Query too complex',
    message: 'The document requests too much data.',
  },
  PERSISTED_QUERY_NOT_FOUND: {
    status: 404,
    title: 'Persisted query not found',
    message: 'PersistedQueryNotFound', // Apollo's clients look for this text
  },
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
    message:
      'Send also a code of your authenticator app, or a recovery code, as `code`; or the answer of a passkey as `passkey`.',
  },
  REAUTHENTICATION_REQUIRED: {
    status: 403,
    title: 'Fresh sign-in required',
    message: 'Sign in again: this requires a sign-in within the last five minutes.',
  },
  PASSWORD_CHANGE_REQUIRED: {
    status: 403,
    title: 'Password change required',
    message: 'Change your password first: another person chose it.',
  },
  SECOND_FACTOR_ENROLMENT_REQUIRED: {
    status: 403,
    title: 'Second factor must be set up',
    message: 'Set up a second factor first: your role requires one.',
  },
  FORBIDDEN: { status: 403, title: 'Forbidden', message: 'Your role does not allow this.' },
  NOT_FOUND: {
    status: 404,
    title: 'Not found',
    message: 'The object does not exist, or you may not see it.',
  },
  UNKNOWN_VERSION: {
    status: 404,
    title: 'Unknown version',
    message: 'This version of the API does not exist.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'Method not allowed',
    message: 'This path does not support the method.',
  },
  NOT_ACCEPTABLE: {
    status: 406,
    title: 'Not acceptable',
    message: 'No representation matches the Accept header.',
  },
  CONFLICT: { status: 409, title: 'Conflict', message: 'The current state does not allow this.' },
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
  CURSOR_EXPIRED: {
    status: 410,
    title: 'Cursor expired',
    message:
      'The events after the cursor are no longer kept for resuming; read the list, then follow from now on.',
  },
  PRECONDITION_FAILED: {
    status: 412,
    title: 'Precondition failed',
    message: 'The resource has changed since the version that If-Match names.',
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
  QUERY_TIMEOUT: {
    status: 504,
    title: 'Query timed out',
    message: 'The query took too long and was stopped; request less data, or use a narrower filter.',
  },
} as const satisfies Record<string, CatalogueEntry>;

/** A key of {@link errorCatalogue}. */
export type ErrorCode = keyof typeof errorCatalogue;
