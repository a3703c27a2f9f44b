// When a finding is due: the days that its project allows for its severity, from when it was first seen.
import { type Sql, sql } from '../../infra/postgres/sql.js';

/**
 * The due date in SQL; null for a severity without a limit.
 * @param firstSeenAt a timestamptz
 * @param severity a rank, 0 to 4
 * @param project alias of the row in `projects`
 */
export function dueDateOf(firstSeenAt: Sql, severity: Sql, project: Sql): Sql {
  return sql`${firstSeenAt} + make_interval(days => CASE ${severity} WHEN 4 THEN ${project}.days_critical
    WHEN 3 THEN ${project}.days_high WHEN 2 THEN ${project}.days_medium WHEN 1 THEN ${project}.days_low END)`;
}
