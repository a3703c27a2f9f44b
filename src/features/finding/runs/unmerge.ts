// Takes a run back from the findings when its execution is deleted, at once or piece by piece: rows that later runs share stay,
// what the run alone changed is undone, and findings that no other run has seen are deleted. Each finding changes once, whole.
import type { Transaction } from '../../../infra/postgres/database.js';
import { type Sql, sql } from '../../../infra/postgres/sql.js';
import { followNewest } from './follow-newest.js';

/** A run of a branch; of none while its results have not met the findings. */
export interface MergedExecution {
  id: string;
  scanBranchId: number | null;
  runNumber: number | null;
}

/** Where a walk through the rows that a run closed has come to. */
export interface ClosedRow {
  untilRun: number;
  id: string;
}

/** Takes runs back; see the functions. */
export const unmerging = { begin, results: takeResults, closed: takeClosed, end };
export type Unmerging = typeof unmerging;

/** Numbers of the branch's runs before and after the one that goes; null where there is none. */
interface Neighbours {
  /** Executions of other projects on the branch are deleted ones, whose rows go piece by piece. */
  projectId: string;
  before: number | null;
  after: number | null;
}

interface Step extends Neighbours {
  id: string;
  scanBranchId: number;
  runNumber: number;
}

/**
 * The branch's last run is the one before. Its number is used again only after {@link end}: until then, results of this run
 * lie on the branch.
 * @param most where counting ends
 * @returns the number of results that the run closed or was the last to see
 */
async function begin(tx: Transaction, run: MergedExecution, most: number): Promise<number> {
  const step = await enter(tx, run);
  if (step === undefined) return 0;
  if (step.after === null) await stepBack(tx, step, sql`true`);
  const [closed] = await tx.query<{ count: number }>(sql`
    SELECT count(*)::int AS count FROM (SELECT FROM test_results WHERE ${isClosedBy(step)} LIMIT ${most}::int) AS closed`);
  return closed?.count ?? 0;
}

/** To be called once no result is left: the number of the branch's last run may be used again. */
async function end(tx: Transaction, run: MergedExecution): Promise<void> {
  const step = await enter(tx, run);
  if (step?.after === null) await stepBack(tx, step, sql`id <> ${run.id}::uuid`);
}

/**
 * Takes results of the execution back: each goes to a later run that shares it, or is deleted. The findings that it showed
 * are as if the run had never been.
 * @param ids of results; those of other executions are left alone
 * @returns the number of findings that went with them
 */
async function takeResults(tx: Transaction, run: MergedExecution, ids: readonly string[]): Promise<number> {
  const step = await enter(tx, run);
  const isOfRun = sql`id = ANY(${[...ids]}::uuid[]) AND execution_id = ${run.id}::uuid`;
  if (step === undefined) {
    await tx.query(sql`DELETE FROM test_results WHERE ${isOfRun}`);
    return 0;
  }
  const shown = await tx.query<{ id: string }>(
    sql`SELECT DISTINCT finding_id AS id FROM test_results WHERE ${isOfRun} AND finding_id IS NOT NULL`,
  );
  const findingIds = shown.map(({ id }) => id);
  if (step.after !== null) {
    await handOver(tx, step, isOfRun);
    await handToCopies(tx, step, ids);
  }
  await reopen(tx, step, sql`finding_id = ANY(${findingIds}::uuid[])`);
  await tx.query(sql`DELETE FROM test_results WHERE ${isOfRun}`);
  const lost = await tx.query<{ id: string }>(sql`
    DELETE FROM findings WHERE id = ANY(${findingIds}::uuid[])
      AND NOT EXISTS (SELECT FROM test_results WHERE finding_id = findings.id) RETURNING id`);
  await followNewest(tx, step, findingIds);
  return lost.length;
}

/**
 * Opens what the run closed without seeing it otherwise; to be called after {@link takeResults} for all results.
 * @param after undefined for the first rows
 * @param limit rows at most; undefined for all
 * @returns the last of the rows; undefined when there is none left
 */
async function takeClosed(
  tx: Transaction,
  run: MergedExecution,
  after?: ClosedRow,
  limit?: number,
): Promise<ClosedRow | undefined> {
  const step = await enter(tx, run);
  if (step === undefined) return undefined;
  const closed = await tx.query<ClosedRow & { findingId: string | null }>(sql`
    SELECT until_run AS "untilRun", id, finding_id AS "findingId" FROM test_results
    WHERE ${isClosedBy(step)}
      AND (until_run, id) > (${after?.untilRun ?? -1}::int, ${after?.id ?? run.id}::uuid)
    ORDER BY until_run, id LIMIT ${limit ?? null}::int`);
  if (closed.length === 0) return undefined;
  await reopen(tx, step, sql`id = ANY(${closed.map(({ id }) => id)}::uuid[])`);
  await followNewest(tx, step, [...new Set(closed.flatMap(({ findingId }) => findingId ?? []))]);
  return closed.at(-1);
}

/** Locks the series as a merge does, and has results that are matched meanwhile matched again. */
async function enter(
  tx: Transaction,
  { id, scanBranchId, runNumber }: MergedExecution,
): Promise<Step | undefined> {
  if (scanBranchId === null || runNumber === null) return undefined;
  const runs = sql`FROM test_executions WHERE scan_branch_id = branch.id AND project_id = scan_series.project_id`;
  const [branch] = await tx.query<Neighbours>(sql`
    UPDATE scan_series SET version = version + 1 FROM scan_branches AS branch
    WHERE branch.id = ${scanBranchId} AND scan_series.id = branch.series_id
    RETURNING project_id AS "projectId",
      (SELECT max(run_number) ${runs} AND run_number < ${runNumber}) AS before,
      (SELECT min(run_number) ${runs} AND run_number > ${runNumber}) AS after`);
  return branch && { id, scanBranchId, runNumber, ...branch };
}

/** Results that the run closed or was the last to see; so for deleted runs between the one before and this one. */
const isClosedBy = ({ scanBranchId, before, runNumber }: Step): Sql =>
  sql`scan_branch_id = ${scanBranchId} AND until_run BETWEEN ${before ?? 0} AND ${runNumber}`;

/** Later runs of the branch that are not deleted. */
const laterRuns = ({ scanBranchId, runNumber, projectId }: Step): Sql =>
  sql`later.scan_branch_id = ${scanBranchId} AND later.run_number > ${runNumber} AND later.project_id = ${projectId}::uuid`;

/** Rows that the next run shares become that run's. */
async function handOver(tx: Transaction, step: Step, isOfRun: Sql): Promise<void> {
  await tx.query(sql`
    UPDATE test_results SET execution_id = next.id, from_run = next.run_number
    FROM (
      SELECT id, run_number FROM test_executions AS later WHERE ${laterRuns(step)} AND is_shared
      ORDER BY run_number LIMIT 1
    ) AS next
    WHERE test_results.${isOfRun} AND test_results.is_shared AND (until_run IS NULL OR until_run >= next.run_number)`);
}

/** A later run that shares no rows has copies of what it saw unchanged: these now say that the finding is present. */
async function handToCopies(tx: Transaction, step: Step, ids: readonly string[]): Promise<void> {
  const { id, scanBranchId, runNumber } = step;
  await tx.query(sql`
    UPDATE test_results SET scan_branch_id = ${scanBranchId}, from_run = copy.run_number, until_run = gone.until_run
    FROM test_results AS gone CROSS JOIN LATERAL (
      SELECT seen.id, later.run_number FROM test_executions AS later
      JOIN test_results AS seen ON seen.execution_id = later.id AND seen.finding_id = gone.finding_id
      WHERE ${laterRuns(step)} AND (gone.until_run IS NULL OR gone.until_run >= later.run_number)
        AND seen.scan_branch_id IS NULL
      ORDER BY later.run_number LIMIT 1
    ) AS copy
    WHERE gone.id = ANY(${[...ids]}::uuid[]) AND gone.execution_id = ${id}::uuid AND gone.scan_branch_id = ${scanBranchId}
      AND (gone.until_run IS NULL OR gone.until_run > ${runNumber}) AND test_results.id = copy.id`);
}

/**
 * A row that this run closed is shown until a later run closes it: one that saw the finding otherwise, or one that was whole and read
 * the file. So is what runs between the one before and this one closed, which have been deleted.
 */
async function reopen(tx: Transaction, step: Step, which: Sql): Promise<void> {
  const { scanBranchId, runNumber, before } = step;
  await tx.query(sql`
    UPDATE test_results AS result SET until_run = least(
      (SELECT min(later.from_run) FROM test_results AS later
        WHERE later.finding_id = result.finding_id AND later.scan_branch_id = ${scanBranchId} AND later.from_run > ${runNumber}),
      (SELECT min(later.run_number) FROM test_executions AS later
        WHERE ${laterRuns(step)} AND later.status = 'COMPLETED' AND NOT EXISTS (
          SELECT FROM imports WHERE imports.execution_id = later.id
            AND (incomplete <> '{}' OR result.location ->> 'path' = ANY(unread_paths))))) - 1
    WHERE ${which} AND scan_branch_id = ${scanBranchId} AND until_run BETWEEN ${before ?? 0} AND ${runNumber - 1}`);
}

/** @param isCounted which of the branch's executions, deleted ones too, keep the next run from getting their number */
async function stepBack(tx: Transaction, { scanBranchId, before }: Step, isCounted: Sql): Promise<void> {
  await tx.query(sql`
    UPDATE scan_branches SET last_run_at = run.finished_at, last_execution_id = run.id,
      last_run = (SELECT coalesce(max(run_number), 0) FROM test_executions
        WHERE scan_branch_id = ${scanBranchId} AND ${isCounted})
    FROM (SELECT 1) AS one LEFT JOIN (
      SELECT id, finished_at FROM test_executions WHERE scan_branch_id = ${scanBranchId} AND run_number = ${before}
    ) AS run ON true
    WHERE scan_branches.id = ${scanBranchId}`);
}
