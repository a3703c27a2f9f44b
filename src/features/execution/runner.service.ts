// The runner's side of executions: claiming work under a lease, and the reaper that interrupts runs whose lease has expired.
import type { Logger } from 'pino';
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import { repeat } from '../../core/repeat.js';
import { lockKeys, tryLock } from '../../infra/postgres/advisory-lock.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { sql, where } from '../../infra/postgres/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import type { ClaimExecutionInput } from './execution.input.js';
import { workableBy } from './execution.rows.js';
import type { ExecutionRow, ExecutionService } from './execution.service.js';

/** Dependencies of runners. */
export interface RunnerServiceOptions {
  db: Database;
  audit: AuditService;
  executions: ExecutionService;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
}

const defaultLeaseSeconds = 60;
const reapEveryMs = 1000;
const reapBatch = 100;

/** Hands out executions and interrupts the lost ones. */
export type RunnerService = ReturnType<typeof createRunnerService>;

/** Creates the service. */
export function createRunnerService(options: RunnerServiceOptions) {
  return {
    /** Interrupts up to 100 runs whose lease has expired; returns their number, 0 while another instance reaps. */
    reap: () => reap(options),

    /** Reaps every second from now on; returns a function that stops it. */
    startReaper: () =>
      repeat(
        reapEveryMs,
        () => reapAll(options),
        (error) => options.log.warn({ event: 'reaper_failed', err: error }),
      ),

    /**
     * Claims the oldest waiting execution of these kinds for the caller alone, and starts it under a lease.
     * @returns null when nothing waits
     */
    claim: (viewer: Viewer, input: ClaimExecutionInput): Promise<ExecutionRow | null> =>
      claim(options, viewer, input),
  };
}

async function reapAll(options: RunnerServiceOptions): Promise<void> {
  while ((await reap(options)) === reapBatch);
}

async function reap(options: RunnerServiceOptions): Promise<number> {
  const { db, now } = options;
  return db.transaction(async (tx) => {
    if (!(await tryLock(tx, lockKeys.executionReaper))) return 0;
    const overdue = await tx.query<{ id: string }>(sql`
      SELECT id FROM test_executions WHERE lease_expires_at < ${new Date(now())}
      ORDER BY lease_expires_at LIMIT ${reapBatch} FOR UPDATE SKIP LOCKED`);
    for (const { id } of overdue) await interrupt(options, tx, id);
    return overdue.length;
  });
}

async function interrupt(
  { audit, executions, now }: RunnerServiceOptions,
  tx: Transaction,
  id: string,
): Promise<void> {
  const row = await executions.change(tx, id, executions.activeStatuses, 'INTERRUPTED', [
    sql`status = 'INTERRUPTED', finished_at = ${new Date(now())}, lease_expires_at = NULL`,
  ]);
  if (row === undefined) return;
  audit.record(tx, {
    action: 'execution.interrupt',
    outcome: 'FAILURE',
    actor: null,
    actorLabel: 'system',
    targetType: 'TestExecution',
    targetId: id,
    changes: { runner: row.runner, leaseSeconds: row.leaseSeconds },
  });
}

async function claim(
  { db, audit, executions, now }: RunnerServiceOptions,
  viewer: Viewer,
  { kinds, runner, leaseSeconds }: ClaimExecutionInput,
): Promise<ExecutionRow | null> {
  const lease = leaseSeconds ?? defaultLeaseSeconds;
  const isClaimable = where([
    sql`status = 'QUEUED' AND kind = ANY(${kinds}::test_kind[])`,
    ...workableBy(viewer, 'execution:run'),
  ]);
  const work = async (tx: Transaction): Promise<ExecutionRow | null> => {
    const [waiting] = await tx.query<{ id: string }>(sql`
      SELECT id FROM test_executions ${isClaimable}
      ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED`);
    if (waiting === undefined) return null;
    const at = now();
    const row = await executions.change(tx, waiting.id, ['QUEUED'], 'STARTED', [
      sql`status = 'RUNNING', started_at = ${new Date(at)}, runner = ${runner}, claimed_by_id = ${viewer.userId}`,
      sql`lease_seconds = ${lease}, lease_expires_at = ${new Date(at + lease * 1000)}`,
    ]);
    if (row === undefined) return null;
    audit.record(tx, {
      action: 'execution.claim',
      actor: viewer,
      targetType: 'TestExecution',
      targetId: row.id,
      changes: { runner, leaseSeconds: lease },
    });
    return row;
  };
  return db.transaction(work).catch((error: unknown) => {
    // The claiming user was deleted meanwhile.
    if (violates(error, 'test_executions_claimed_by_id_fkey')) throw new AppError('TOKEN_REVOKED');
    throw error;
  });
}
