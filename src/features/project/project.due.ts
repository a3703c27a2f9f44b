// Sets when open findings are due, after a project's limits have changed. New findings get theirs when they are imported.
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';

/** Days that a finding of a severity's rank may stay open; null for no limit. */
export type DaysByRank = ReadonlyMap<number, number | null>;

/** Findings of one statement: so many are changed well within the time that a statement may take. */
const batch = 20_000;

/** States in which a finding waits for something, and so can be due. */
const openStates = ['OPEN', 'CONFIRMED'] as const;

interface Position {
  firstSeenAt: string;
  id: string;
}

/** Sets `due_at` of the findings of a project that are present and open, severity by severity. */
export async function setDueDates(tx: Transaction, projectId: string, days: DaysByRank): Promise<void> {
  for (const [rank, limit] of days) {
    for (const state of openStates) {
      let after: Position | undefined = {
        firstSeenAt: '-infinity',
        id: '00000000-0000-0000-0000-000000000000',
      };
      while (after !== undefined) after = await setBatch(tx, { projectId, rank, limit, state }, after);
    }
  }
}

interface Due {
  projectId: string;
  rank: number;
  limit: number | null;
  state: (typeof openStates)[number];
}

/** In the order of the index on project, triage and severity. @returns the last finding of the batch; undefined when there was none */
async function setBatch(
  tx: Transaction,
  { projectId, rank, limit, state }: Due,
  after: Position,
): Promise<Position | undefined> {
  const [row] = await tx.query<Position>(sql`
    WITH batch AS (
      SELECT id, first_seen_at FROM findings
      WHERE project_id = ${projectId}::uuid AND is_present AND triage = ${state}::triage_state
        AND severity = ${rank}::smallint AND (first_seen_at, id) > (${after.firstSeenAt}::timestamptz, ${after.id}::uuid)
      ORDER BY first_seen_at, id LIMIT ${batch}
    ), changed AS (
      UPDATE findings AS finding SET due_at = finding.first_seen_at + make_interval(days => ${limit}::int)
      FROM batch WHERE finding.id = batch.id
        AND finding.due_at IS DISTINCT FROM finding.first_seen_at + make_interval(days => ${limit}::int)
    )
    SELECT first_seen_at AS "firstSeenAt", id FROM batch ORDER BY batch.first_seen_at DESC, batch.id DESC LIMIT 1`);
  return row;
}
