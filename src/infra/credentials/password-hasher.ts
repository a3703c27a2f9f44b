// Argon2id behind a gate: hashing never takes all cores, and its queue is bounded. Password rules live elsewhere.
import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import { AppError } from '../../core/errors.js';
import { createHashThreads, jobsPerThread } from './argon2-workers.js';

interface PasswordHasherOptions {
  memoryKib: number;
  iterations: number;
  parallelism: number;
  /** Waiting hashes beyond which a sign-in is refused with 503. */
  queueMax: number;
  /** Told of every hash that is refused. */
  onRefusal?: () => void;
}

// The library's const enum cannot be read by a compiler that takes one file at a time.
const argon2id = 2;

/** Hashing and verifying as the services see it. */
export type PasswordHasher = ReturnType<typeof createPasswordHasher>;

const atOnce = Math.max(1, availableParallelism() - 1);
/** Sign-ins that may read and write while others hash: enough for no gap, too few to take all connections. */
const besides = 8;

/** Argon2id (RFC 9106) with these parameters, at most cores − 1 at a time. */
export function createPasswordHasher(options: PasswordHasherOptions) {
  const threads = createHashThreads(atOnce);
  const gate = pLimit(atOnce * jobsPerThread);
  const turns = pLimit(atOnce + besides);
  const parameters = {
    algorithm: argon2id,
    memoryCost: options.memoryKib,
    timeCost: options.iterations,
    parallelism: options.parallelism,
  };

  function assertFewer(waiting: number): void {
    if (waiting < options.queueMax) return;
    options.onRefusal?.();
    throw new AppError('UNAVAILABLE', { retryAfterSeconds: 5 });
  }
  const assertCapacity = () => assertFewer(turns.pendingCount);

  function enter<T>(work: () => Promise<T>): Promise<T> {
    assertFewer(gate.pendingCount - turns.activeCount); // who has a turn has waited
    return gate(work);
  }

  let dummy: Promise<string> | undefined;

  return {
    /**
     * Refuses a sign-in before any work is done for it.
     * @throws UNAVAILABLE when the queue is full
     */
    assertCapacity,

    /** Whether one more sign-in may wait for its turn. */
    hasCapacity: () => turns.pendingCount < options.queueMax,

    /**
     * Runs what leads to a hash and follows from it when its turn comes, so that those who wait hold nothing and cost
     * the database nothing.
     * @throws UNAVAILABLE when the queue is full
     */
    async inTurn<T>(work: () => Promise<T>): Promise<T> {
      assertCapacity();
      return turns(work);
    },

    /**
     * PHC string of a password.
     * @throws UNAVAILABLE when the queue is full
     */
    hash: async (password: string): Promise<string> => enter(() => threads.hash(password, parameters)),

    /**
     * Whether the password fits; without a hash (unknown user) it takes the same time and is false.
     * @throws UNAVAILABLE when the queue is full
     */
    async verify(phc: string | undefined, password: string): Promise<boolean> {
      dummy ??= threads.hash('no account has this password', parameters);
      const against = phc ?? (await dummy);
      const fits = await enter(() => threads.verify(against, password));
      return fits && phc !== undefined;
    },

    /** Whether a hash is weaker than today's parameters. */
    needsRehash(phc: string): boolean {
      const found = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$/.exec(phc);
      return (
        found === null ||
        Number(found[1]) < options.memoryKib ||
        Number(found[2]) < options.iterations ||
        Number(found[3]) < options.parallelism
      );
    },

    /** Turns and hashes that wait. */
    queueLength: () => turns.pendingCount + gate.pendingCount,
    /** Hashes that are being worked on. */
    running: () => Math.min(atOnce, gate.activeCount),
    close: threads.close,
  };
}
