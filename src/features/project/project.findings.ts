// Applies a change of a project to its findings: their due dates, and their presence on the default branch.
import type { Transaction } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';

/** Rank of a severity → days that its findings may stay open; null for no limit. */
export type DaysByRank = ReadonlyMap<number, number | null>;

/** Findings of one statement: so many are changed well within the time that a statement may take. */
const batchSize = 20_000;
const firstId = '00000000-0000-0000-0000-000000000000';

/** Sets `due_at` of the findings of a project that are present and open, severity by severity. */
export async function setDueDates(tx: Transaction, projectId: string, days: DaysByRank): Promise<void> {
  for (const [rank, limit] of days) {
    const due = sql`finding.first_seen_at + make_interval(days => ${limit}::int)`;
    const isOfRank = sql`is_present AND severity = ${rank}::smallint`;
    await inBatches(
      tx,
      projectId,
      isOfRank,
      sql`UPDATE findings AS finding SET due_at = ${due} FROM batch
        WHERE finding.id = batch.id AND finding.triage IN ('OPEN', 'CONFIRMED') AND finding.due_at IS DISTINCT FROM ${due}`,
    );
  }
}

/**
 * Lets the presence of findings follow the project's default branch, which has changed. Runs that were matched with the
 * findings before match again, as the versions of their series rise.
 */
export async function followDefaultBranch(tx: Transaction, projectId: string): Promise<void> {
  await tx.query(sql`UPDATE scan_series SET version = version + 1 WHERE project_id = ${projectId}::uuid`);
  const changed = await tx.query(sql`
    UPDATE scan_branches AS branch SET is_default = NOT is_default
    FROM scan_series AS series JOIN projects AS project ON project.id = series.project_id
    WHERE series.id = branch.series_id AND project.id = ${projectId}::uuid AND branch.is_default <> (
      branch.name IN ('', coalesce(project.default_branch, '')) OR (project.default_branch IS NULL AND branch.id = (
        SELECT min(id) FROM scan_branches AS other WHERE other.series_id = branch.series_id AND other.name <> '')))
    RETURNING branch.id`);
  if (changed.length === 0) return;
  const shown = sql`
    SELECT branch.is_default, branch.last_run_at, branch.last_execution_id FROM test_results AS result
    JOIN scan_branches AS branch ON branch.id = result.scan_branch_id
    WHERE result.finding_id = batch.id AND result.until_run IS NULL
    ORDER BY branch.is_default DESC, branch.last_run_at DESC LIMIT 1`;
  await inBatches(
    tx,
    projectId,
    sql`true`,
    sql`UPDATE findings AS finding SET is_present = seen.is_default,
        last_seen_at = CASE WHEN NOT seen.is_default THEN seen.last_run_at END,
        last_seen_in_id = CASE WHEN NOT seen.is_default THEN seen.last_execution_id END,
        turned_at = CASE WHEN finding.triage IN ('OPEN', 'CONFIRMED') THEN now() ELSE finding.turned_at END
      FROM batch CROSS JOIN LATERAL (${shown}) AS seen
      WHERE finding.id = batch.id AND finding.is_present <> seen.is_default`,
  );
}

/** Runs an update of the findings in `batch` until all of the project have been in one. */
async function inBatches(tx: Transaction, projectId: string, condition: Sql, update: Sql): Promise<void> {
  for (let after: string | undefined = firstId; after !== undefined; ) {
    const [row]: { last: string | null }[] = await tx.query(sql`
      WITH batch AS (
        SELECT id FROM findings WHERE project_id = ${projectId}::uuid AND id > ${after}::uuid AND ${condition}
        ORDER BY id LIMIT ${batchSize}
      ), changed AS (${update})
      SELECT (SELECT id FROM batch ORDER BY id DESC LIMIT 1) AS last`);
    after = row?.last ?? undefined;
  }
}
