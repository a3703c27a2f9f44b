// Runs the staging of a report in a thread of its own, so that parsing delays no request.
import { Worker } from 'node:worker_threads';
import type { ErrorCode } from '../../../core/error-catalogue.js';
import { AppError, type FieldError } from '../../../core/errors.js';
import { stageReport } from './stage-report.js';
import type { StagedReport, StagingJob, StagingProgress } from './staging-job.js';

/** A message of the thread. */
export type StagingMessage =
  | { progress: StagingProgress }
  | { staged: StagedReport }
  | { fault: { code: ErrorCode | null; message: string; fields: FieldError[] | null; stack: string } };

/** Heap of a thread, in MiB: a report is never held, so a thread that wants more than this has met a fault. */
const heapMb = 256;

/**
 * Stages a report in a thread; where the sources are not compiled, as under tests, in this one.
 * @throws VALIDATION_FAILED with the place of a fault
 * @throws UNAVAILABLE when the database is down, or when `signal` aborts
 */
export function runStaging(
  job: StagingJob,
  onProgress: (progress: StagingProgress) => void,
  signal: AbortSignal,
): Promise<StagedReport> {
  const entry = new URL('./staging-thread.js', import.meta.url);
  if (!import.meta.url.endsWith('.js')) return stageReport(job, onProgress);
  return new Promise((resolve, reject) => {
    const worker = new Worker(entry, { workerData: job, resourceLimits: { maxOldGenerationSizeMb: heapMb } });
    const stop = () => {
      void worker.terminate();
      reject(new AppError('UNAVAILABLE', { message: 'The server is stopping.' }));
    };
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    worker.on('message', (message: StagingMessage) => {
      if ('progress' in message) onProgress(message.progress);
      else if ('staged' in message) resolve(message.staged);
      else reject(errorOf(message.fault));
    });
    worker.on('error', reject);
    worker.on('exit', () => {
      signal.removeEventListener('abort', stop);
      reject(new Error('the thread that stages reports ended early')); // does nothing after a message
    });
  });
}

function errorOf({
  code,
  message,
  fields,
  stack,
}: Extract<StagingMessage, { fault: unknown }>['fault']): Error {
  if (code !== null) return new AppError(code, { message, ...(fields !== null && { fields }) });
  const error = new Error(message);
  error.stack = stack;
  return error;
}
