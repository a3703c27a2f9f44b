// The interface of attempt counters, in a process and between the processes of a server.

/** The rules of a counter. */
export interface CounterOptions {
  /** Names the counters. */
  name: string;
  /** Failures that bring the first lock; at most this many attempts are in progress at a time. */
  maxFailures: number;
  /** Length of the first lock; each further failure doubles it. */
  lockSeconds: number;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** A step of an attempt: it begins, succeeds, fails, or ends without an outcome. */
export type Step = 'enter' | 'proved' | 'failed' | 'left';
/** Outcome of a step. */
export interface Taken {
  answer: 'ok' | 'locked' | 'busy';
  /** Milliseconds since 1970. */
  lockedUntil: number;
  failed: number;
}
