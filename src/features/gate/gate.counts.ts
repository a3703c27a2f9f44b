// Counts for a gate the findings of one run that nobody has ruled out, and reads the state of its imports.
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { ExecutionRow } from '../execution/execution.service.js';
import type { RowsOfRun } from '../finding/list/run-rows.js';
import type { GatePolicy } from './gate.input.js';
import type { ImportedState, RankCounts } from './gate.reasons.js';

/** Columns of an execution that a gate reads. */
export const gatedColumns = ['id', 'isShared', 'scanBranchId', 'runNumber', 'status'] as const;
/** An execution as far as a gate reads it. */
export type GatedRow = Pick<ExecutionRow, (typeof gatedColumns)[number]>;

/** What the imports of an execution say of its completeness. */
export async function readImported(db: Database, executionId: string): Promise<ImportedState> {
  const imports = await db.read<{ state: ImportedState['lastState']; incomplete: string[] }>(
    sql`SELECT state, incomplete FROM imports WHERE execution_id = ${executionId}::uuid ORDER BY id`,
  );
  const incomplete = [...new Set(imports.flatMap((row) => row.incomplete))];
  return { lastState: imports.at(-1)?.state ?? null, incomplete };
}

/**
 * Counts the findings of a run by severity, each once, without findings that people have ruled out or accepted for now. A
 * result counts with the severity of this run unless somebody has overridden it.
 */
export async function countFindings(
  db: Database,
  rowsOfRun: RowsOfRun,
  row: GatedRow,
  { onlyNew }: GatePolicy,
  at: Date,
): Promise<RankCounts & { overdue: number }> {
  const counted = onlyNew === true ? sql`AND is_new` : sql``;
  const [found] = await db.queryUncached<RankCounts & { overdue: number }>(sql`
    SELECT count(*) FILTER (WHERE severity = 0 ${counted})::int AS "infoCount",
      count(*) FILTER (WHERE severity = 1 ${counted})::int AS "lowCount",
      count(*) FILTER (WHERE severity = 2 ${counted})::int AS "mediumCount",
      count(*) FILTER (WHERE severity = 3 ${counted})::int AS "highCount",
      count(*) FILTER (WHERE severity = 4 ${counted})::int AS "criticalCount",
      count(*) FILTER (WHERE is_overdue)::int AS overdue
    FROM (
      SELECT max(coalesce(finding.severity_override, result.severity)) AS severity,
        bool_or(result.delta <> 1) AS is_new,
        bool_or(coalesce(finding.due_at < ${at}::timestamptz AND finding.triage IN ('OPEN', 'CONFIRMED'), false)) AS is_overdue
      FROM (${rowsOfRun(row)}) AS result LEFT JOIN findings AS finding ON finding.id = result.finding_id
      WHERE finding.id IS NULL OR NOT (finding.triage = 'FALSE_POSITIVE'
        OR (finding.triage = 'RISK_ACCEPTED' AND finding.accepted_until > ${at}::timestamptz))
      GROUP BY coalesce(finding.id, result.id)
    ) AS counted`);
  return found ?? { infoCount: 0, lowCount: 0, mediumCount: 0, highCount: 0, criticalCount: 0, overdue: 0 };
}
