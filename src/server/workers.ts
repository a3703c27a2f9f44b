// A server of several processes: the primary prepares the database once, and its workers share the port (WORKERS).
import type { Logger } from 'pino';
import type { Config } from '../config/load.js';
import { startWorkers } from '../infra/workers/primary.js';
import { createTokensOf } from './adapters.js';
import { createClosers } from './closers.js';
import type { FirstAdmin } from './first-admin.js';
import { prepareDatabase } from './prepare-database.js';

/** A running server, as the process that started it sees it. */
export interface RunningWorkers {
  port: number;
  firstAdmin: FirstAdmin | undefined;
  close(): Promise<void>;
}

/**
 * Prepares the database, then starts the workers.
 * @throws Error with a message for people; everything that was started by then is stopped again
 */
export async function startPrimary(config: Config, log: Logger): Promise<RunningWorkers> {
  const closers = createClosers(log);
  try {
    const database = await prepareDatabase(config, log, closers);
    await createTokensOf(config, Date.now); // makes the keys that an installation lacks, before several workers would
    const stopMs = config.shutdownTimeoutMs + 6000;
    const workers = await startWorkers({ count: config.workers, database, log, stopMs });
    closers.add(workers.stop);
    const { port, firstAdmin } = workers.greeting;
    return { port, firstAdmin: firstAdmin as FirstAdmin | undefined, close: closers.close };
  } catch (error) {
    await closers.close();
    throw error;
  }
}
