// The thread that stages one report: takes the job, sends progress, then the outcome.
import { parentPort, workerData } from 'node:worker_threads';
import { AppError } from '../../../core/errors.js';
import type { StagingMessage } from './run-staging.js';
import { stageReport } from './stage-report.js';
import type { StagingJob } from './staging-job.js';

const send = (message: StagingMessage) => parentPort?.postMessage(message);

try {
  send({ staged: await stageReport(workerData as StagingJob, (progress) => send({ progress })) });
} catch (error) {
  const { message, stack = '' } = error instanceof Error ? error : new Error(String(error));
  const known = error instanceof AppError ? error : undefined;
  send({ fault: { code: known?.code ?? null, message, fields: known?.fields ?? null, stack } });
}
