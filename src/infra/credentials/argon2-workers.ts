// Threads that do nothing but hash. How many hashes may wait, and who waits for what, is in password-hasher.ts.
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';

/** Parameters as the library takes them. */
interface Argon2Parameters {
  algorithm: number;
  memoryCost: number;
  timeCost: number;
  parallelism: number;
}

type Job =
  | { make: string; parameters: Argon2Parameters; phc?: undefined }
  | { phc: string; password: string; make?: undefined };

interface Thread {
  worker: Worker;
  jobs: Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>;
}

/**
 * A thread is handed its next hash while it works: between two it would else wait for this event loop, up to a third of
 * its time.
 */
export const jobsPerThread = 2;

// As text, for there is no file that both the build and the tests, which run the sources, could name.
const code = `
const { parentPort, workerData } = require('node:worker_threads');
const { hashSync, verifySync } = require(workerData);
parentPort.on('message', ({ id, make, parameters, phc, password }) => {
  try {
    const value = phc === undefined ? hashSync(make, parameters) : verifySync(phc, password);
    parentPort.postMessage({ id, value });
  } catch (error) {
    parentPort.postMessage({ id, failure: error.message });
  }
});`;

export type HashThreads = ReturnType<typeof createHashThreads>;

/** At most so many threads, each started when there is work for it. */
export function createHashThreads(size: number) {
  const threads = new Set<Thread>();
  let lastId = 0;

  function start(): Thread {
    const library = createRequire(import.meta.url).resolve('@node-rs/argon2');
    const worker = new Worker(code, {
      ...{ eval: true, workerData: library, execArgv: [], env: {} },
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    const thread: Thread = { worker, jobs: new Map() };
    worker.on('message', ({ id, value, failure }: { id: number; value: never; failure?: string }) => {
      const job = thread.jobs.get(id);
      forget(thread, id);
      if (failure === undefined) job?.resolve(value);
      else job?.reject(new Error(failure));
    });
    const end = (error: Error) => {
      threads.delete(thread);
      for (const { reject } of thread.jobs.values()) reject(error);
      thread.jobs.clear();
    };
    worker.on('error', end);
    worker.on('exit', () => end(new Error('the thread that hashes has ended')));
    threads.add(thread);
    return thread;
  }

  /** Only work keeps the process alive. */
  function forget({ jobs, worker }: Thread, id: number): void {
    jobs.delete(id);
    if (jobs.size === 0) worker.unref();
  }

  function leastBusy(): Thread {
    const [first] = [...threads].sort((one, other) => one.jobs.size - other.jobs.size);
    return first === undefined || (first.jobs.size > 0 && threads.size < size) ? start() : first;
  }

  function run<Value>(job: Job): Promise<Value> {
    return new Promise((resolve, reject) => {
      const thread = leastBusy();
      lastId += 1;
      thread.jobs.set(lastId, { resolve, reject });
      thread.worker.ref();
      thread.worker.postMessage({ id: lastId, ...job });
    });
  }

  return {
    /** PHC string of a password. */
    hash: (password: string, parameters: Argon2Parameters): Promise<string> =>
      run({ make: password, parameters }),

    /** Whether the password fits. @throws Error for what is no PHC string */
    verify: (phc: string, password: string): Promise<boolean> => run({ phc, password }),

    /** Ends the threads, and fails what they have not done. */
    async close(): Promise<void> {
      await Promise.all([...threads].map(({ worker }) => worker.terminate()));
    },
  };
}
