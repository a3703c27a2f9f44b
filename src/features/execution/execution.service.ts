// Executions: creating, moving through their states, deleting. Reading them and how a change is written have their own
// files, results their own service.

import { AppError, invalid } from '../../core/errors.js';
import { momentOf, newId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database, Statements, Transaction } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { AuditService } from '../audit/audit.service.js';
import { createExecutionChanges, snapshot } from './execution.changes.js';
import type { CreateExecutionInput, ReportProgressInput } from './execution.input.js';
import { changeableBy, columns, createExecutionReads, type ExecutionRow } from './execution.reads.js';
import { activeStatuses, isFinal } from './execution.states.js';

export type { ExecutionRow } from './execution.reads.js';

interface ExecutionServiceOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  now: () => number;
}

export type ExecutionService = ReturnType<typeof createExecutionService>;

export function createExecutionService({ db, events, audit, now }: ExecutionServiceOptions) {
  const at = () => new Date(now());
  const reads = createExecutionReads(db);
  const changes = createExecutionChanges({ db, events, audit, reads, now });
  const { get, getChangeable } = reads;
  const { announce, change, refusal, transition } = changes;
  /** A transaction of one statement, which is committed once it is answered. */
  const single: Statements = { query: db.query, afterCommit: (action) => action() };

  async function insert(
    viewer: Viewer,
    input: CreateExecutionInput,
    rerunOfId: string | null,
  ): Promise<ExecutionRow> {
    const id = newId();
    const work = async (tx: Transaction): Promise<ExecutionRow> => {
      const [row] = await tx.query<ExecutionRow>(sql`
        WITH created AS (
          INSERT INTO test_executions (id, name, target, kind, status, parameters, tool, tool_version, branch, commit_sha,
            idempotency_key, created_by_id, rerun_of_id, last_event_number, created_at)
          VALUES (${id}, ${input.name}, ${input.target}, ${input.kind}, 'QUEUED', ${JSON.stringify(input.parameters ?? {})},
            ${input.tool ?? null}, ${input.toolVersion ?? null}, ${input.branch ?? null}, ${input.commitSha ?? null},
            ${input.idempotencyKey ?? null}, ${viewer.userId}, ${rerunOfId}, 1, ${momentOf(id)})
          ON CONFLICT (created_by_id, idempotency_key) DO NOTHING RETURNING *
        ), event AS (
          INSERT INTO execution_events (id, execution_id, number, type, at, snapshot, result_ids)
          SELECT ${newId()}::uuid, id, 1, 'CREATED', created_at, ${snapshot}, '{}' FROM created
        )
        SELECT ${columns} FROM created`);
      if (row === undefined) {
        const [existing] = await tx.query<ExecutionRow>(sql`
          SELECT ${columns} FROM test_executions
          WHERE created_by_id = ${viewer.userId} AND idempotency_key = ${input.idempotencyKey}`);
        if (existing === undefined) throw new AppError('CONFLICT');
        return existing;
      }
      audit.record(tx, {
        action: rerunOfId === null ? 'execution.create' : 'execution.rerun',
        actor: viewer,
        targetType: 'TestExecution',
        targetId: id,
        changes: { name: input.name, target: input.target, kind: input.kind },
      });
      announce(tx, row);
      return row;
    };
    return db.transaction(work).catch((error: unknown) => {
      // Written out, as jsonb does, numbers like 1e300 are long.
      if (violates(error, 'test_executions_parameters_size_check'))
        throw invalid('input.parameters', 'must be at most 64 KiB of JSON');
      // Deleted since they were read.
      if (violates(error, 'test_executions_rerun_of_id_fkey')) throw new AppError('NOT_FOUND');
      if (violates(error, 'test_executions_created_by_id_fkey')) throw new AppError('TOKEN_REVOKED');
      throw error;
    });
  }

  return {
    ...reads,
    change,
    refusal,
    activeStatuses,
    onEvent: changes.onEvent,
    /** Whether nothing more will happen to it. */
    isFinal: ({ status }: Pick<ExecutionRow, 'status'>): boolean => isFinal(status),

    /** A new execution that waits; the same one again for a repeated idempotencyKey. */
    create: (viewer: Viewer, input: CreateExecutionInput): Promise<ExecutionRow> =>
      insert(viewer, input, null),

    /**
     * A new execution with the settings of another, to which it points.
     * @throws NOT_FOUND
     */
    async rerun(viewer: Viewer, id: string): Promise<ExecutionRow> {
      const { name, target, kind, parameters, tool, toolVersion, branch, commitSha } = await get(viewer, id);
      const input = {
        name,
        target,
        kind,
        tool,
        toolVersion,
        branch,
        commitSha,
        parameters: parameters as Record<string, unknown>,
      };
      return insert(viewer, input, id);
    },

    /**
     * QUEUED → RUNNING, without a lease.
     * @throws NOT_FOUND
     * @throws FORBIDDEN
     * @throws CONFLICT
     * @throws EXECUTION_FINISHED
     */
    start: (viewer: Viewer, id: string) => transition(viewer, id, 'RUNNING', { action: 'execution.start' }),

    /**
     * Raises the progress (it never goes back) and sets the phase; renews the lease of a claimed run.
     * @throws NOT_FOUND
     * @throws FORBIDDEN
     * @throws CONFLICT unless it runs
     * @throws EXECUTION_FINISHED
     */
    async reportProgress(
      viewer: Viewer,
      { executionId, progress, phase }: ReportProgressInput,
    ): Promise<ExecutionRow> {
      const assignments = [
        sql`progress = GREATEST(progress, ${progress}::smallint)`,
        sql`phase = COALESCE(${phase ?? null}, phase)`,
        sql`lease_expires_at = ${at()}::timestamptz + make_interval(secs => lease_seconds)`,
      ];
      // The most frequent of all writes: one statement, and another one only to say what was wrong.
      const mayChange = changeableBy(viewer);
      const row = await change(single, executionId, activeStatuses, 'PROGRESS', assignments, {
        only: mayChange,
      });
      if (row !== undefined) return row;
      throw refusal(await getChangeable(viewer, executionId), 'report progress');
    },

    /** RUNNING or CANCEL_REQUESTED → COMPLETED; errors as {@link start}. */
    complete: (viewer: Viewer, id: string) =>
      transition(viewer, id, 'COMPLETED', { action: 'execution.complete', extra: [sql`progress = 100`] }),

    /** Anything unfinished → FAILED; errors as {@link start}. */
    fail: (viewer: Viewer, id: string, errorMessage: string) =>
      transition(viewer, id, 'FAILED', {
        action: 'execution.fail',
        extra: [sql`error_message = ${errorMessage}`],
        changes: { errorMessage: errorMessage.slice(0, 500).toWellFormed() },
      }),

    /**
     * Calls it off: a waiting one is CANCELLED at once, a running one gets CANCEL_REQUESTED, and a second call (the
     * runner's acknowledgement, or one's own insistence) makes that CANCELLED. Errors as {@link start}.
     */
    async cancel(viewer: Viewer, id: string): Promise<ExecutionRow> {
      const { status } = await getChangeable(viewer, id);
      return transition(viewer, id, status === 'RUNNING' ? 'CANCEL_REQUESTED' : 'CANCELLED', {
        action: 'execution.cancel',
      });
    },

    /**
     * Deletes it with its results and log.
     * @throws NOT_FOUND
     * @throws FORBIDDEN for someone else's
     */
    async remove(viewer: Viewer, id: string): Promise<void> {
      const row = await get(viewer, id);
      if (viewer.role !== 'ADMIN' && row.createdById !== viewer.userId) {
        throw new AppError('FORBIDDEN', {
          message: 'Only who created it, or an admin, may delete this execution.',
        });
      }
      await db.transaction(async (tx) => {
        const gone = await tx.query(sql`DELETE FROM test_executions WHERE id = ${id} RETURNING id`);
        if (gone.length === 0) throw new AppError('NOT_FOUND');
        audit.record(tx, {
          action: 'execution.delete',
          actor: viewer,
          targetType: 'TestExecution',
          targetId: id,
          changes: { name: row.name, target: row.target, status: row.status },
        });
        tx.afterCommit(() => events.publish('execution.changed', { executionId: id, number: 0 }));
      });
    },
  };
}
