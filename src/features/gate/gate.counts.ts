// Counts for a gate the findings of one run that nobody has ruled out, and reads the state of its imports.
import type { Database } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import type { ExecutionRow } from '../execution/execution.service.js';
import type { RowsOfRun, RunRow } from '../finding/list/run-rows.js';
import type { ImportedState, RankCounts } from './gate.reasons.js';

/** Columns of an execution that a gate reads. */
export const gatedColumns = [
  'id',
  'isShared',
  'scanBranchId',
  'runNumber',
  'status',
  'projectId',
  'infoCount',
  'lowCount',
  'mediumCount',
  'highCount',
  'criticalCount',
] as const;
/** An execution as far as a gate reads it. */
export type GatedRow = Pick<ExecutionRow, (typeof gatedColumns)[number]>;

/** The executions whose results count. */
export interface Counted {
  rowsOfRun: RowsOfRun;
  row: GatedRow;
  onlyNew: boolean;
  /** The run that new findings are new beside; undefined for what the run itself made of its results. */
  base: RunRow | undefined;
  /** Whether a base is wanted: without one, every finding is new. */
  isBesideBase: boolean;
  at: Date;
}

/** The completeness of an execution, according to its imports. */
export async function readImported(db: Database, executionId: string): Promise<ImportedState> {
  const imports = await db.read<{ state: ImportedState['lastState']; incomplete: string[] }>(
    sql`SELECT state, incomplete FROM imports WHERE execution_id = ${executionId}::uuid ORDER BY id`,
  );
  const incomplete = [...new Set(imports.flatMap((row) => row.incomplete))];
  return { lastState: imports.at(-1)?.state ?? null, incomplete };
}

/** Condition on `finding` that people have neither ruled it out nor accepted it for now. */
const isOpenTo = (at: Date) => sql`NOT (finding.triage = 'FALSE_POSITIVE'
  OR (finding.triage = 'RISK_ACCEPTED' AND finding.accepted_until > ${at}::timestamptz))`;

const findingIdsOf = ({ rowsOfRun }: Counted, run: RunRow) =>
  sql`SELECT finding_id FROM (${rowsOfRun(run)}) AS of_base WHERE finding_id IS NOT NULL`;

/** Condition on `result` that it shows something new. */
function isNew(counted: Counted): Sql {
  const { base, isBesideBase } = counted;
  if (!isBesideBase) return sql`result.delta <> 1`;
  if (base === undefined) return sql`TRUE`;
  return sql`NOT coalesce(result.finding_id IN (${findingIdsOf(counted, base)}), FALSE)`;
}

/** Results of a run from which on a parallel plan saves more than the start of its processes takes. */
const fewResults = 20_000;

/** Keeps a statement from a parallel plan, which a function with a side effect excludes. The setting ends with the statement. */
const serially = sql`CROSS JOIN (SELECT set_config('max_parallel_workers_per_gather', '0', true)) AS serially`;

function isSmall({ infoCount, lowCount, mediumCount, highCount, criticalCount }: GatedRow): boolean {
  return infoCount + lowCount + mediumCount + highCount + criticalCount < fewResults;
}

/**
 * Counts the findings of a run by severity, each once, without findings that people have ruled out or accepted for now. A
 * result counts with the severity of this run unless somebody has overridden it.
 */
export async function countFindings(
  db: Database,
  counted: Counted,
): Promise<RankCounts & { overdue: number }> {
  const { rowsOfRun, row, onlyNew, at } = counted;
  const among = onlyNew ? sql`AND is_new` : sql``;
  const [found] = await db.queryUncached<RankCounts & { overdue: number }>(sql`
    SELECT count(*) FILTER (WHERE severity = 0 ${among})::int AS "infoCount",
      count(*) FILTER (WHERE severity = 1 ${among})::int AS "lowCount",
      count(*) FILTER (WHERE severity = 2 ${among})::int AS "mediumCount",
      count(*) FILTER (WHERE severity = 3 ${among})::int AS "highCount",
      count(*) FILTER (WHERE severity = 4 ${among})::int AS "criticalCount",
      count(*) FILTER (WHERE is_overdue)::int AS overdue
    FROM (
      SELECT max(coalesce(finding.severity_override, result.severity)) AS severity,
        bool_or(${isNew(counted)}) AS is_new,
        bool_or(coalesce(finding.due_at < ${at}::timestamptz AND finding.triage IN ('OPEN', 'CONFIRMED'), false)) AS is_overdue
      FROM (${rowsOfRun(row)}) AS result LEFT JOIN findings AS finding ON finding.id = result.finding_id
      WHERE finding.id IS NULL OR ${isOpenTo(at)}
      GROUP BY coalesce(finding.id, result.id)
    ) AS counted ${isSmall(row) ? serially : sql``}`);
  return found ?? { infoCount: 0, lowCount: 0, mediumCount: 0, highCount: 0, criticalCount: 0, overdue: 0 };
}

/** Conditions on the table findings for the findings that {@link countFindings} counts. */
export function countedConditions(counted: Counted): Sql[] {
  const { rowsOfRun, row, onlyNew, at } = counted;
  const among = onlyNew ? sql`AND ${isNew(counted)}` : sql``;
  return [
    sql`id IN (
      SELECT finding.id FROM (${rowsOfRun(row)}) AS result JOIN findings AS finding ON finding.id = result.finding_id
      WHERE ${isOpenTo(at)} ${among})`,
  ];
}
