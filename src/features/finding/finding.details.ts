// Reads the parts of a finding beside its own columns: its branches, its presence on one of them, and its history.
import type { TriageEvent } from '../../generated/prisma/client.js';
import type { Database, SqlRow } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';

/** A branch that has seen a finding. */
export interface FindingBranchRow {
  findingId: string;
  /** Empty for executions that name no branch. */
  name: string;
  isPresent: boolean;
  /** RFC 3339 */
  firstSeenAt: string;
  lastSeenAt: string;
}

/** An entry of a finding's history. */
export type TriageEventRow = SqlRow<TriageEvent>;

/** Entries of a history that are shown. */
export const maxHistory = 100;

/** Branches of each finding by name, in one statement. */
export async function branchesOfEach(db: Database, ids: readonly string[]): Promise<FindingBranchRow[][]> {
  const rows = await db.queryUncached<FindingBranchRow>(sql`
    SELECT result.finding_id AS "findingId", branch.name, bool_or(result.until_run IS NULL) AS "isPresent",
      min(result.created_at) AS "firstSeenAt",
      max(COALESCE(CASE WHEN result.until_run IS NULL THEN branch.last_run_at
        ELSE COALESCE(closing.finished_at, closing.created_at) END, result.created_at)) AS "lastSeenAt"
    FROM test_results AS result JOIN scan_branches AS branch ON branch.id = result.scan_branch_id
    LEFT JOIN test_executions AS closing ON closing.scan_branch_id = result.scan_branch_id
      AND closing.run_number = result.until_run
    WHERE result.finding_id = ANY(${[...ids]}::uuid[])
    GROUP BY result.finding_id, branch.id, branch.name ORDER BY branch.name`);
  return groupBy(ids, rows);
}

/** The newest entries of each finding's history, the latest first, at most 100 of each. */
export async function historyOfEach(db: Database, ids: readonly string[]): Promise<TriageEventRow[][]> {
  const rows = await db.queryUncached<TriageEventRow>(sql`
    SELECT event.* FROM unnest(${[...new Set(ids)]}::uuid[]) AS finding(id) CROSS JOIN LATERAL (
      SELECT id, finding_id AS "findingId", at, actor_id AS "actorId", actor_label AS "actorLabel", "from", "to",
        severity_from AS "severityFrom", severity_to AS "severityTo", reason, comment
      FROM triage_events WHERE finding_id = finding.id ORDER BY at DESC, id DESC LIMIT ${maxHistory}
    ) AS event`);
  return groupBy(ids, rows);
}

function groupBy<Row extends { findingId: string }>(ids: readonly string[], rows: readonly Row[]): Row[][] {
  const groups = new Map<string, Row[]>(ids.map((id) => [id, []]));
  for (const row of rows) groups.get(row.findingId)?.push(row);
  return ids.map((id) => groups.get(id) ?? []);
}
