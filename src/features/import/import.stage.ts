// Stages the report of an import, and reports progress on its execution meanwhile.
import { AppError } from '../../core/errors.js';
import type { Statements } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { ImportRunOptions } from './import.options.js';
import type { ImportRow } from './import.rows.js';
import { runStaging } from './staging/run-staging.js';
import type { StagedReport, StagingProgress } from './staging/staging-job.js';

/** Shortest time between two events of progress. */
const progressEveryMs = 1000;

/** Reads the report; ends when the execution was cancelled or deleted meanwhile. */
export async function stageImport(
  options: ImportRunOptions,
  row: ImportRow,
  stopped: AbortSignal,
): Promise<StagedReport> {
  const { executions, spool, bulk, maxUnpackedBytes } = options;
  const [execution] = await executions.readByIds([row.executionId]);
  if (execution === undefined) throw new AppError('NOT_FOUND', { message: 'The execution was deleted.' });
  const ending = new AbortController();
  const progress = createProgress(options, row, ending);
  const job = {
    importId: row.id,
    file: spool.fileOf(row.id),
    format: row.format,
    maxUnpackedBytes,
    database: bulk,
    projectId: execution.projectId,
    target: execution.target,
    category: execution.category,
    branch: execution.branch,
    tool: execution.tool,
    pathPrefix: row.pathPrefix,
    isWholeRun: row.isWholeRun,
  };
  const signal = AbortSignal.any([stopped, ending.signal]);
  try {
    const staged = await runStaging(job, progress.show, signal);
    await progress.showMerge(staged);
    return staged;
  } catch (error) {
    throw ending.signal.aborted ? ending.signal.reason : error;
  }
}

/** Reports progress on the import and its execution; aborts `ending` with an AppError when the execution has ended. */
function createProgress(options: ImportRunOptions, row: ImportRow, ending: AbortController) {
  const { db, executions, now } = options;
  const end = (message: string) => ending.abort(new AppError('CONFLICT', { message }));
  const single: Statements = { query: db.query, afterCommit: (action) => action() };
  let reportedAt = now();
  let isReporting = false;
  let isLong = false;
  const report = async ({ read, staged, sighted }: StagingProgress, phase: string) => {
    const at = now();
    await db.query(sql`
      UPDATE imports SET read = ${read}, added = ${staged + sighted}, lease_expires_at = ${new Date(at + options.leaseMs)}
      WHERE id = ${row.id}::uuid AND worker_id = ${options.workerId}::uuid`);
    const changed = await executions.change(single, row.executionId, executions.activeStatuses, 'PROGRESS', [
      sql`phase = ${phase}`,
      sql`lease_expires_at = ${new Date(at)}::timestamptz + make_interval(secs => lease_seconds)`,
    ]);
    if (changed === undefined) end('The execution ended or was deleted while the report was read.');
    else if (changed.status === 'CANCEL_REQUESTED') end('The execution was cancelled.');
  };
  return {
    show(progress: StagingProgress) {
      if (isReporting || now() - reportedAt < progressEveryMs) return;
      reportedAt = now();
      isReporting = true;
      isLong = true;
      report(progress, `Read ${progress.read} results of the report`)
        .catch(() => {}) // the next report, or the merge, meets the same database
        .finally(() => {
          isReporting = false;
        });
    },
    /** A short import ends before anybody could see it. */
    async showMerge(progress: StagingProgress) {
      if (isLong) await report(progress, `Merging ${progress.read} results`).catch(() => {});
    },
  };
}
