// Deletes executions that are older than their project keeps them: one after the other, through the same path as
// deleteExecution. Findings and their history stay.
import type { Logger } from 'pino';
import { repeat } from '../../core/repeat.js';
import { lockKeys, tryLock } from '../../infra/postgres/advisory-lock.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { RunTransaction } from '../../infra/postgres/transaction.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { AuditService } from '../audit/audit.service.js';
import type { UnmergeRun } from '../finding/runs/unmerge.js';

/** What retention works with. */
export interface RetentionOptions {
  /** As `db.transaction`, for statements on all results of an execution. */
  transactLong: RunTransaction;
  audit: AuditService;
  events: Events;
  unmerge: UnmergeRun;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
}

interface Expired {
  id: string;
  scanBranchId: number | null;
  runNumber: number | null;
  name: string;
  target: string;
  retainDays: number;
}

const everyMs = 60_000;
/** Executions that a turn deletes at most. */
const batchSize = 50;

/** Deletes what is too old. */
export type Retention = ReturnType<typeof createRetention>;

/** Creates the job. */
export function createRetention(options: RetentionOptions) {
  let deleted = 0;
  const run = async (isStopped: () => boolean = () => false): Promise<number> => {
    let count = 0;
    while (count < batchSize && !isStopped() && (await expireOne(options))) count += 1;
    deleted += count;
    return count;
  };
  return {
    /** Number of executions that this process has deleted. */
    deleted: () => deleted,
    /** Deletes up to 50 executions. @returns their number; 0 while another instance deletes */
    run,
    /** Deletes once a minute from now on; returns a function that stops after the execution that is under way. */
    start: () => start(options, run),
  };
}

function start({ log }: RetentionOptions, run: Retention['run']): () => Promise<void> {
  let isStopped = false;
  const stop = repeat(
    everyMs,
    () => run(() => isStopped),
    (error) => log.warn({ event: 'retention_failed', err: error }),
  );
  return () => {
    isStopped = true;
    return stop();
  };
}

/** @returns whether an execution was deleted */
function expireOne({ transactLong, audit, events, unmerge, now }: RetentionOptions): Promise<boolean> {
  return transactLong(async (tx) => {
    const expired = (await tryLock(tx, lockKeys.retention))
      ? await findExpired(tx, new Date(now()))
      : undefined;
    if (expired === undefined) return false;
    const { id, name, target, retainDays } = expired;
    await unmerge(tx, expired);
    await tx.query(sql`DELETE FROM test_executions WHERE id = ${id}::uuid`);
    audit.record(tx, {
      action: 'execution.expire',
      actor: null,
      actorLabel: 'system',
      targetType: 'TestExecution',
      targetId: id,
      changes: { name, target, retainDays },
    });
    tx.afterCommit(() => events.publish('execution.changed', { executionId: id, number: 0 }));
    return true;
  });
}

/**
 * The oldest execution that may go. Two kinds stay: the newest run of a branch, which says what is present; and one that holds
 * the newest result of a finding, from which the finding is read, unless a later run shares that result and takes it over.
 */
async function findExpired(tx: Transaction, at: Date): Promise<Expired | undefined> {
  const [expired] = await tx.query<Expired>(sql`
    SELECT execution.id, scan_branch_id AS "scanBranchId", run_number AS "runNumber", execution.name, target,
      project.retain_days AS "retainDays"
    FROM projects AS project JOIN test_executions AS execution ON execution.project_id = project.id
    WHERE execution.finished_at < ${at}::timestamptz - make_interval(days => project.retain_days)
      AND execution.run_number IS NOT NULL
      AND NOT EXISTS (SELECT FROM scan_branches AS branch
        WHERE branch.id = execution.scan_branch_id AND branch.last_run <= execution.run_number)
      AND NOT EXISTS (
        SELECT FROM test_results AS result JOIN findings AS finding ON finding.result_id = result.id
        WHERE result.execution_id = execution.id AND NOT (result.is_shared AND EXISTS (
          SELECT FROM test_executions AS later
          WHERE later.scan_branch_id = execution.scan_branch_id AND later.run_number > execution.run_number AND later.is_shared
            AND (result.until_run IS NULL OR result.until_run >= later.run_number))))
    ORDER BY execution.finished_at, execution.id LIMIT 1 FOR UPDATE OF execution SKIP LOCKED`);
  return expired;
}
