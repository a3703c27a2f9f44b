// Finds the run that a gate compares an execution with: the last one of the base branch with the same target, tool and category.
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { RunRow } from '../finding/list/run-rows.js';

/**
 * The last run of a branch in the series of an execution's own branch. On the own branch, it is the last one before the
 * execution: an execution is never its own base.
 * @returns undefined where the branch has no run whose results have met the findings
 */
export async function baseOf(
  db: Database,
  { scanBranchId, runNumber }: Pick<RunRow, 'scanBranchId' | 'runNumber'>,
  branch: string,
): Promise<RunRow | undefined> {
  if (scanBranchId === null || runNumber === null) return undefined;
  const [row] = await db.read<RunRow>(sql`
    SELECT run.id, run.is_shared AS "isShared", run.scan_branch_id AS "scanBranchId", run.run_number AS "runNumber"
    FROM scan_branches AS own JOIN scan_branches AS base ON base.series_id = own.series_id AND base.name = ${branch}
      JOIN test_executions AS run ON run.scan_branch_id = base.id
    WHERE own.id = ${scanBranchId}::int AND run.run_number IS NOT NULL
      AND (base.id <> own.id OR run.run_number < ${runNumber}::int)
    ORDER BY run.run_number DESC LIMIT 1`);
  return row;
}
