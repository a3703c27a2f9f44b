// Deletes executions for people, and puts them under a legal hold, which keeps both people and retention from deleting them.
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql, where } from '../../infra/postgres/sql.js';
import type { RunTransaction } from '../../infra/postgres/transaction.js';
import type { AuditService } from '../audit/audit.service.js';
import type { RemovableExecution, RemoveExecution } from '../retention/removal.js';
import type { ExecutionReads } from './execution.reads.js';
import { assertWorkable, columns, type ExecutionRow, workableBy } from './execution.rows.js';

/** Dependencies of deleting and holding executions. */
export interface ExecutionRemovalOptions {
  db: Database;
  audit: AuditService;
  removeExecution: RemoveExecution;
  /** As `db.transaction`, for statements on all results of an execution. */
  transactLong: RunTransaction;
  /** Milliseconds since 1970. */
  now: () => number;
}

/**
 * Deletes an execution with its results and log. What later runs share stays, and what the last run of a branch changed is
 * undone; a finding that no run has seen any more is deleted too. A large execution is gone at once for all readers, and its
 * rows, and the findings with them, soon afterwards.
 * @throws NOT_FOUND
 * @throws FORBIDDEN for an execution of somebody else, or of a project where the viewer may only read
 * @throws CONFLICT for an execution under a legal hold
 */
export async function removeExecution(
  { db, audit, removeExecution: remove, transactLong }: ExecutionRemovalOptions,
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
    const [run] = await tx.query<RemovableExecution & { isHeld: boolean }>(sql`
      SELECT id, scan_branch_id AS "scanBranchId", run_number AS "runNumber", held_at IS NOT NULL AS "isHeld",
        info_count + low_count + medium_count + high_count + critical_count AS results
      FROM test_executions ${isDeletable} FOR UPDATE`);
    if (run === undefined) throw new AppError('NOT_FOUND');
    if (run.isHeld)
      throw new AppError('CONFLICT', {
        message: 'The execution is under a legal hold: an admin has to release it first.',
      });
    await remove(tx, run);
    audit.record(tx, {
      action: 'execution.delete',
      actor: viewer,
      targetType: 'TestExecution',
      targetId: id,
      changes: { name: row.name, target: row.target, status: row.status, results: run.results },
    });
  });
}

/**
 * Puts an execution under a legal hold, or releases it. Without effect when it is so already.
 * @param reason of the hold; null releases
 * @throws NOT_FOUND
 * @throws FORBIDDEN for a viewer who holds no execution:hold in the project
 */
export async function setHold(
  { db, audit, now }: ExecutionRemovalOptions,
  viewer: Viewer,
  id: string,
  reason: string | null,
): Promise<ExecutionRow> {
  return db.transaction(async (tx) => {
    // The project first, as its deletion does, which then sees the hold or is seen.
    await tx.query(sql`
      SELECT FROM projects WHERE id = (SELECT project_id FROM test_executions WHERE id = ${id}::uuid) FOR SHARE`);
    const isHeldBy = where([sql`id = ${id}::uuid`, ...workableBy(viewer, 'execution:hold')]);
    const [before] = await tx.query<ExecutionRow>(
      sql`SELECT ${columns} FROM test_executions ${isHeldBy} FOR UPDATE`,
    );
    if (before === undefined) throw new AppError('NOT_FOUND');
    if (before.holdReason === reason) return before;
    const at = reason === null ? null : (before.heldAt ?? new Date(now()));
    const [row] = await tx.query<ExecutionRow>(sql`
      UPDATE test_executions SET held_at = ${at}::timestamptz, hold_reason = ${reason} WHERE id = ${id}::uuid
      RETURNING ${columns}`);
    audit.record(tx, {
      action: reason === null ? 'execution.release' : 'execution.hold',
      actor: viewer,
      targetType: 'TestExecution',
      targetId: id,
      changes: { holdReason: { from: before.holdReason, to: reason } },
    });
    return row as ExecutionRow;
  });
}
