// The results of one run in SQL, with what the run made of them, for gates and comparisons. Pages of results are in
// features/result.
import { type Sql, sql } from '../../../infra/postgres/sql.js';
import type { ExecutionRow } from '../../execution/execution.service.js';

/** An execution as far as its rows depend on it. */
export type RunRow = Pick<ExecutionRow, 'id' | 'isShared' | 'scanBranchId' | 'runNumber'>;

/** Selects the results of a run. */
export type RowsOfRun = typeof rowsOfRun;

/**
 * A statement that selects `id`, `finding_id` (null for a result that belongs to no finding), `severity` (a rank) and `delta`
 * (0 NEW, 1 UNCHANGED, 2 REOPENED) of every result of a run.
 */
export function rowsOfRun({ id, isShared, scanBranchId, runNumber }: RunRow): Sql {
  if (!isShared || scanBranchId === null || runNumber === null)
    return sql`SELECT id, finding_id, severity, coalesce(delta, 0) AS delta FROM test_results
      WHERE execution_id = ${id}::uuid AND NOT is_shared`;
  return sql`SELECT id, finding_id, severity, CASE WHEN from_run < ${runNumber}::int THEN 1 ELSE delta END AS delta
    FROM test_results
    WHERE is_shared AND scan_branch_id = ${scanBranchId}::int  AND from_run <= ${runNumber}::int AND (until_run IS NULL OR until_run >= ${runNumber}::int)`;
}
