// Worker threads that hash and verify with Argon2id, by @node-rs/argon2 or, where that has no binary, by argon2 (docs/adr/0001).
// password-hasher.ts limits the hashes that wait.
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import { argon2WorkerSource } from './argon2-worker-source.js';

/** Parameters of Argon2id as both libraries name them. */
export interface Argon2Parameters {
  /** In KiB. */
  memoryCost: number;
  timeCost: number;
  parallelism: number;
}

type Job =
  | { password: string; parameters: Argon2Parameters; phc?: undefined }
  | { password: string; phc: string; parameters?: undefined };

/** A message of a worker: the library that it loaded, or the outcome of a job. */
type Message =
  | { library: string; skipped: string[]; id?: undefined }
  | { id: number; value: never; failure?: string; library?: undefined };

interface Thread {
  worker: Worker;
  jobs: Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>;
}

/** Libraries in order of preference. Each is loaded in the worker, and only when those before it cannot be. */
export const argon2Libraries: readonly string[] = ['@node-rs/argon2', 'argon2'];

/**
 * Hashes that a thread holds: it gets its next one while it works, else it would wait for this event loop between two, up
 * to a third of its time.
 */
export const jobsPerThread = 2;

/** Hashes and verifies on threads of its own. */
export interface Argon2Workers {
  /** The PHC string of a password. */
  hash(password: string, parameters: Argon2Parameters): Promise<string>;
  /** Whether the password matches. @throws Error when `phc` is not a PHC string */
  verify(phc: string, password: string): Promise<boolean>;
  /** Ends the threads, and rejects unfinished work. */
  close(): Promise<void>;
}

interface WorkersOptions {
  /** Threads at most; each starts when there is work for it. */
  size: number;
  /** Names of packages, as {@link argon2Libraries}. */
  libraries: readonly string[];
  log: Logger | undefined;
}

/** Creates the pool of threads; none is started yet. */
export function createArgon2Workers({ size, libraries, log }: WorkersOptions): Argon2Workers {
  const threads = new Set<Thread>();
  let lastId = 0;
  let isReported = false;
  let isClosing = false;

  /** Says once in the log when the preferred library could not be loaded. */
  function report(library: string, skipped: readonly string[]): void {
    if (isReported || skipped.length === 0) return;
    isReported = true;
    log?.warn(
      { event: 'argon2_fallback', library, reason: skipped.join('; ') },
      `passwords are hashed by ${library}`,
    );
  }

  function leastBusy(): Thread {
    const [first] = [...threads].sort((one, other) => one.jobs.size - other.jobs.size);
    if (first !== undefined && (first.jobs.size === 0 || threads.size >= size)) return first;
    const thread = startThread(libraries, report, () => threads.delete(thread));
    threads.add(thread);
    return thread;
  }

  function run<Value>(job: Job): Promise<Value> {
    if (isClosing) return Promise.reject(hasEnded());
    return new Promise((resolve, reject) => {
      const thread = leastBusy();
      lastId += 1;
      thread.jobs.set(lastId, { resolve, reject });
      thread.worker.ref();
      thread.worker.postMessage({ id: lastId, ...job });
    });
  }

  return {
    hash: (password, parameters) => run({ password, parameters }),
    verify: (phc, password) => run({ password, phc }),
    async close() {
      isClosing = true;
      await Promise.all([...threads].map(endThread));
      isClosing = false;
    },
  };
}

function startThread(
  libraries: readonly string[],
  report: (library: string, skipped: readonly string[]) => void,
  onEnd: () => void,
): Thread {
  const worker = new Worker(argon2WorkerSource, {
    eval: true,
    workerData: libraries.map((name) => ({ name, path: pathOf(name) })),
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
  });
  const thread: Thread = { worker, jobs: new Map() };
  worker.on('message', (message: Message) => {
    if (message.library !== undefined) report(message.library, message.skipped);
    else settle(thread, message);
  });
  const end = (error: Error) => {
    onEnd();
    for (const { reject } of thread.jobs.values()) reject(error);
    thread.jobs.clear();
  };
  worker.on('error', end);
  worker.on('exit', () => end(hasEnded()));
  return thread;
}

const hasEnded = () => new Error('the thread that hashes passwords has ended');

/** Rejects unfinished work, and ends the thread after its last hash: argon2 aborts the process if its thread ends during one. */
async function endThread({ worker, jobs }: Thread): Promise<void> {
  const finished = new Promise<void>((resolve) => {
    const check = () => jobs.size === 0 && resolve();
    worker.on('message', check).once('exit', resolve);
    check();
  });
  for (const [id, { reject }] of jobs) {
    jobs.set(id, { resolve: () => {}, reject: () => {} });
    reject(hasEnded());
  }
  await finished;
  await worker.terminate();
}

/** The file that a package's name stands for; null when it is not installed. */
function pathOf(name: string): string | null {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    return null;
  }
}

function settle({ jobs, worker }: Thread, { id, value, failure }: Extract<Message, { id: number }>): void {
  const job = jobs.get(id);
  jobs.delete(id);
  if (jobs.size === 0) worker.unref(); // only work keeps the process alive
  if (failure === undefined) job?.resolve(value);
  else job?.reject(new Error(failure));
}
