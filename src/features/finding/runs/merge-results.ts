// Merges the rows of a staged run: rows of the branch end, and results of the run begin.
import type { Transaction } from '../../../infra/postgres/database.js';
import { sql } from '../../../infra/postgres/sql.js';
import { searchedText } from '../../../infra/postgres/stored-texts.js';
import { turnOf } from '../finding.turns.js';
import { isPartial, matchOfStaged, newIdAt, type Step, staged } from './staged-run.js';

/** Ends the rows of the branch that this run saw otherwise or not at all. @returns the number of findings absent from now on */
export async function closeResults(tx: Transaction, step: Step): Promise<number> {
  const { branchId, run, isComplete, unreadPaths, isDefault, at, lastRunAt, lastExecutionId } = step;
  if (run === 1) return 0;
  const matched = sql`SELECT finding_id FROM ${staged(sql`staged_matches`, step)}`;
  const unread = sql`coalesce(location ->> 'path' = ANY(${[...unreadPaths]}::text[]), false)`;
  const [row] = await tx.query<{ absent: number }>(sql`
    WITH closed AS (
      UPDATE test_results AS result SET until_run = ${run - 1}
      WHERE scan_branch_id = ${branchId} AND until_run IS NULL
        AND id NOT IN (SELECT result_id FROM ${staged(sql`staged_sightings`, step)})
        AND (finding_id IN (${matched}) OR (${isComplete} AND NOT ${unread}))
      RETURNING finding_id
    ), absent AS (SELECT DISTINCT finding_id FROM closed WHERE finding_id NOT IN (${matched})), updated AS (
      UPDATE findings SET is_present = false, last_seen_at = ${lastRunAt}::timestamptz, last_seen_in_id = ${lastExecutionId}::uuid,
        turned_at = ${turnOf(sql`findings`, sql`triage IN ('OPEN', 'CONFIRMED')`, sql`${at}::timestamptz`)}
      FROM absent WHERE findings.id = absent.finding_id AND ${isDefault} AND is_present AND (
        SELECT other.id FROM test_results AS other JOIN scan_branches AS branch ON branch.id = other.scan_branch_id
        WHERE other.finding_id = findings.id AND other.until_run IS NULL AND branch.is_default AND branch.id <> ${branchId}
        LIMIT 1) IS NULL -- NOT EXISTS becomes a join, which reads all that any branch shows
    )
    SELECT count(*)::int AS absent FROM absent`);
  return row?.absent ?? 0;
}

const resultColumns = sql`title, description, severity, rule_id, cwe_ids, cve_ids, vulnerability_ids, cvss_vector, cvss_score,
  location, evidence, remediation, "references", tags, fingerprint`;
const textOf = sql`(SELECT id FROM result_texts WHERE digest = staged.text_key)`;

/** 0 NEW, 1 UNCHANGED, 2 REOPENED: known here, but not shown by the run before. */
const deltaOf = ({ branchId, run }: Step) => sql`CASE
  WHEN done.finding_id IS NULL THEN 0
  WHEN EXISTS (SELECT FROM test_results AS was WHERE was.finding_id = done.finding_id AND was.scan_branch_id = ${branchId}
    AND was.until_run >= ${run - 1} AND was.from_run < ${run}) THEN 1
  WHEN EXISTS (SELECT FROM test_results AS was WHERE was.finding_id = done.finding_id AND was.scan_branch_id = ${branchId}
    AND was.until_run IS NULL AND was.from_run < ${run}) THEN 1
  WHEN EXISTS (SELECT FROM test_results AS was WHERE was.finding_id = done.finding_id AND was.scan_branch_id = ${branchId}
    AND was.from_run < ${run}) THEN 2
  ELSE 1 END`;

/** The staged rows become results. @returns how many were added, and how many of their findings were reopened */
export async function insertResults(
  tx: Transaction,
  step: Step,
): Promise<{ added: number; reopened: number }> {
  const { importId, executionId, branchId, run, at } = step;
  const [row] = await tx.query<{ added: number; reopened: number }>(sql`
    WITH added AS (
      INSERT INTO test_results (id, execution_id, ${resultColumns}, text_id, content_key, shared_key, search_text, created_at,
        finding_id, scan_branch_id, from_run, delta, is_shared)
      SELECT staged.result_id, ${executionId}::uuid, ${resultColumns}, ${textOf},
        ${isPartial(step) ? sql`content_key, NULL, ${searchedText('staged')}` : sql`NULL, content_key, ''`}, ${at}::timestamptz,
        coalesce(done.finding_id, staged.result_id), ${branchId}, ${run}, ${deltaOf(step)}, ${!isPartial(step)}
      FROM staged_results AS staged LEFT JOIN LATERAL (${matchOfStaged}) AS done ON true
      WHERE staged.import_id = ${importId}::uuid ORDER BY staged.severity, staged.position
      RETURNING delta
    )
    SELECT count(*)::int AS added, count(*) FILTER (WHERE delta = 2)::int AS reopened FROM added`);
  return row ?? { added: 0, reopened: 0 };
}

/** Own rows for what the branch shows already; they say nothing of presence, so they belong to no branch. */
export async function copySightings(tx: Transaction, step: Step): Promise<void> {
  const { importId, executionId, at } = step;
  await tx.query(sql`
    INSERT INTO test_results (id, execution_id, ${resultColumns}, text_id, content_key, search_text, created_at, finding_id, delta)
    SELECT ${newIdAt(at)}, ${executionId}::uuid, ${resultColumns}, text_id, coalesce(content_key, shared_key), folded,
      ${at}::timestamptz, finding_id, 1
    FROM (
      SELECT result.*, ${searchedText('found')} AS folded, seen.position
      FROM staged_sightings AS seen JOIN test_results AS result ON result.id = seen.result_id
      JOIN findings AS found ON found.id = seen.finding_id
      WHERE seen.import_id = ${importId}::uuid
    ) AS sighted ORDER BY position`);
}

/** The execution's own results become the rows that the branch shows. @returns as above */
export async function adoptResults(
  tx: Transaction,
  step: Step,
): Promise<{ added: number; reopened: number }> {
  const { importId, branchId, run } = step;
  const [row] = await tx.query<{ added: number; reopened: number }>(sql`
    WITH adopted AS (
      UPDATE test_results AS result SET finding_id = coalesce(done.finding_id, staged.result_id), scan_branch_id = ${branchId},
        from_run = ${run}, delta = ${deltaOf(step)}
      FROM staged_results AS staged LEFT JOIN LATERAL (${matchOfStaged}) AS done ON true
      WHERE staged.import_id = ${importId}::uuid AND result.id = staged.result_id
      RETURNING result.delta
    )
    SELECT count(*)::int AS added, count(*) FILTER (WHERE delta = 2)::int AS reopened FROM adopted`);
  return row ?? { added: 0, reopened: 0 };
}
