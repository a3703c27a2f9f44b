// The runner's side of executions: claiming work under a lease, and the reaper of leases that ran out.
import type { Logger } from 'pino';
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import type { ClaimExecutionInput } from './execution.input.js';
import type { ExecutionRow, ExecutionService } from './execution.service.js';

interface RunnerServiceOptions {
  db: Database;
  audit: AuditService;
  executions: ExecutionService;
  log: Logger;
  now: () => number;
}

const defaultLeaseSeconds = 60;
const reapEveryMs = 1000;
const reapBatch = 100;
/** Of the transaction-level advisory lock under which one instance at a time reaps. */
const reaperLock = 7_304_001;

export type RunnerService = ReturnType<typeof createRunnerService>;

export function createRunnerService({ db, audit, executions, log, now }: RunnerServiceOptions) {
  async function interrupt(tx: Transaction, id: string): Promise<void> {
    const at = new Date(now());
    const row = await executions.change(tx, id, executions.activeStatuses, 'INTERRUPTED', [
      sql`status = 'INTERRUPTED', finished_at = ${at}, lease_expires_at = NULL`,
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

  /** Marks runs whose lease has run out INTERRUPTED; how many there were. Another instance at it: none. */
  async function reap(): Promise<number> {
    return db.transaction(async (tx) => {
      const [lock] = await tx.query<{ isMine: boolean }>(
        sql`SELECT pg_try_advisory_xact_lock(${reaperLock}) AS "isMine"`,
      );
      if (lock?.isMine !== true) return 0;
      const overdue = await tx.query<{ id: string }>(sql`
        SELECT id FROM test_executions WHERE lease_expires_at < ${new Date(now())}
        ORDER BY lease_expires_at LIMIT ${reapBatch} FOR UPDATE SKIP LOCKED`);
      for (const { id } of overdue) await interrupt(tx, id);
      return overdue.length;
    });
  }

  async function reapAll(): Promise<void> {
    while ((await reap()) === reapBatch);
  }

  return {
    reap,

    /** Reaps every second from now on; returns how to stop. */
    startReaper(): () => Promise<void> {
      let turn: Promise<unknown> = Promise.resolve();
      let isIdle = true;
      const timer = setInterval(() => {
        if (!isIdle) return;
        isIdle = false;
        turn = reapAll()
          .catch((error: unknown) => log.warn({ event: 'reaper_failed', err: error }))
          .finally(() => {
            isIdle = true;
          });
      }, reapEveryMs);
      return async () => {
        clearInterval(timer);
        await turn;
      };
    },

    /**
     * Hands the oldest waiting execution of these kinds to the caller, to nobody else, and starts it under a lease.
     * @returns null when nothing waits
     */
    async claim(
      viewer: Viewer,
      { kinds, runner, leaseSeconds }: ClaimExecutionInput,
    ): Promise<ExecutionRow | null> {
      const lease = leaseSeconds ?? defaultLeaseSeconds;
      const taken = await db
        .transaction(async (tx) => {
          const [waiting] = await tx.query<{ id: string }>(sql`
          SELECT id FROM test_executions WHERE status = 'QUEUED' AND kind = ANY(${kinds}::test_kind[])
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
        })
        .catch((error: unknown) => {
          // The claimer was deleted meanwhile.
          if (violates(error, 'test_executions_claimed_by_id_fkey')) throw new AppError('TOKEN_REVOKED');
          throw error;
        });
      return taken;
    },
  };
}
