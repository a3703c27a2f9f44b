// Faults that are told in words, each with the exit code it ends the client with; how they are printed is in output.ts.

/** Exit codes: what scripts decide by. */
export const exitCodes = { ok: 0, notPassed: 1, usage: 2, failed: 3 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What the API says of a fault beside its message. */
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

/** An error that is told as it stands, without a stack; exit code 3 unless said otherwise. */
export function failure(message: string, details: Partial<FailureDetails> = {}): Failure {
  const error = Object.assign(new Error(message), { exitCode: exitCodes.failed, ...details });
  failures.add(error);
  return error;
}

/** A wrong use of the command line. */
export function usageFault(message: string): Failure {
  return failure(message, { exitCode: exitCodes.usage });
}

export function isFailure(error: unknown): error is Failure {
  return error instanceof Error && failures.has(error);
}

/** What an error says; fetch hides the reason in its cause. */
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
