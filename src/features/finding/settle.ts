// Lets the results that a test module added meet the findings, once their execution has ended: in the order of their ends,
// also those from before there were findings.
import type { Logger } from 'pino';
import { type BulkConnection, type BulkOptions, openBulkConnection } from '../../infra/postgres/bulk.js';
import { runBulkTransaction } from '../../infra/postgres/bulk-transaction.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import { matchStaged } from './match-staged.js';
import { mergeRun } from './merge.js';
import { findSeries } from './series.js';
import { stageOwnResults } from './stage-own-results.js';

/** What settling works with. */
export interface SettleOptions {
  db: Database;
  bulk: BulkOptions;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** An ended execution whose results have not met the findings. */
interface EndedExecution {
  id: string;
  projectId: string;
  target: string;
  tool: string | null;
  category: string | null;
  branch: string | null;
  isComplete: boolean;
  finishedAt: string;
  hasResults: boolean;
}

const everyMs = 1000;
/** Executions that are settled before the lock is given back. */
const batchSize = 50;
/** Key of the session-level advisory lock that lets one instance at a time settle. */
const settleLock = 7_304_002;

/**
 * Settles ended executions now and then, and soon after `wake`.
 * @returns `wake`, and `stop`, which waits for the one that is under way
 */
export function startSettling(options: SettleOptions): { wake: () => void; stop: () => Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let isStopped = false;
  let isWanted = false;
  const run = async () => {
    do {
      isWanted = false;
      const settled = await settle(options, () => isStopped);
      isWanted ||= settled === batchSize;
    } while (isWanted && !isStopped);
  };
  const wake = () => {
    isWanted = true;
    if (isStopped || running !== undefined) return;
    running = run()
      .catch((error: unknown) => options.log.warn({ event: 'results_unsettled', err: error }))
      .finally(() => {
        running = undefined;
      });
  };
  timer = setInterval(wake, everyMs);
  timer.unref();
  return {
    wake,
    async stop() {
      isStopped = true;
      clearInterval(timer);
      await running;
    },
  };
}

/**
 * Settles up to fifty ended executions; none while another instance does.
 * @returns their number
 */
export async function settle(
  options: SettleOptions,
  isStopped: () => boolean = () => false,
): Promise<number> {
  const waiting = await findEnded(options.db, 1);
  if (waiting.length === 0) return 0;
  const [rows, lookups] = await Promise.all([
    openBulkConnection(options.bulk),
    openBulkConnection(options.bulk),
  ]);
  try {
    const [lock] = await rows.query<{ isMine: boolean }>(
      sql`SELECT pg_try_advisory_lock(${settleLock}) AS "isMine"`,
    );
    if (lock?.isMine !== true) return 0;
    let count = 0;
    for (const execution of await findEnded(lookups, batchSize)) {
      if (isStopped()) break;
      await settleOne(options, execution, rows, lookups);
      count += 1;
    }
    return count;
  } finally {
    await Promise.allSettled([rows.close(), lookups.close()]); // gives the lock back
  }
}

function findEnded(connection: Pick<BulkConnection, 'query'>, limit: number): Promise<EndedExecution[]> {
  return connection.query<EndedExecution>(sql`
    SELECT id, project_id AS "projectId", target, tool, category, branch, status = 'COMPLETED' AS "isComplete",
      finished_at AS "finishedAt", EXISTS (SELECT FROM test_results WHERE execution_id = execution.id) AS "hasResults"
    FROM test_executions AS execution WHERE finished_at IS NOT NULL AND run_number IS NULL
    ORDER BY finished_at, id LIMIT ${limit}`);
}

/** A run that reported nothing and did not run to its end says nothing; it is numbered 0, as no run of a branch. */
async function settleOne(
  { db, bulk }: SettleOptions,
  execution: EndedExecution,
  rows: BulkConnection,
  lookups: BulkConnection,
): Promise<void> {
  const { id, isComplete, hasResults, finishedAt } = execution;
  if (!hasResults && !isComplete) {
    await db.query(
      sql`UPDATE test_executions SET run_number = 0 WHERE id = ${id}::uuid AND run_number IS NULL`,
    );
    return;
  }
  const series = await findSeries(lookups, execution);
  await stageOwnResults(lookups, id);
  if (series?.hasFindings === true && hasResults) await matchStaged(rows, lookups, id, series);
  await runBulkTransaction(bulk, async (tx) => {
    const [known] = await tx.query<{ isWaiting: boolean }>(sql`
      SELECT run_number IS NULL AS "isWaiting" FROM test_executions WHERE id = ${id}::uuid FOR UPDATE`);
    if (known?.isWaiting !== true) return;
    const merged = await mergeRun(tx, {
      importId: id,
      executionId: id,
      key: execution,
      matchedWith: series,
      isComplete,
      unreadPaths: [],
      hasOwnResults: true,
      at: new Date(finishedAt),
    });
    if (merged === undefined) return; // an import came first: the next turn stages again
    await tx.query(sql`
      UPDATE test_executions SET scan_branch_id = ${merged.scanBranchId}, run_number = ${merged.runNumber}
      WHERE id = ${id}::uuid`);
  });
  await clearOwn(lookups, id);
}

async function clearOwn(connection: BulkConnection, id: string): Promise<void> {
  await connection.query(sql`DELETE FROM staged_matches WHERE import_id = ${id}::uuid`);
  await connection.query(sql`DELETE FROM staged_results WHERE import_id = ${id}::uuid`);
}
