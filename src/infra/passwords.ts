// Argon2id behind a gate: hashing never takes all cores, and its queue is bounded. Password rules live elsewhere.
import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import pLimit from 'p-limit';
import { AppError } from '../core/errors.js';

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

/** Argon2id (RFC 9106) with these parameters, at most cores − 1 at a time. */
export function createPasswordHasher(options: PasswordHasherOptions) {
  const gate = pLimit(Math.max(1, availableParallelism() - 1));
  const parameters = {
    algorithm: argon2id,
    memoryCost: options.memoryKib,
    timeCost: options.iterations,
    parallelism: options.parallelism,
  };

  function enter<T>(work: () => Promise<T>): Promise<T> {
    if (gate.pendingCount >= options.queueMax) {
      options.onRefusal?.();
      throw new AppError('UNAVAILABLE', { retryAfterSeconds: 5 });
    }
    return gate(work);
  }

  let dummy: Promise<string> | undefined;

  return {
    /**
     * PHC string of a password.
     * @throws UNAVAILABLE when the queue is full
     */
    hash: async (password: string): Promise<string> => enter(() => hash(password, parameters)),

    /**
     * Whether the password fits; without a hash (unknown user) it takes the same time and is false.
     * @throws UNAVAILABLE when the queue is full
     */
    async verify(phc: string | undefined, password: string): Promise<boolean> {
      dummy ??= hash('no account has this password', parameters);
      const against = phc ?? (await dummy);
      const fits = await enter(() => verify(against, password));
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

    queueLength: () => gate.pendingCount,
    /** Hashes that are being worked on. */
    running: () => gate.activeCount,
  };
}
