// Executions: creating them, moving them through their states, deleting them. Results have a service of their own.
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database, Statements, Transaction } from '../../infra/postgres/database.js';
import { sql, where } from '../../infra/postgres/sql.js';
import type { RunTransaction } from '../../infra/postgres/transaction.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { AuditService } from '../audit/audit.service.js';
import type { UnmergeRun } from '../finding/runs/unmerge.js';
import type { ReportEnd } from '../webhook/webhook.events.js';
import { createExecutionChanges, type ExecutionChanges, refusal } from './execution.changes.js';
import { assertTakesReports, createExecution, createStartedExecution } from './execution.creation.js';
import type { CreateExecutionInput, ReportProgressInput } from './execution.input.js';
import { createExecutionReads, type ExecutionReads } from './execution.reads.js';
import { assertWorkable, changeableBy, type ExecutionRow, workableBy } from './execution.rows.js';
import { activeStatuses, isFinal } from './execution.states.js';

export type { ExecutionRow } from './execution.rows.js';

/** What executions are stored and announced with. */
export interface ExecutionServiceOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  /** Takes a run back from the findings; see unmergeRun there. */
  unmerge: UnmergeRun;
  /** As `db.transaction`, for statements on all results of an execution, which may be a million. */
  transactLong: RunTransaction;
  /** Tells webhooks of an end. */
  reportEnd: ReportEnd;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Reads and changes executions. */
export type ExecutionService = ReturnType<typeof createExecutionService>;

/** A lease of an execution that was started by hand, in seconds: its runner may be a person. */
export const manualLeaseSeconds = 24 * 60 * 60;

/** Creates the service. */
export function createExecutionService(options: ExecutionServiceOptions) {
  const { db, audit, now } = options;
  const reads = createExecutionReads(db);
  const changes = createExecutionChanges({ ...options, reads });
  const { announce, change, transition, onEvent } = changes;
  const { matches, projectIdOf, readByIds, byIds, get, getChangeable, lockChangeable, list } = reads;
  const creation = { db, audit, announce };

  return {
    matches,
    projectIdOf,
    readByIds,
    byIds,
    get,
    getChangeable,
    lockChangeable,
    list,
    change,
    refusal,
    onEvent,
    activeStatuses,

    /** Whether no further change can happen. */
    isFinal: ({ status }: Pick<ExecutionRow, 'status'>): boolean => isFinal(status),

    /** See {@link createExecution}: a waiting execution. */
    create: (viewer: Viewer, input: CreateExecutionInput) => createExecution(creation, viewer, input),

    /** See {@link assertTakesReports}. */
    assertTakesReports: (viewer: Viewer, input: Pick<CreateExecutionInput, 'project'>) =>
      assertTakesReports(db, viewer, input),

    /** See {@link createStartedExecution}. */
    createStarted: (tx: Transaction, viewer: Viewer, input: CreateExecutionInput, leaseSeconds: number) =>
      createStartedExecution({ audit, announce, change, now }, tx, viewer, input, leaseSeconds),

    /** A new execution with the settings of another, which it refers to. @throws NOT_FOUND */
    rerun: async (viewer: Viewer, id: string) => {
      const row = await get(viewer, id);
      return createExecution(creation, viewer, settingsOf(row), row);
    },

    /**
     * QUEUED → RUNNING, under a lease that progress reports and results renew.
     * @param leaseSeconds a day by default
     * @throws NOT_FOUND
     * @throws FORBIDDEN
     * @throws CONFLICT
     * @throws EXECUTION_FINISHED
     */
    start: (viewer: Viewer, id: string, leaseSeconds?: number | null) =>
      transition(viewer, id, 'RUNNING', {
        action: 'execution.start',
        extra: leaseOf(leaseSeconds ?? manualLeaseSeconds, now()),
      }),

    /** See {@link reportProgress}. */
    reportProgress: (viewer: Viewer, input: ReportProgressInput) =>
      reportProgress({ db, reads, changes, now }, viewer, input),

    /** RUNNING or CANCEL_REQUESTED → COMPLETED. Errors as {@link start}. */
    complete: (viewer: Viewer, id: string) =>
      transition(viewer, id, 'COMPLETED', { action: 'execution.complete', extra: [sql`progress = 100`] }),

    /** Any unfinished state → FAILED. Errors as {@link start}. */
    fail: (viewer: Viewer, id: string, errorMessage: string) =>
      transition(viewer, id, 'FAILED', {
        action: 'execution.fail',
        extra: [sql`error_message = ${errorMessage}`],
        changes: { errorMessage: errorMessage.slice(0, 500).toWellFormed() },
      }),

    /**
     * Cancels: a waiting execution at once; a running one becomes CANCEL_REQUESTED, and a second call (the runner's
     * acknowledgement, or the user's insistence) makes that CANCELLED. Errors as {@link start}.
     */
    async cancel(viewer: Viewer, id: string): Promise<ExecutionRow> {
      const { status } = await getChangeable(viewer, id);
      const to = status === 'RUNNING' ? 'CANCEL_REQUESTED' : 'CANCELLED';
      return transition(viewer, id, to, { action: 'execution.cancel' });
    },

    /** See {@link removeExecution}. */
    remove: (viewer: Viewer, id: string) => removeExecution(options, reads, viewer, id),
  };
}

function settingsOf(row: ExecutionRow): CreateExecutionInput {
  const { name, target, kind, category, tool, toolVersion, branch, commitSha } = row;
  const parameters = row.parameters as Record<string, unknown>;
  return { name, target, kind, category, tool, toolVersion, branch, commitSha, parameters };
}

function leaseOf(seconds: number, now: number) {
  return [sql`lease_seconds = ${seconds}`, sql`lease_expires_at = ${new Date(now + seconds * 1000)}`];
}

/**
 * Raises the progress (it never goes back), sets the phase and renews the lease.
 * @throws NOT_FOUND
 * @throws FORBIDDEN
 * @throws CONFLICT unless the execution runs
 * @throws EXECUTION_FINISHED
 */
async function reportProgress(
  {
    db,
    reads,
    changes,
    now,
  }: { db: Database; reads: ExecutionReads; changes: ExecutionChanges; now: () => number },
  viewer: Viewer,
  { executionId, progress, phase }: ReportProgressInput,
): Promise<ExecutionRow> {
  // The most frequent of all writes: one statement, committed when it returns, and another only to name the fault.
  const single: Statements = { query: db.query, afterCommit: (action) => action() };
  const assignments = [
    sql`progress = GREATEST(progress, ${progress}::smallint)`,
    sql`phase = COALESCE(${phase ?? null}, phase)`,
    sql`lease_expires_at = ${new Date(now())}::timestamptz + make_interval(secs => lease_seconds)`,
  ];
  const row = await changes.change(single, executionId, activeStatuses, 'PROGRESS', assignments, {
    only: changeableBy(viewer),
  });
  if (row !== undefined) return row;
  throw refusal(await reads.getChangeable(viewer, executionId), 'report progress');
}

/**
 * Deletes an execution with its results and log. What later runs share stays, and what the last run of a branch changed is
 * undone; a finding that no run has seen any more is deleted too.
 * @throws NOT_FOUND
 * @throws FORBIDDEN for an execution of somebody else, or of a project where the viewer may only read
 */
async function removeExecution(
  { db, events, audit, unmerge, transactLong }: ExecutionServiceOptions,
  reads: ExecutionReads,
  viewer: Viewer,
  id: string,
): Promise<void> {
  const row = await reads.get(viewer, id);
  assertWorkable(viewer, 'execution:delete', row);
  if (viewer.role !== 'ADMIN' && row.createdById !== viewer.userId)
    throw new AppError('FORBIDDEN', {
      message: 'Only the user who created this execution, or an admin, may delete it.',
    });
  const transact = row.runNumber === null ? db.transaction : transactLong;
  await transact(async (tx) => {
    const isDeletable = where([sql`id = ${id}`, ...workableBy(viewer, 'execution:delete')]);
    const [run] = await tx.query<Pick<ExecutionRow, 'id' | 'scanBranchId' | 'runNumber'>>(sql`
      SELECT id, scan_branch_id AS "scanBranchId", run_number AS "runNumber" FROM test_executions ${isDeletable} FOR UPDATE`);
    if (run === undefined) throw new AppError('NOT_FOUND');
    const findings = await unmerge(tx, run);
    await tx.query(sql`DELETE FROM test_executions WHERE id = ${id}`);
    audit.record(tx, {
      action: 'execution.delete',
      actor: viewer,
      targetType: 'TestExecution',
      targetId: id,
      changes: { name: row.name, target: row.target, status: row.status, findings },
    });
    tx.afterCommit(() => events.publish('execution.changed', { executionId: id, number: 0 }));
  });
}
