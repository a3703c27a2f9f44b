// Deletes an execution, and takes its run back from the findings.
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql, where } from '../../infra/postgres/sql.js';
import type { RunTransaction } from '../../infra/postgres/transaction.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { AuditService } from '../audit/audit.service.js';
import type { UnmergeRun } from '../finding/runs/unmerge.js';
import type { ExecutionReads } from './execution.reads.js';
import { assertWorkable, type ExecutionRow, workableBy } from './execution.rows.js';

/** What an execution is deleted with. */
export interface RemovalOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  /** Takes a run back from the findings; see unmergeRun there. */
  unmerge: UnmergeRun;
  /** As `db.transaction`, for statements on all results of an execution, which may be a million. */
  transactLong: RunTransaction;
}

/**
 * Deletes an execution with its results and log. What later runs share stays, and what the last run of a branch changed is
 * undone; a finding that no run has seen any more is deleted too.
 * @throws NOT_FOUND
 * @throws FORBIDDEN for an execution of somebody else, or of a project where the viewer may only read
 */
export async function removeExecution(
  { db, events, audit, unmerge, transactLong }: RemovalOptions,
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
