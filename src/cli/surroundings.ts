// Describes the process that the client runs in, so that tests can pass another one; it reads and writes nothing.
import type { Readable, Writable } from 'node:stream';

/** A stream to people or to another program. */
export type Output = Writable & { isTTY?: boolean; columns?: number };

/** Environment and streams of one run. */
export interface Surroundings {
  /** Names to text, usually the process's own. */
  env: Record<string, string | undefined>;
  stdin: Readable & { isTTY?: boolean };
  /** Results, for pipes. */
  stdout: Output;
  /** Progress, questions and faults, for people. */
  stderr: Output;
}
