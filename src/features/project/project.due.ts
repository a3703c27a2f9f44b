// Sets when open findings are due, after a project's limits have changed. New findings get theirs when they are imported.
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';

/** Days that a finding of a severity's rank may stay open; null for no limit. */
export type DaysByRank = ReadonlyMap<number, number | null>;

/** Findings of one statement: so many are changed well within the time that a statement may take. */
const batch = 20_000;

/** Sets `due_at` of the findings of a project that are present and open, severity by severity. */
export async function setDueDates(tx: Transaction, projectId: string, days: DaysByRank): Promise<void> {
  for (const [rank, limit] of days) {
    let after: string | undefined = '00000000-0000-0000-0000-000000000000';
    while (after !== undefined) after = await setBatch(tx, projectId, rank, limit, after);
  }
}

/** @returns the last finding of the batch; undefined when there was none */
async function setBatch(
  tx: Transaction,
  projectId: string,
  rank: number,
  limit: number | null,
  after: string,
): Promise<string | undefined> {
  const [row] = await tx.query<{ last: string | null }>(sql`
    WITH batch AS (
      SELECT id FROM findings
      WHERE project_id = ${projectId}::uuid AND is_present AND severity = ${rank}::smallint AND id > ${after}::uuid
      ORDER BY id LIMIT ${batch}
    ), changed AS (
      UPDATE findings AS finding SET due_at = finding.first_seen_at + make_interval(days => ${limit}::int)
      FROM batch WHERE finding.id = batch.id AND finding.triage IN ('OPEN', 'CONFIRMED')
        AND finding.due_at IS DISTINCT FROM finding.first_seen_at + make_interval(days => ${limit}::int)
    )
    SELECT (SELECT id FROM batch ORDER BY id DESC LIMIT 1) AS last`);
  return row?.last ?? undefined;
}
