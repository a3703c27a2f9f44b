// Works one import off: stages the report, lets the run meet the findings, and writes the receipt; or says why it failed.
import { AppError } from '../../core/errors.js';
import { isRetryable } from '../../infra/postgres/bulk/transaction.js';
import { failImport, finishImport, Overtaken } from './import.finish.js';
import type { ImportRunOptions } from './import.options.js';
import type { ImportRow } from './import.rows.js';
import { stageImport } from './import.stage.js';
import { clearStaged } from './staging/stage-report.js';

/** Times that staging is repeated because another run of the series came first, or the database was away. */
const maxAttempts = 5;
/** Times that an import is taken up again because its end could not be written, as when it fills the disk of the database. */
const maxRuns = 3;

const downEachTime = `The database went down each of ${maxRuns} times that the import ran; its disk may be full.`;

/** Works an import off. One that is stopped, or cannot be ended because the database is away, is taken up again later. */
export async function runImport(
  options: ImportRunOptions,
  row: ImportRow,
  stopped: AbortSignal,
): Promise<void> {
  const { log, spool, runs } = options;
  const number = (runs.get(row.id) ?? 0) + 1;
  runs.set(row.id, number);
  try {
    if (number > maxRuns) throw new AppError('UNAVAILABLE', { message: downEachTime });
    await attempt(options, row, stopped, 1);
  } catch (error) {
    if (stopped.aborted) return;
    if (!(error instanceof AppError)) log.error({ event: 'import_failed', importId: row.id, err: error });
    const hasEnded = await failImport(options, row, messageOf(error)).catch((fault: unknown) => {
      log.error({ event: 'import_unfinished', importId: row.id, err: fault });
      return false;
    });
    if (!hasEnded) return;
  }
  runs.delete(row.id);
  await clearStaged(options.db, row.id).catch((error: unknown) =>
    log.warn({ event: 'import_unfinished', importId: row.id, err: error }),
  );
  await spool.remove(row.id);
}

function messageOf(error: unknown): string {
  if (!(error instanceof AppError)) return 'Something went wrong on the server.';
  if (error.code !== 'VALIDATION_FAILED') return error.message;
  const missing = (error.fields ?? []).filter(({ message }) => !error.message.includes(message));
  return [error.message, ...missing.map(({ path, message }) => `${path} ${message}`)].join(' ');
}

async function attempt(
  options: ImportRunOptions,
  row: ImportRow,
  stopped: AbortSignal,
  number: number,
): Promise<void> {
  try {
    await finishImport(options, row, await stageImport(options, row, stopped));
    return;
  } catch (error) {
    if (error instanceof Overtaken) options.log.info({ event: 'import_staged_again', importId: row.id });
    const mayPass =
      error instanceof Overtaken ||
      isRetryable(error) ||
      (error instanceof AppError && error.code === 'UNAVAILABLE');
    if (!mayPass || stopped.aborted || number >= maxAttempts) throw error;
    await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** number));
  }
  await attempt(options, row, stopped, number + 1);
}
