// Failures with a message for people and the exit code of the client; output.ts prints them.

/** Exit codes, for scripts. */
export const exitCodes = { ok: 0, notPassed: 1, usage: 2, failed: 3 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Details of a failure beside its message. */
export interface FailureDetails {
  exitCode: ExitCode;
  /** The API's error code, or UNREACHABLE. */
  code?: string;
  correlationId?: string;
  fields?: { path: string; message: string }[];
  /** Seconds until trying again may help. */
  retryAfterSeconds?: number;
}

export type Failure = Error & FailureDetails;

const failures = new WeakSet<Error>();

/** Creates an error that the client prints without a stack; exit code 3 unless `details` has another. */
export function failure(message: string, details: Partial<FailureDetails> = {}): Failure {
  const error = Object.assign(new Error(message), { exitCode: exitCodes.failed, ...details });
  failures.add(error);
  return error;
}

/** Creates the failure for a wrong command line. */
export function usageFault(message: string): Failure {
  return failure(message, { exitCode: exitCodes.usage });
}

/** Whether an error is a failure that {@link failure} made, whose message people read. */
export function isFailure(error: unknown): error is Failure {
  return error instanceof Error && failures.has(error);
}

/** The message of an error; fetch hides the reason in its cause. */
export function reasonOf(error: unknown): string {
  const { name, message, cause, errors } = error as Partial<AggregateError>;
  if (errors !== undefined && !message) return [...new Set(errors.map(reasonOf))].join('; ');
  if (name === 'TimeoutError') return 'no answer in time';
  if (isNetworkFault(error) && cause !== undefined) return reasonOf(cause);
  return message || String(error);
}

/** Whether fetch, or the reading of its answer, failed: it throws TypeErrors. */
export function isNetworkFault(error: unknown): boolean {
  return (error as Partial<Error>)?.name === 'TypeError';
}
