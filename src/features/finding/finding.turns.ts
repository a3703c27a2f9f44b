// When a finding turns: it opens or closes, and `turned_at` says when. A trigger on findings counts turns for statistics
// (docs/adr/0021); a statement that does not set the time has it counted as of now.
import { type Sql, sql } from '../../infra/postgres/sql.js';

/**
 * The value of `turned_at` after a change.
 * @param finding alias of the row in `findings`
 * @param isTurn whether the change opens or closes the finding
 * @param at a timestamptz
 */
export function turnOf(finding: Sql, isTurn: Sql, at: Sql): Sql {
  return sql`CASE WHEN ${isTurn} THEN ${at} ELSE ${finding}.turned_at END`;
}
