// Counters of findings: checks them by a recount, corrects them, and adds up their changes, which a trigger on findings
// writes (docs/adr/0021).
import type { Statements } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';

/** Changes beyond which they are added up. */
const manyChanges = 1000;

/** Replaces the changes by their sums, once there are many, in one statement: readers see the one or the other. */
export async function compactCounts(tx: Pick<Statements, 'query'>, least = manyChanges): Promise<void> {
  const [many] = await tx.query<{ count: number }>(
    sql`SELECT count(*)::int AS count FROM (SELECT FROM finding_counts LIMIT ${least}) AS few`,
  );
  if ((many?.count ?? 0) < least) return;
  await tx.query(sql`
    WITH gone AS (DELETE FROM finding_counts RETURNING project_id, triage, severity, is_present, change)
    INSERT INTO finding_counts (project_id, triage, severity, is_present, change)
    SELECT project_id, triage, severity, is_present, sum(change) FROM gone GROUP BY 1, 2, 3, 4 HAVING sum(change) <> 0`);
}

/** A counter that differs from the findings. */
export interface CountFault {
  projectId: string;
  triage: string;
  severity: number;
  isPresent: boolean;
  counted: number;
  actual: number;
}

const compared = sql`compared AS (
  SELECT project_id, triage, severity, is_present, sum(counted)::int AS counted, sum(actual)::int AS actual FROM (
    SELECT project_id, triage, severity, is_present, change AS counted, 0 AS actual FROM finding_counts
    UNION ALL SELECT project_id, triage, severity, is_present, 0, 1 FROM findings
  ) AS both_sides GROUP BY 1, 2, 3, 4 HAVING sum(counted) <> sum(actual)
)`;

/**
 * Counts all findings and compares, in one statement, so that writers need not wait.
 * @param isCorrected whether differences are written as further changes, which makes the counters right
 */
export function recountFindings(tx: Pick<Statements, 'query'>, isCorrected: boolean): Promise<CountFault[]> {
  const corrected = sql`, corrected AS (
    INSERT INTO finding_counts (project_id, triage, severity, is_present, change)
    SELECT project_id, triage, severity, is_present, actual - counted FROM compared)`;
  return tx.query<CountFault>(sql`
    WITH ${compared}${isCorrected ? corrected : sql``}
    SELECT project_id AS "projectId", triage, severity, is_present AS "isPresent", counted, actual FROM compared
    ORDER BY project_id, triage, severity`);
}
