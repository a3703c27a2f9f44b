// Takes a run back from the findings when its execution is deleted: rows that later runs share stay, the last run's changes are
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
 * Takes a run back within the transaction that deletes its execution; afterwards no result belongs to the execution.
 * @returns the number of findings that went with it
 */
export async function unmergeRun(tx: Transaction, run: MergedExecution): Promise<number> {
  const { id, scanBranchId, runNumber } = run;
  if (scanBranchId === null || runNumber === null) return 0;
  // Locks the series as a merge does, and has results that are matched meanwhile matched again.
  const [branch] = await tx.query<{ lastRun: number }>(sql`
    UPDATE scan_series SET version = version + 1 FROM scan_branches AS branch
    WHERE branch.id = ${scanBranchId} AND scan_series.id = branch.series_id RETURNING branch.last_run AS "lastRun"`);
  if (branch === undefined) return 0;
  await handOver(tx, { id, scanBranchId, runNumber });
  if (branch.lastRun === runNumber) await reopen(tx, scanBranchId, runNumber);
  return removeResults(tx, id);
}

interface Run {
  id: string;
  scanBranchId: number;
  runNumber: number;
}

/** Rows that the next run shares become that run's. */
async function handOver(tx: Transaction, { id, scanBranchId, runNumber }: Run): Promise<void> {
  await tx.query(sql`
    UPDATE test_results SET execution_id = later.id, from_run = later.run_number
    FROM (
      SELECT id, run_number FROM test_executions
      WHERE scan_branch_id = ${scanBranchId} AND run_number > ${runNumber} AND is_shared ORDER BY run_number LIMIT 1
    ) AS later
    WHERE execution_id = ${id}::uuid AND test_results.is_shared
      AND (until_run IS NULL OR until_run >= later.run_number)`);
}

/** What the last run closed is shown again; the branch's last run is the one before. */
async function reopen(tx: Transaction, branchId: number, runNumber: number): Promise<void> {
  await tx.query(sql`
    UPDATE scan_branches SET last_run = ${runNumber - 1}, last_run_at = before.finished_at, last_execution_id = before.id
    FROM (SELECT 1) AS one LEFT JOIN LATERAL (
      SELECT id, finished_at FROM test_executions
      WHERE scan_branch_id = ${branchId} AND run_number < ${runNumber} ORDER BY run_number DESC LIMIT 1
    ) AS before ON true
    WHERE scan_branches.id = ${branchId}`);
  await tx.query(sql`
    WITH opened AS (
      UPDATE test_results SET until_run = NULL
      WHERE scan_branch_id = ${branchId} AND until_run = ${runNumber - 1} RETURNING finding_id
    )
    UPDATE findings SET is_present = true, last_seen_at = NULL, last_seen_in_id = NULL,
      turned_at = ${turnOf(sql`findings`, sql`triage IN ('OPEN', 'CONFIRMED')`, sql`now()`)}
    WHERE id IN (SELECT finding_id FROM opened) AND NOT is_present
      AND (SELECT is_default FROM scan_branches WHERE id = ${branchId})`);
}

async function removeResults(tx: Transaction, executionId: string): Promise<number> {
  const [row] = await tx.query<{ gone: string[] }>(sql`
    WITH removed AS (DELETE FROM test_results WHERE execution_id = ${executionId}::uuid RETURNING finding_id)
    SELECT array_agg(DISTINCT finding_id) AS gone FROM removed WHERE finding_id IS NOT NULL`);
  const touched = row?.gone ?? [];
  if (touched.length === 0) return 0;
  const lost = await tx.query<{ id: string }>(sql`
    DELETE FROM findings WHERE id = ANY(${touched}::uuid[])
      AND NOT EXISTS (SELECT FROM test_results WHERE finding_id = findings.id) RETURNING id`);
  await tx.query(sql`
    UPDATE findings SET result_id = newest.id, title = newest.title, rule_id = newest.rule_id, cwe_ids = newest.cwe_ids,
      cve_ids = newest.cve_ids, reported_severity = newest.severity,
      severity = coalesce(findings.severity_override, newest.severity), is_present = newest.is_shown,
      last_seen_at = CASE WHEN newest.is_shown THEN NULL ELSE coalesce(findings.last_seen_at, newest.created_at) END,
      turned_at = ${turnOf(sql`findings`, sql`findings.triage IN ('OPEN', 'CONFIRMED') AND findings.is_present <> newest.is_shown`, sql`now()`)}
    FROM unnest(${touched}::uuid[]) AS touched(id) CROSS JOIN LATERAL (
      SELECT result.*, EXISTS (
        SELECT FROM test_results AS shown JOIN scan_branches AS branch ON branch.id = shown.scan_branch_id
        WHERE shown.finding_id = touched.id AND shown.until_run IS NULL AND branch.is_default) AS is_shown
      FROM test_results AS result WHERE finding_id = touched.id ORDER BY id DESC LIMIT 1
    ) AS newest
    WHERE findings.id = touched.id`);
  return lost.length;
}
