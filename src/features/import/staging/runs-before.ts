// Makes an import wait until earlier runs have met the findings: otherwise they would close findings that only the import saw.
import type { Logger } from 'pino';
import type { Database } from '../../../infra/postgres/database.js';
import { sql } from '../../../infra/postgres/sql.js';

const pollMs = 250;
/** Time without progress after which the import goes on: one of the runs before it cannot be settled. */
const patienceMs = 60_000;

/** Resolves once no earlier execution of the import's target waits to be settled, or when `signal` aborts. */
export async function waitForRunsBefore(
  { db, log, now }: { db: Database; log: Logger; now: () => number },
  { id, executionId, isWholeRun }: { id: string; executionId: string; isWholeRun: boolean },
  signal: AbortSignal,
): Promise<void> {
  if (!isWholeRun) return; // its results meet the findings when the execution ends
  let left: number | undefined;
  let changedAt = now();
  while (!signal.aborted) {
    const [row] = await db
      .query<{ left: number }>(sql`
        SELECT count(*)::int AS left FROM test_executions AS earlier
        JOIN test_executions AS mine ON mine.id = ${executionId}::uuid AND mine.project_id = earlier.project_id
          AND mine.target = earlier.target AND mine.category IS NOT DISTINCT FROM earlier.category
        WHERE earlier.finished_at <= mine.created_at AND earlier.run_number IS NULL`)
      .catch(() => [{ left: -1 }]); // the database is away: asked again
    if (row === undefined || row.left === 0) return;
    if (row.left !== left) changedAt = now();
    left = row.left;
    if (now() - changedAt > patienceMs) {
      log.warn({ event: 'import_out_of_order', importId: id, executionsLeft: left });
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs).unref());
  }
}
