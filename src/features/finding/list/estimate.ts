// PostgreSQL's estimate of how many findings a filter leaves, which decides how a page is found.
import type { Reads } from '../../../infra/postgres/database.js';
import { type Sql, sql, where } from '../../../infra/postgres/sql.js';

/** Findings up to which all are read and sorted; beyond it an index in the page's order is walked through. */
export const fewRows = 5000;

/** The number of findings that meet the conditions, by the planner's statistics; it reads no row. */
export async function estimateRows(db: Reads, conditions: Sql[]): Promise<number> {
  const [row] = await db.queryUncached<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(
    sql`EXPLAIN (FORMAT JSON) SELECT id FROM findings ${where(conditions)}`,
  );
  return row?.['QUERY PLAN'][0].Plan['Plan Rows'] ?? 0;
}
