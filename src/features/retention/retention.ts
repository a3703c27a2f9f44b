// Retention: deletes executions beyond the limits of their projects, one transaction each, through the same function as
// deleteExecution. Findings and their history stay. removal-worker.ts removes the rows of large ones.
import type { Logger } from 'pino';
import { repeat } from '../../core/repeat.js';
import { lockKeys, tryLock } from '../../infra/postgres/advisory-lock.js';
import type { Database } from '../../infra/postgres/database.js';
import { codeOf } from '../../infra/postgres/errors.js';
import { sql } from '../../infra/postgres/sql.js';
import type { RunTransaction } from '../../infra/postgres/transaction.js';
import type { AuditService } from '../audit/audit.service.js';
import { judgedAt } from './expired.js';
import type { RemoveExecution } from './removal.js';

/** Dependencies of retention. */
export interface RetentionOptions {
  db: Database;
  /** As `db.transaction`, for statements on all results of an execution. */
  transactLong: RunTransaction;
  audit: AuditService;
  removeExecution: RemoveExecution;
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
  results: number;
  retainDays: number | null;
  retainExecutions: number | null;
}

const everyMs = 60_000;
/** Turns that are left out after one that found nothing to delete. */
const restTurns = 4;
/** Executions that a turn deletes at most. */
const batchSize = 50;
const lockNotAvailable = '55P03';

/** Deletes what is beyond the limits. */
type Retention = ReturnType<typeof createRetention>;

/** Creates the job. */
export function createRetention(options: RetentionOptions) {
  let deleted = 0;
  const run = async (isStopped: () => boolean = () => false): Promise<number> => {
    let count = 0;
    for (const id of await findExpired(options)) {
      if (isStopped()) break;
      if (await expireOne(options, id)) count += 1;
    }
    deleted += count;
    return count;
  };
  return {
    /** Number of executions that this process has deleted. */
    deleted: () => deleted,
    /** Deletes up to 50 executions. @returns their number; 0 while another instance deletes */
    run,
    /** Deletes now and then from now on; returns a function that stops after the execution that is under way. */
    start: () => start(options, run),
  };
}

function start({ log }: RetentionOptions, run: Retention['run']): () => Promise<void> {
  let isStopped = false;
  let rest = 0;
  const stop = repeat(
    everyMs,
    async () => {
      rest -= 1;
      if (rest < 0) rest = (await run(() => isStopped)) === 0 ? restTurns : 0;
    },
    (error) => log.warn({ event: 'retention_failed', err: error }),
  );
  return () => {
    isStopped = true;
    return stop();
  };
}

async function findExpired({ db, transactLong, now }: RetentionOptions): Promise<string[]> {
  const [limited] = await db.read<{ isThere: boolean }>(sql`
    SELECT EXISTS (SELECT FROM projects WHERE coalesce(retain_days, retain_executions) IS NOT NULL) AS "isThere"`);
  if (limited?.isThere !== true) return [];
  const rows = await transactLong((tx) =>
    tx.query<{ id: string }>(sql`
      WITH ${judgedAt(new Date(now()), [])}
      SELECT id FROM judged WHERE fate = 'GOES' ORDER BY finished_at, id LIMIT ${batchSize}`),
  );
  return rows.map(({ id }) => id);
}

/** @returns whether the execution was deleted: not when others work on it, or it may stay by now */
function expireOne(options: RetentionOptions, id: string): Promise<boolean> {
  const { transactLong, audit, removeExecution, now } = options;
  const work = transactLong(async (tx) => {
    await tx.query(sql`SET LOCAL lock_timeout = '200ms'`);
    if (!(await tryLock(tx, lockKeys.retention))) return false;
    const locked = await tx.query(
      sql`SELECT FROM test_executions WHERE id = ${id}::uuid AND held_at IS NULL FOR UPDATE SKIP LOCKED`,
    );
    if (locked.length === 0) return false;
    const isOfProject = sql`id = (SELECT project_id FROM test_executions WHERE id = ${id}::uuid)`;
    const [expired] = await tx.query<Expired>(sql`
      WITH ${judgedAt(new Date(now()), [isOfProject], sql`id = ${id}::uuid`)}
      SELECT id, scan_branch_id AS "scanBranchId", run_number AS "runNumber", name, target, results,
        days AS "retainDays", most AS "retainExecutions"
      FROM judged WHERE fate = 'GOES'`);
    if (expired === undefined) return false;
    const { name, target, retainDays, retainExecutions } = expired;
    await removeExecution(tx, expired);
    audit.record(tx, {
      action: 'execution.expire',
      actor: null,
      actorLabel: 'system',
      targetType: 'TestExecution',
      targetId: id,
      changes: { name, target, retainDays, retainExecutions },
    });
    return true;
  });
  return work.catch((error: unknown) => {
    if (codeOf(error) === lockNotAvailable) return false; // the next turn tries again
    throw error;
  });
}
