// Matches the results of ended executions with the findings, in the order of their ends, including executions that are older
// than the feature.
import type { Logger } from 'pino';
import { isOutage } from '../../../core/errors.js';
import { lockKeys, tryLock } from '../../../infra/postgres/advisory-lock.js';
import {
  type BulkConnection,
  type BulkOptions,
  openBulkConnection,
} from '../../../infra/postgres/bulk/connection.js';
import { type BulkTransactions, openBulkTransactions } from '../../../infra/postgres/bulk/transaction.js';
import type { Database } from '../../../infra/postgres/database.js';
import { sql } from '../../../infra/postgres/sql.js';
import type { ReportRun } from '../../webhook/webhook.events.js';
import { matchStaged } from './match-staged.js';
import { mergeRun } from './merge.js';
import { findSeries } from './series.js';
import { createProgress, type SettlingProgress } from './settle-progress.js';
import { countEnded, type EndedExecution, findEnded } from './settle-queue.js';
import { stageOwnResults } from './stage-own-results.js';

/** Dependencies of settling. */
export interface SettleOptions {
  db: Database;
  bulk: BulkOptions;
  log: Logger;
  /** Queues webhook events for new and reopened findings. */
  reportRun: ReportRun;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Executions that failed to settle → when they are tried again, in milliseconds since 1970. */
  failed?: Map<string, number>;
  progress?: SettlingProgress;
}

const everyMs = 1000;
/** Executions that are settled before the lock is given back. */
const batchSize = 50;
/** Time after which an execution that failed to settle is tried again. */
const retryMs = 600_000;

/**
 * Settles ended executions now and then, and soon after `wake`.
 * @returns `wake`; `left`, the executions that wait, as last counted; and `stop`, which waits for the one that is under way
 */
export function startSettling(given: SettleOptions): {
  wake: () => void;
  left: () => number;
  stop: () => Promise<void>;
} {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let isStopped = false;
  let isWanted = false;
  const progress = createProgress(given.log, given.now);
  const options = { ...given, failed: new Map<string, number>(), progress };
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
    left: progress.left,
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
  const { db, now, failed = new Map<string, number>() } = options;
  const left = await countEnded(db);
  options.progress?.counted(left);
  if (left === 0 || (await findEnded(db, 1, waitingIds(failed, now()))).length === 0) return 0;
  const open = () => openBulkConnection(options.bulk);
  const [lock, rows, lookups, transactions] = await Promise.all([
    ...[open(), open(), open()],
    openBulkTransactions(options.bulk),
  ] as const);
  try {
    await lock.query(sql`BEGIN`); // a transaction's lock, as poolers give sessions to others
    if (!(await tryLock(lock, lockKeys.settling))) return 0;
    const ended = await findEnded(lookups, batchSize, waitingIds(failed, now()));
    const ids = ended.map(({ id }) => id);
    await clearStaged(lookups, ids); // what an earlier attempt left
    let count = 0;
    for (const execution of ended) {
      if (isStopped()) break;
      try {
        await settleOne(options, execution, { rows, lookups, transactions });
      } catch (error) {
        // The others go first next time; the connections may be within a transaction, so this turn ends.
        if (!isOutage(error)) failed.set(execution.id, now() + retryMs);
        throw error;
      }
      count += 1;
    }
    await clearStaged(lookups, ids);
    return count;
  } finally {
    await Promise.allSettled([lock, rows, lookups, transactions].map((connection) => connection.close()));
  }
}

/** Executions that failed to settle and whose time has not come again. */
function waitingIds(failed: Map<string, number>, nowMs: number): string[] {
  for (const [id, again] of failed) if (again <= nowMs) failed.delete(id);
  return [...failed.keys()];
}

interface Connections {
  rows: BulkConnection;
  lookups: BulkConnection;
  transactions: BulkTransactions;
}

/** A run that reported nothing and did not run to its end says nothing; it is numbered 0, as no run of a branch. */
async function settleOne(
  { db, reportRun, now }: SettleOptions,
  execution: EndedExecution,
  { rows, lookups, transactions }: Connections,
): Promise<void> {
  const { id, isComplete, unreadPaths, hasResults, finishedAt } = execution;
  if (!hasResults && !isComplete) {
    await db.query(
      sql`UPDATE test_executions SET run_number = 0 WHERE id = ${id}::uuid AND run_number IS NULL`,
    );
    return;
  }
  const series = await findSeries(lookups, execution);
  await stageOwnResults(lookups, id);
  if (series?.hasFindings === true && hasResults) await matchStaged(rows, lookups, id, series);
  await transactions.run(async (tx) => {
    const [known] = await tx.query<{ isWaiting: boolean }>(sql`
      SELECT run_number IS NULL AS "isWaiting" FROM test_executions WHERE id = ${id}::uuid FOR UPDATE`);
    if (known?.isWaiting !== true) return;
    const merged = await mergeRun(tx, {
      importId: id,
      executionId: id,
      key: execution,
      matchedWith: series,
      isComplete,
      unreadPaths,
      hasOwnResults: true,
      at: new Date(finishedAt),
    });
    if (merged === undefined) return; // an import came first: the next turn stages again
    await tx.query(sql`
      UPDATE test_executions SET scan_branch_id = ${merged.scanBranchId}, run_number = ${merged.runNumber}
      WHERE id = ${id}::uuid`);
    await reportRun(tx, {
      projectId: execution.projectId,
      executionId: id,
      at: new Date(now()),
      endedAt: new Date(finishedAt),
      newFindings: merged.newFindings,
      reopenedFindings: merged.reopenedFindings,
    });
  });
}

async function clearStaged(connection: BulkConnection, ids: readonly string[]): Promise<void> {
  await connection.query(sql`
    WITH matches AS (DELETE FROM staged_matches WHERE import_id = ANY(${[...ids]}::uuid[]))
    DELETE FROM staged_results WHERE import_id = ANY(${[...ids]}::uuid[])`);
}
