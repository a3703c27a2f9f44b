// Finds the place of events in the log: cursors, last numbers, changes since a moment. Whole events are read in event-log.ts.
import { AppError, invalid } from '../../core/errors.js';
import { idFloor, momentOf, newId } from '../../core/ids.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import { lookBackMs } from './live-feed.js';
import type { LoggedPlace } from './resumed-feed.js';
import type { Written } from './types.js';

/** Greatest age of a cursor of the feed. */
const maxResumeMs = 86_400_000;
const maxResumeEvents = 10_000;

/** The client of a cursor has every event with a smaller id. */
export function resumeFloor(cursor: string): string {
  return idFloor(momentOf(cursor).getTime() - lookBackMs);
}

/** The numbers of the last events of executions; one that is gone is absent. */
export async function lastNumbers(db: Database, ids: string[]): Promise<Map<string, number>> {
  const rows = await db.query<{ id: string; number: number }>(
    sql`SELECT id, last_event_number AS number FROM test_executions WHERE id = ANY(${ids}::uuid[])`,
  );
  return new Map(rows.map(({ id, number }) => [id, number]));
}

/** Executions with events whose id is at least this, and the numbers of the first and the last of these. */
export async function changedSince(
  db: Database,
  floor: string,
): Promise<{ executionId: string; first: number; last: number }[]> {
  return db.query(sql`
    SELECT execution_id AS "executionId", min(number) AS first, max(number) AS last FROM execution_events
    WHERE id >= ${floor}::uuid GROUP BY execution_id`);
}

/**
 * The log from shortly before a cursor on. Events of the same moment may be committed in another order than that of
 * their ids: the cursor's event knows what was committed when it was written.
 * @throws CURSOR_EXPIRED
 */
export async function placesSince(db: Database, cursor: string): Promise<LoggedPlace[]> {
  const expired = () => new AppError('CURSOR_EXPIRED');
  if (Date.now() - momentOf(cursor).getTime() > maxResumeMs) throw expired();
  const places = await db.query<LoggedPlace & { writer: string }>(sql`
    SELECT e.id, e.xmin::text AS writer, e.execution_id AS "executionId", e.number, CASE
      WHEN e.execution_id = c.execution_id THEN e.number <= c.number
      WHEN c.written_in IS NULL THEN e.id <= ${cursor}::uuid
      ELSE pg_visible_in_snapshot(
        ((pg_snapshot_xmax(c.written_in)::text::bigint >> 32 << 32) | e.xmin::text::bigint)::text::xid8, c.written_in)
      END AS "isSeen"
    FROM execution_events e LEFT JOIN execution_events c ON c.id = ${cursor}::uuid
    WHERE e.id >= ${resumeFloor(cursor)}::uuid ORDER BY e.id LIMIT ${maxResumeEvents + 1}`);
  if (places.length > maxResumeEvents) throw expired();
  return places.map((place) => ({ ...place, writer: Number(place.writer) }));
}

/** The number of the event that a cursor names. @throws VALIDATION_FAILED for another execution's */
export async function numberOf(
  db: Database,
  executionId: string,
  eventId: string | null | undefined,
): Promise<number> {
  if (eventId == null) return 0;
  const [row] = await db.query<{ number: number }>(
    sql`SELECT number FROM execution_events WHERE id = ${eventId}::uuid AND execution_id = ${executionId}::uuid`,
  );
  if (row === undefined) throw invalid('after', 'is not an event of this execution');
  return row.number;
}

/** The beginning of a stream. */
export interface Beginning {
  /**
   * Whether an event was there before. One whose id is older but whose transaction was open comes after; one whose id is
   * younger than the beginning does too, even if it was committed while the snapshot was on its way.
   */
  isAfter: (event: Written) => boolean;
}

/** Begins a stream now: every event that is made from the call on lies behind the beginning. @throws UNAVAILABLE */
export async function beginNow(db: Database): Promise<Beginning> {
  const mark = newId();
  const [row] = await db.read<{ snapshot: string }>(sql`SELECT pg_current_snapshot()::text AS snapshot`);
  const isVisible = readSnapshot((row as { snapshot: string }).snapshot);
  return { isAfter: ({ id, writer }) => id >= mark || !isVisible(writer) };
}

/**
 * Reads a snapshot of PostgreSQL.
 * @param text `xmin:xmax:xip,…`, ids of 64 bits
 * @returns whether a transaction of the last 2^31, given by its lower 32 bits, had ended in it
 */
export function readSnapshot(text: string): (writer: number) => boolean {
  const [least = 0, next = 0, ...open] = text.split(/[:,]/).map(Number);
  const isOpen = new Set(open);
  return (writer) => {
    const id = next - ((next - writer) | 0);
    return id < least || (id < next && !isOpen.has(id));
  };
}
