// The steps of an execution through its states: start, progress, completion, failure, cancellation.
import type { Viewer } from '../../core/permissions.js';
import type { Database, Statements } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import { type ExecutionChanges, refusal } from './execution.changes.js';
import type { ReportProgressInput } from './execution.input.js';
import type { ExecutionReads } from './execution.reads.js';
import { changeableBy, type ExecutionRow } from './execution.rows.js';
import { activeStatuses } from './execution.states.js';

interface StepOptions {
  db: Database;
  reads: ExecutionReads;
  changes: ExecutionChanges;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** A lease of an execution that was started by hand, in seconds: its runner may be a person. */
const manualLeaseSeconds = 24 * 60 * 60;

/** Creates the steps. */
export function createExecutionSteps(options: StepOptions) {
  const { reads, changes, now } = options;
  const { transition } = changes;

  return {
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

    reportProgress: (viewer: Viewer, input: ReportProgressInput) => reportProgress(options, viewer, input),

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
      const { status } = await reads.getChangeable(viewer, id);
      const to = status === 'RUNNING' ? 'CANCEL_REQUESTED' : 'CANCELLED';
      return transition(viewer, id, to, { action: 'execution.cancel' });
    },
  };
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
  { db, reads, changes, now }: StepOptions,
  viewer: Viewer,
  { executionId, progress, phase }: ReportProgressInput,
): Promise<ExecutionRow> {
  // The most frequent of all writes: one statement, committed when it returns, and a second one only to name the fault.
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
