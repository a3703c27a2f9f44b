// Takes a run back from the findings when its execution is deleted: rows that later runs share stay, what it alone changed is
// undone, and findings that no other run has seen are deleted.
import type { Transaction } from '../../../infra/postgres/database.js';
import { sql } from '../../../infra/postgres/sql.js';
import { turnOf } from '../finding.turns.js';

/** A run of a branch. */
export interface MergedExecution {
  id: string;
  scanBranchId: number | null;
  runNumber: number | null;
}

/** Takes runs back. */
export type UnmergeRun = typeof unmergeRun;

/**
 * Takes a run back within the transaction that deletes its execution; afterwards no result belongs to the execution, and the
 * branch shows what its other runs saw.
 * @returns the number of findings that went with it
 */
export async function unmergeRun(tx: Transaction, run: MergedExecution): Promise<number> {
  const { id, scanBranchId, runNumber } = run;
  if (scanBranchId === null || runNumber === null) return 0;
  // Locks the series as a merge does, and has results that are matched meanwhile matched again.
  const [branch] = await tx.query<Neighbours>(sql`
    UPDATE scan_series SET version = version + 1 FROM scan_branches AS branch
    WHERE branch.id = ${scanBranchId} AND scan_series.id = branch.series_id
    RETURNING (SELECT max(run_number) FROM test_executions WHERE scan_branch_id = branch.id AND run_number < ${runNumber}) AS before,
      (SELECT min(run_number) FROM test_executions WHERE scan_branch_id = branch.id AND run_number > ${runNumber}) AS after`);
  if (branch === undefined) return 0;
  const step = { id, scanBranchId, runNumber, ...branch };
  if (branch.after !== null) {
    await handOver(tx, step);
    await handToCopies(tx, step);
  }
  const closed = await reopen(tx, step);
  if (branch.after === null) await stepBack(tx, step);
  return removeResults(tx, step, closed);
}

/** Numbers of the branch's runs before and after the one that goes; null where there is none. */
interface Neighbours {
  before: number | null;
  after: number | null;
}

interface Step extends Neighbours {
  id: string;
  scanBranchId: number;
  runNumber: number;
}

/** Rows that the next run shares become that run's. */
async function handOver(tx: Transaction, { id, scanBranchId, runNumber }: Step): Promise<void> {
  await tx.query(sql`
    UPDATE test_results SET execution_id = later.id, from_run = later.run_number
    FROM (
      SELECT id, run_number FROM test_executions
      WHERE scan_branch_id = ${scanBranchId} AND run_number > ${runNumber} AND is_shared ORDER BY run_number LIMIT 1
    ) AS later
    WHERE execution_id = ${id}::uuid AND test_results.is_shared
      AND (until_run IS NULL OR until_run >= later.run_number)`);
}

/** A later run that shares no rows has copies of what it saw unchanged: these now say that the finding is present. */
async function handToCopies(tx: Transaction, { id, scanBranchId, runNumber }: Step): Promise<void> {
  await tx.query(sql`
    UPDATE test_results SET scan_branch_id = ${scanBranchId}, from_run = copy.run_number, until_run = gone.until_run
    FROM test_results AS gone CROSS JOIN LATERAL (
      SELECT seen.id, later.run_number FROM test_executions AS later
      JOIN test_results AS seen ON seen.execution_id = later.id AND seen.finding_id = gone.finding_id
      WHERE later.scan_branch_id = ${scanBranchId} AND later.run_number > ${runNumber}
        AND (gone.until_run IS NULL OR gone.until_run >= later.run_number) AND seen.scan_branch_id IS NULL
      ORDER BY later.run_number LIMIT 1
    ) AS copy
    WHERE gone.execution_id = ${id}::uuid AND gone.scan_branch_id = ${scanBranchId}
      AND (gone.until_run IS NULL OR gone.until_run > ${runNumber}) AND test_results.id = copy.id`);
}

/**
 * What this run closed is shown until a later run closes it: one that saw the finding otherwise, or that was whole. So is what
 * runs between the one before and this one closed, which have been deleted.
 * @returns the findings that the run closed or was the last to see
 */
async function reopen(tx: Transaction, { scanBranchId, runNumber, before }: Step): Promise<string[]> {
  const [row] = await tx.query<{ ids: string[] | null }>(sql`
    WITH closed AS (
      SELECT id, finding_id, until_run FROM test_results
      WHERE scan_branch_id = ${scanBranchId} AND until_run BETWEEN ${before ?? 0} AND ${runNumber}
    ), opened AS (
      UPDATE test_results SET until_run = least(
        (SELECT min(later.from_run) FROM test_results AS later
          WHERE later.finding_id = closed.finding_id AND later.scan_branch_id = ${scanBranchId} AND later.from_run > ${runNumber}),
        (SELECT min(run_number) FROM test_executions
          WHERE scan_branch_id = ${scanBranchId} AND run_number > ${runNumber} AND status = 'COMPLETED')) - 1
      FROM closed WHERE test_results.id = closed.id AND closed.until_run < ${runNumber}
    )
    SELECT array_agg(DISTINCT finding_id) AS ids FROM closed WHERE finding_id IS NOT NULL`);
  return row?.ids ?? [];
}

/** The branch's last run is the one before. */
async function stepBack(tx: Transaction, { scanBranchId, before }: Step): Promise<void> {
  await tx.query(sql`
    UPDATE scan_branches SET last_run = ${before ?? 0}, last_run_at = run.finished_at, last_execution_id = run.id
    FROM (SELECT 1) AS one LEFT JOIN (
      SELECT id, finished_at FROM test_executions WHERE scan_branch_id = ${scanBranchId} AND run_number = ${before}
    ) AS run ON true
    WHERE scan_branches.id = ${scanBranchId}`);
}

async function removeResults(tx: Transaction, { id }: Step, closed: readonly string[]): Promise<number> {
  const [row] = await tx.query<{ gone: string[] | null }>(sql`
    WITH removed AS (DELETE FROM test_results WHERE execution_id = ${id}::uuid RETURNING finding_id)
    SELECT array_agg(DISTINCT finding_id) AS gone FROM removed WHERE finding_id IS NOT NULL`);
  const gone = row?.gone ?? [];
  const touched = [...new Set([...gone, ...closed])];
  if (touched.length === 0) return 0;
  const lost = await tx.query<{ id: string }>(sql`
    DELETE FROM findings WHERE id = ANY(${gone}::uuid[])
      AND NOT EXISTS (SELECT FROM test_results WHERE finding_id = findings.id) RETURNING id`);
  await follow(tx, id, touched);
  return lost.length;
}

/** Findings follow the newest of their remaining results, first of all one that a default branch shows. */
async function follow(tx: Transaction, executionId: string, findingIds: readonly string[]): Promise<void> {
  await tx.query(sql`
    UPDATE findings SET result_id = newest.id, title = newest.title, rule_id = newest.rule_id, cwe_ids = newest.cwe_ids,
      cve_ids = newest.cve_ids, reported_severity = newest.severity,
      severity = coalesce(findings.severity_override, newest.severity), is_present = newest.is_shown,
      last_seen_at = CASE WHEN NOT newest.is_shown THEN coalesce(seen.finished_at, findings.last_seen_at) END,
      last_seen_in_id = CASE WHEN NOT newest.is_shown THEN seen.id END,
      turned_at = ${turnOf(sql`findings`, sql`findings.triage IN ('OPEN', 'CONFIRMED') AND findings.is_present <> newest.is_shown`, sql`now()`)}
    FROM unnest(${[...findingIds]}::uuid[]) AS touched(id) CROSS JOIN LATERAL (
      SELECT result.*, coalesce(result.until_run IS NULL AND branch.is_default, false) AS is_shown
      FROM test_results AS result LEFT JOIN scan_branches AS branch ON branch.id = result.scan_branch_id
      WHERE result.finding_id = touched.id ORDER BY is_shown DESC, result.id DESC LIMIT 1
    ) AS newest LEFT JOIN LATERAL (
      SELECT run.id, run.finished_at FROM test_results AS result
      JOIN scan_branches AS branch ON branch.id = result.scan_branch_id AND branch.is_default
      JOIN test_executions AS run ON run.scan_branch_id = branch.id AND run.id <> ${executionId}::uuid
        AND run.run_number BETWEEN result.from_run AND result.until_run
      WHERE result.finding_id = touched.id ORDER BY run.finished_at DESC LIMIT 1
    ) AS seen ON NOT newest.is_shown
    WHERE findings.id = touched.id`);
}
