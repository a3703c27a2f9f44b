// Works one import off: stages the report, lets the run meet the findings, and writes the receipt; or says why it failed.
import { AppError } from '../../core/errors.js';
import { isRetryable } from '../../infra/postgres/bulk/transaction.js';
import { sql } from '../../infra/postgres/sql.js';
import { finishImport, Overtaken } from './import.finish.js';
import type { ImportRunOptions } from './import.options.js';
import type { ImportRow } from './import.rows.js';
import { stageImport } from './import.stage.js';
import { clearStaged } from './staging/stage-report.js';

/** Times that staging is repeated because another run of the series came first, or the database was away. */
const maxAttempts = 5;

/**
 * Works an import off.
 * @returns false when it was stopped half-way and can be taken up again
 */
export async function runImport(
  options: ImportRunOptions,
  row: ImportRow,
  stopped: AbortSignal,
): Promise<boolean> {
  const { log, spool } = options;
  try {
    await attempt(options, row, stopped, 1);
  } catch (error) {
    if (stopped.aborted) return false;
    if (!(error instanceof AppError)) log.error({ event: 'import_failed', importId: row.id, err: error });
    await failImport(options, row, messageOf(error)).catch((fault: unknown) =>
      log.error({ event: 'import_unfinished', importId: row.id, err: fault }),
    );
  }
  await clearStaged(options.db, row.id).catch(() => {}); // the next start, or the next import, clears it
  await spool.remove(row.id);
  return true;
}

function messageOf(error: unknown): string {
  if (!(error instanceof AppError)) return 'Something went wrong on the server.';
  const places = (error.fields ?? []).map(({ path, message }) => `${path} ${message}`).join('; ');
  return error.code === 'VALIDATION_FAILED' && !error.message.includes(places)
    ? `${error.message} ${places}`
    : error.message;
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

/** Ends an import and the execution that it made; an execution that was there before goes on. */
async function failImport(
  { db, executions, now }: ImportRunOptions,
  row: ImportRow,
  message: string,
): Promise<void> {
  const at = new Date(now());
  await db.transaction(async (tx) => {
    const [failed] = await tx.query(sql`
      UPDATE imports SET state = 'FAILED', error_message = ${message.slice(0, 2000)}, lease_expires_at = NULL, finished_at = ${at}
      WHERE id = ${row.id}::uuid AND state = 'RUNNING' RETURNING id`);
    if (failed === undefined || !row.isWholeRun) return;
    const end = (from: readonly string[], type: 'FAILED' | 'CANCELLED') =>
      executions.change(tx, row.executionId, from, type, [
        sql`status = ${type}::execution_status, finished_at = ${at}, lease_expires_at = NULL`,
        sql`error_message = ${message.slice(0, 2000)}`,
      ]);
    if ((await end(['RUNNING'], 'FAILED')) === undefined) await end(['CANCEL_REQUESTED'], 'CANCELLED');
  });
}
