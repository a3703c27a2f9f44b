// Hashes and verifies passwords with Argon2id (RFC 9106) behind a gate: hashing never takes all cores, and its queue is
// bounded. Which passwords are acceptable is core/password-policy.ts's concern.
import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import type { Logger } from 'pino';
import { AppError } from '../../core/errors.js';
import { argon2Libraries, createArgon2Workers, jobsPerThread } from './argon2-workers.js';

interface PasswordHasherOptions {
  memoryKib: number;
  iterations: number;
  parallelism: number;
  /** Waiting hashes beyond which a sign-in is refused with 503. */
  queueMax: number;
  /** Processes of this server that hash, which share the cores; 1 unless given. */
  processes?: number;
  /** Called for every hash that is refused. */
  onRefusal?: () => void;
  log?: Logger;
  /** Names of packages in order of preference, in place of {@link argon2Libraries}; for tests. */
  libraries?: readonly string[];
}

/** Sign-ins that may read and write while others hash: enough to leave no gap, too few to take all connections. */
const besides = 8;

/** Hashes and verifies passwords. */
export interface PasswordHasher {
  /**
   * Refuses a sign-in before any work is done for it.
   * @throws UNAVAILABLE when the queue is full
   */
  assertCapacity(): void;
  /** Whether one more sign-in may wait for its turn. */
  hasCapacity(): boolean;
  /**
   * Runs a sign-in, with its reads, its hash and its writes, when its turn comes: sign-ins that wait hold no connection and
   * cost the database nothing.
   * @throws UNAVAILABLE when the queue is full
   */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /**
   * The PHC string of a password.
   * @throws UNAVAILABLE when the queue is full
   */
  hash(password: string): Promise<string>;
  /**
   * Whether the password matches; without a hash (unknown user) false, after the same time.
   * @throws UNAVAILABLE when the queue is full
   */
  verify(phc: string | undefined, password: string): Promise<boolean>;
  /** Whether a hash is weaker than the present parameters. */
  needsRehash(phc: string): boolean;
  /** Sign-ins and hashes that wait. */
  queueLength(): number;
  /** Hashes in progress. */
  running(): number;
  close(): Promise<void>;
}

/** Creates the hasher: at most cores − 1 hashes at a time on all processes (at least one each), on threads that start on first use. */
export function createPasswordHasher(options: PasswordHasherOptions): PasswordHasher {
  const { libraries = argon2Libraries, log, queueMax, processes = 1 } = options;
  const maxRunning = Math.max(1, Math.floor((availableParallelism() - 1) / processes));
  const workers = createArgon2Workers({ size: maxRunning, libraries, log });
  const gate = pLimit(maxRunning * jobsPerThread);
  const turns = pLimit(maxRunning + besides);
  const parameters = {
    memoryCost: options.memoryKib,
    timeCost: options.iterations,
    parallelism: options.parallelism,
  };

  function assertFewer(waiting: number): void {
    if (waiting < queueMax) return;
    options.onRefusal?.();
    throw new AppError('UNAVAILABLE', { retryAfterSeconds: 5 });
  }
  const assertCapacity = () => assertFewer(turns.pendingCount);

  async function enter<T>(work: () => Promise<T>): Promise<T> {
    assertFewer(gate.pendingCount - turns.activeCount); // a sign-in that has its turn has waited already
    return gate(work);
  }

  let dummy: Promise<string> | undefined;
  function dummyHash(): Promise<string> {
    dummy ??= workers.hash('no account has this password', parameters).catch((error: unknown) => {
      dummy = undefined; // the next unknown user must not meet an old failure
      throw error;
    });
    return dummy;
  }

  return {
    assertCapacity,
    hasCapacity: () => turns.pendingCount < queueMax,
    async inTurn(work) {
      assertCapacity();
      return turns(work);
    },
    hash: (password) => enter(() => workers.hash(password, parameters)),
    async verify(phc, password) {
      const isMatch = await enter(async () => workers.verify(phc ?? (await dummyHash()), password));
      return isMatch && phc !== undefined;
    },
    needsRehash: (phc) => isWeaker(phc, options),
    queueLength: () => turns.pendingCount + gate.pendingCount,
    running: () => Math.min(maxRunning, gate.activeCount),
    close: workers.close,
  };
}

/** Whether a PHC string has weaker parameters. Libraries write m, t and p in different orders. */
function isWeaker(phc: string, { memoryKib, iterations, parallelism }: PasswordHasherOptions): boolean {
  const [, list] = /^\$argon2id\$v=19\$([mtp]=\d+(?:,[mtp]=\d+)*)\$/.exec(phc) ?? [];
  if (list === undefined) return true;
  const found = new Map(list.split(',').map((pair) => [pair.charAt(0), Number(pair.slice(2))]));
  const isBelow = (name: string, least: number) => (found.get(name) ?? 0) < least;
  return isBelow('m', memoryKib) || isBelow('t', iterations) || isBelow('p', parallelism);
}
