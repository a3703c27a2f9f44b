// Reads pages of the findings that meet conditions of another feature, such as a gate, with the worst first.
import { encodeCursor, type Page, type PageArgs, parsePage, toPage } from '../../../core/pagination.js';
import type { Database } from '../../../infra/postgres/database.js';
import { type Sql, sql, type Wanted, where } from '../../../infra/postgres/sql.js';
import { type FindingRow, selectionOf } from '../finding.rows.js';
import { candidateColumns, candidateOrder, cursorKeyOf, isCursorKey, planOf } from './order.js';
import { boundsOf } from './page.js';

/**
 * One keyset page of the findings that meet conditions, the worst first, with their number.
 * @param conditions on the table findings, without an alias
 * @throws VALIDATION_FAILED for page arguments out of range or cursors of another order
 */
export async function listWhere(
  db: Database,
  conditions: Sql[],
  args: PageArgs,
  { columns: wanted, hasRows }: Wanted,
): Promise<Page<FindingRow>> {
  const plan = planOf({ field: 'SEVERITY', direction: 'DESC' });
  const request = parsePage(args, plan.name, isCursorKey(plan));
  const keyOf = cursorKeyOf(plan);
  const isDescending = plan.isDescending !== request.isBackward;
  const { columns, joins } = selectionOf(wanted);
  const rows =
    hasRows === false
      ? []
      : await db.queryUncached<FindingRow>(sql`
    SELECT ${columns} FROM (
      SELECT ${candidateColumns(plan)} FROM findings ${where([...conditions, ...boundsOf(plan, request)])}
      ORDER BY ${candidateOrder(plan, isDescending)} LIMIT ${request.limit + 1}
    ) AS candidate JOIN findings AS finding ON finding.id = candidate.id
    ${joins} ORDER BY ${candidateOrder(plan, isDescending, 'candidate.')}`);
  const cursorOf = (row: FindingRow) => encodeCursor(plan.name, { id: row.id, key: keyOf(row) });
  return toPage(request, rows, cursorOf, () => countOf(db, conditions));
}

async function countOf(db: Database, conditions: Sql[]): Promise<number> {
  const [row] = await db.queryUncached<{ count: number }>(
    sql`SELECT count(*)::int AS count FROM findings ${where(conditions)}`,
  );
  return row?.count ?? 0;
}
