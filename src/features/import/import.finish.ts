// Makes a staged report visible: results, findings, counters, events and receipt in one transaction.
import { AppError } from '../../core/errors.js';
import { runBulkTransaction } from '../../infra/postgres/bulk/transaction.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { isKept } from '../../infra/postgres/project-access.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import { searchedText } from '../../infra/postgres/stored-texts.js';
import type { ExecutionRow, ExecutionService } from '../execution/execution.service.js';
import type { MergedRun } from '../finding/runs/merge.js';
import { assertSameTool } from './import.execution.js';
import type { ImportRunOptions } from './import.options.js';
import type { ImportRow } from './import.rows.js';
import type { StagedReport } from './staging/staging-job.js';

/** Another run of the series met the findings first, so the results must be matched again. */
export class Overtaken extends AppError {
  constructor() {
    super('CONFLICT', { message: 'Other imports of the same target came first each time; import it again.' });
  }
}

/** Makes the staged results visible, with counters, events and receipt, all in one transaction. @throws Overtaken */
export async function finishImport(
  options: ImportRunOptions,
  row: ImportRow,
  staged: StagedReport,
): Promise<void> {
  await runBulkTransaction(options.bulk, async (tx) => {
    const execution = await readExecution(options, tx, row, sql``);
    const merged = row.isWholeRun
      ? await mergeWhole(options, tx, row, staged, execution)
      : await addToExecution(options, tx, row, staged);
    if (!row.isWholeRun) {
      await lockForEnd(options, tx, row, execution);
      await assertSameTool(tx, row, staged.reportedTool);
    }
    await writeReceipt(options, tx, row, staged, merged);
    const { added, newFindings, unchangedFindings, reopenedFindings, absentFindings } = merged;
    const counts = { added, newFindings, unchangedFindings, reopenedFindings, absentFindings };
    await options.reportRun(tx, {
      projectId: execution.projectId,
      executionId: row.executionId,
      at: new Date(options.now()),
      newFindings,
      reopenedFindings,
      receipt: {
        id: row.id,
        format: staged.format,
        target: execution.target,
        branch: execution.branch,
        ...counts,
      },
    });
  });
}

/** The execution that takes the report. @throws CONFLICT for one that has ended */
async function readExecution(
  { executions }: ImportRunOptions,
  tx: Transaction,
  row: ImportRow,
  lock: Sql,
): Promise<ExecutionRow> {
  const [execution] = await tx.query<ExecutionRow>(sql`
    SELECT id, status, project_id AS "projectId", target, category, branch, tool FROM test_executions
    WHERE id = ${row.executionId}::uuid AND ${isKept(sql`project_id`)} ${lock}`);
  if (execution === undefined) throw new AppError('NOT_FOUND', { message: 'The execution was deleted.' });
  if (!executions.activeStatuses.includes(execution.status))
    throw executions.refusal(execution, 'take a report');
  return execution;
}

/**
 * Locks execution and import once the rows are written: that takes minutes for a large report, and others change both meanwhile.
 * @throws CONFLICT when the execution has ended, or another server has taken the import up
 * @throws Overtaken when the execution became that of another series
 */
async function lockForEnd(
  options: ImportRunOptions,
  tx: Transaction,
  row: ImportRow,
  before: ExecutionRow,
): Promise<void> {
  const now = await readExecution(options, tx, row, sql`FOR UPDATE`);
  const keys = ['projectId', 'target', 'category', 'branch'] as const;
  if (keys.some((key) => now[key] !== before[key])) throw new Overtaken();
  const [waiting] = await tx.query(sql`
    SELECT FROM imports WHERE id = ${row.id}::uuid AND state = 'RUNNING' AND worker_id = ${options.workerId}::uuid FOR UPDATE`);
  if (waiting === undefined)
    throw new AppError('CONFLICT', { message: 'Another server has taken the import up.' });
}

const zero = { newFindings: 0, unchangedFindings: 0, reopenedFindings: 0, absentFindings: 0 };
type Outcome = Pick<MergedRun, keyof typeof zero | 'added'>;

async function mergeWhole(
  options: ImportRunOptions,
  tx: Transaction,
  row: ImportRow,
  staged: StagedReport,
  execution: ExecutionRow,
): Promise<Outcome> {
  const { executions, merge, now } = options;
  const { projectId, target, category, branch } = execution;
  const { incomplete, unreadPaths, counts, tool, toolVersion } = staged;
  const merged = await merge(tx, {
    importId: row.id,
    executionId: row.executionId,
    key: { projectId, target, tool, category, branch },
    matchedWith: staged.series,
    isComplete: incomplete.length === 0,
    unreadPaths,
    hasOwnResults: false,
    at: new Date(now()),
  });
  if (merged === undefined) throw new Overtaken();
  await lockForEnd(options, tx, row, execution);
  const { scanBranchId, runNumber, isShared } = merged;
  const change = (
    type: 'RESULTS_ADDED' | 'COMPLETED' | 'FAILED',
    assignments: Sql[],
    results?: Parameters<ExecutionService['change']>[5],
  ) => executions.change(tx, row.executionId, executions.activeStatuses, type, assignments, results);
  await change(
    'RESULTS_ADDED',
    [
      sql`info_count = ${counts[0]}, low_count = ${counts[1]}, medium_count = ${counts[2]}, high_count = ${counts[3]}`,
      sql`critical_count = ${counts[4]}, tool = ${tool}, tool_version = coalesce(tool_version, ${toolVersion})`,
      sql`scan_branch_id = ${scanBranchId}, run_number = ${runNumber}, is_shared = ${isShared}`,
    ],
    {
      results: {
        inserted: isShared
          ? sql`SELECT result_id AS id FROM staged_results WHERE import_id = ${row.id}::uuid ORDER BY position LIMIT 100`
          : sql`SELECT id FROM test_results WHERE execution_id = ${row.executionId}::uuid AND NOT is_shared
              ORDER BY id LIMIT 100`,
        ids: sql`ARRAY(SELECT id FROM inserted ORDER BY id)`,
      },
    },
  );
  const at = new Date(now());
  const [reason] = incomplete;
  await change(reason === undefined ? 'COMPLETED' : 'FAILED', [
    sql`status = ${reason === undefined ? 'COMPLETED' : 'FAILED'}::execution_status, finished_at = ${at}, lease_expires_at = NULL`,
    sql`progress = 100, phase = NULL, error_message = ${reason ?? null}`,
  ]);
  return merged;
}

/** The results become the execution's own; they meet the findings when it ends. */
async function addToExecution(
  { executions, now }: ImportRunOptions,
  tx: Transaction,
  row: ImportRow,
  { tool, toolVersion }: StagedReport,
): Promise<Outcome> {
  const at = new Date(now());
  const rank = (index: number) => sql`(SELECT count(*) FROM inserted WHERE severity = ${index}::smallint)`;
  let added = 0;
  const changed = await executions.change(
    tx,
    row.executionId,
    executions.activeStatuses,
    'RESULTS_ADDED',
    [
      sql`info_count = info_count + ${rank(0)}, low_count = low_count + ${rank(1)}`,
      sql`medium_count = medium_count + ${rank(2)}, high_count = high_count + ${rank(3)}`,
      sql`critical_count = critical_count + ${rank(4)}`,
      sql`tool = coalesce(tool, ${tool}), tool_version = coalesce(tool_version, ${toolVersion})`,
      sql`lease_expires_at = ${at}::timestamptz + make_interval(secs => lease_seconds)`,
    ],
    {
      results: {
        inserted: sql`
          INSERT INTO test_results (id, execution_id, title, description, severity, rule_id, cwe_ids, cve_ids, vulnerability_ids,
            cvss_vector, cvss_score, location, evidence, remediation, "references", tags, fingerprint, content_key, text_id,
            search_text, created_at)
          SELECT result_id, ${row.executionId}::uuid, title, description, severity, rule_id, cwe_ids, cve_ids, vulnerability_ids,
            cvss_vector, cvss_score, location, evidence, remediation, "references", tags, fingerprint, content_key,
            (SELECT id FROM result_texts WHERE digest = staged.text_key), ${searchedText('staged')}, ${at}::timestamptz
          FROM staged_results AS staged WHERE import_id = ${row.id}::uuid ORDER BY severity, position
          ON CONFLICT (execution_id, content_key) DO NOTHING RETURNING id, severity`,
        ids: sql`ARRAY(SELECT id FROM inserted ORDER BY id LIMIT 100)`,
        onCount: (count) => {
          added = count;
        },
      },
    },
  );
  if (changed === undefined)
    throw new AppError('CONFLICT', { message: 'The execution was changed at the same time.' });
  return { ...zero, added };
}

async function writeReceipt(
  { now }: ImportRunOptions,
  tx: Transaction,
  row: ImportRow,
  staged: StagedReport,
  outcome: Outcome,
): Promise<void> {
  const { counts, skipped, warnings, warningCount, incomplete, unreadPaths, duplicates } = staged;
  const skippedCount = Object.values(skipped).reduce((sum, count) => sum + count, 0);
  await tx.query(sql`
    UPDATE imports SET state = 'COMPLETED', format = ${staged.format}, read = ${staged.read}, added = ${outcome.added},
      duplicates = ${duplicates + staged.staged + staged.sighted - outcome.added}, skipped = ${skippedCount},
      new_findings = ${outcome.newFindings}, unchanged_findings = ${outcome.unchangedFindings},
      reopened_findings = ${outcome.reopenedFindings}, absent_findings = ${outcome.absentFindings},
      info_count = ${counts[0]}, low_count = ${counts[1]}, medium_count = ${counts[2]}, high_count = ${counts[3]},
      critical_count = ${counts[4]}, skipped_reasons = ${JSON.stringify(skipped)}, warnings = ${JSON.stringify(warnings)},
      warning_count = ${warningCount}, incomplete = ${incomplete}::text[], lease_expires_at = NULL,
      unread_paths = ${unreadPaths}::text[], tool = ${staged.reportedTool},
      finished_at = ${new Date(now())}
    WHERE id = ${row.id}::uuid`);
}

/**
 * Ends an import, which then counts nothing as added, and the execution that it made; an execution that was there before
 * goes on.
 * @returns whether it did: not when another server works on the import
 */
export async function failImport(
  { db, executions, workerId, now }: ImportRunOptions,
  row: ImportRow,
  message: string,
): Promise<boolean> {
  const at = new Date(now());
  return db.transaction(async (tx) => {
    const [failed] = await tx.query(sql`
      UPDATE imports SET state = 'FAILED', error_message = ${message.slice(0, 2000)}, added = 0, lease_expires_at = NULL,
        finished_at = ${at}
      WHERE id = ${row.id}::uuid AND state = 'RUNNING' AND worker_id = ${workerId}::uuid RETURNING id`);
    if (failed === undefined) return false;
    if (!row.isWholeRun) return true;
    const end = (from: readonly string[], type: 'FAILED' | 'CANCELLED') =>
      executions.change(tx, row.executionId, from, type, [
        sql`status = ${type}::execution_status, finished_at = ${at}, lease_expires_at = NULL`,
        sql`error_message = ${message.slice(0, 2000)}`,
      ]);
    if ((await end(['RUNNING'], 'FAILED')) === undefined) await end(['CANCEL_REQUESTED'], 'CANCELLED');
    return true;
  });
}
