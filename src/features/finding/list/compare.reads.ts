// Reads what a run has of another run's findings: pages and exact counts of new, fixed, unchanged and reopened ones.
import { encodeCursor, type Page, type PageArgs, parsePage, toPage } from '../../../core/pagination.js';
import type { Database } from '../../../infra/postgres/database.js';
import { type Sql, sql, type Wanted, where } from '../../../infra/postgres/sql.js';
import { type FindingRow, selectionOf } from '../finding.rows.js';
import { candidateColumns, candidateOrder, cursorKeyOf, isCursorKey, planOf } from './order.js';
import { boundsOf } from './page.js';
import { type RunRow, rowsOfRun } from './run-rows.js';

/** The parts of a comparison. */
export type Part = 'new' | 'fixed' | 'unchanged' | 'reopened';

/** Two runs of one target whose results have met the findings. */
export interface ComparedRuns {
  base: RunRow;
  head: RunRow;
}

const idsOf = (run: RunRow) =>
  sql`SELECT finding_id FROM (${rowsOfRun(run)}) AS seen WHERE finding_id IS NOT NULL`;

/** Whether a run of the base's branch before the base saw the finding. */
function isSeenBefore({ scanBranchId, runNumber }: RunRow, findingId: Sql): Sql {
  return sql`EXISTS (SELECT FROM test_results AS was WHERE was.finding_id = ${findingId}
    AND was.scan_branch_id = ${scanBranchId}::int AND was.from_run < ${runNumber}::int)`;
}

/** Conditions on findings that leave the part. */
function conditionsOf(part: Part, { base, head }: ComparedRuns): Sql[] {
  switch (part) {
    case 'fixed':
      return [sql`id IN (${idsOf(base)} EXCEPT ${idsOf(head)})`];
    case 'unchanged':
      return [sql`id IN (${idsOf(base)} INTERSECT ${idsOf(head)})`];
    case 'reopened':
      return [sql`id IN (${idsOf(head)} EXCEPT ${idsOf(base)})`, isSeenBefore(base, sql`findings.id`)];
    case 'new':
      return [
        sql`id IN (${idsOf(head)} EXCEPT ${idsOf(base)})`,
        sql`NOT ${isSeenBefore(base, sql`findings.id`)}`,
      ];
  }
}

/** One keyset page of a part, the worst first. Arguments and errors as {@link listWorst}. */
export function listPart(
  db: Database,
  runs: ComparedRuns,
  part: Part,
  args: PageArgs,
  wanted: Wanted,
  total: () => Promise<number>,
): Promise<Page<FindingRow>> {
  return listWorst(db, conditionsOf(part, runs), args, wanted, total);
}

/**
 * One keyset page of the findings that meet conditions, the worst first.
 * @param conditions on the table findings, without an alias
 * @param total the number of all of them
 * @throws VALIDATION_FAILED for page arguments out of range or cursors of another order
 */
async function listWorst(
  db: Database,
  conditions: Sql[],
  args: PageArgs,
  { columns: wanted }: Wanted,
  total: () => Promise<number>,
): Promise<Page<FindingRow>> {
  const plan = planOf({ field: 'SEVERITY', direction: 'DESC' });
  const request = parsePage(args, plan.name, isCursorKey(plan));
  const keyOf = cursorKeyOf(plan);
  const isDescending = plan.isDescending !== request.isBackward;
  const { columns, joins } = selectionOf(wanted);
  const rows = await db.queryUncached<FindingRow>(sql`
    SELECT ${columns} FROM (
      SELECT ${candidateColumns(plan)} FROM findings ${where([...conditions, ...boundsOf(plan, request)])}
      ORDER BY ${candidateOrder(plan, isDescending)} LIMIT ${request.limit + 1}
    ) AS candidate JOIN findings AS finding ON finding.id = candidate.id
    ${joins} ORDER BY ${candidateOrder(plan, isDescending, 'candidate.')}`);
  return toPage(request, rows, (row) => encodeCursor(plan.name, { id: row.id, key: keyOf(row) }), total);
}

/** Reads a page of the findings that meet conditions, with their number. Arguments and errors as {@link listWorst}. */
export function listWhere(
  db: Database,
  conditions: Sql[],
  args: PageArgs,
  wanted: Wanted,
): Promise<Page<FindingRow>> {
  return listWorst(db, conditions, args, wanted, () => countOf(db, conditions));
}

async function countOf(db: Database, conditions: Sql[]): Promise<number> {
  const [row] = await db.queryUncached<{ count: number }>(
    sql`SELECT count(*)::int AS count FROM findings ${where(conditions)}`,
  );
  return row?.count ?? 0;
}

/** Counts all parts in one statement. */
export async function countParts(db: Database, { base, head }: ComparedRuns): Promise<Record<Part, number>> {
  const before = isSeenBefore(base, sql`both_runs.finding_id`);
  const [counts] = await db.queryUncached<Record<Part, number>>(sql`
    SELECT count(*) FILTER (WHERE in_base AND in_head)::int AS unchanged,
      count(*) FILTER (WHERE NOT in_head)::int AS fixed,
      count(*) FILTER (WHERE NOT in_base AND NOT is_known)::int AS new,
      count(*) FILTER (WHERE NOT in_base AND is_known)::int AS reopened
    FROM (
      SELECT in_base, in_head, CASE WHEN NOT in_base THEN ${before} END AS is_known FROM (
        SELECT finding_id, bool_or(is_base) AS in_base, bool_or(NOT is_base) AS in_head FROM (
          SELECT finding_id, true AS is_base FROM (${idsOf(base)}) AS of_base
          UNION ALL SELECT finding_id, false FROM (${idsOf(head)}) AS of_head
        ) AS sightings GROUP BY finding_id
      ) AS both_runs
    ) AS judged`);
  return counts ?? { new: 0, fixed: 0, unchanged: 0, reopened: 0 };
}
