// Deletes executions, for people and for retention: a small one within the caller's transaction, a large one by hiding it at
// once and leaving its rows to the removal worker. No other place deletes an execution.
import { newId } from '../../core/ids.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { MergedExecution } from '../finding/runs/unmerge.js';
import { createRemovalWorker, type RemovalWorkerOptions } from './removal-worker.js';

/** Dependencies of deleting executions. */
export interface RemovalOptions extends RemovalWorkerOptions {
  /** Milliseconds since 1970. */
  now: () => number;
}

interface HidingOptions extends RemovalOptions {
  wake: () => void;
}

/** An execution whose row the caller has locked. */
export interface RemovableExecution extends MergedExecution {
  /** Results that it shows. */
  results: number;
}

/** Deletes an execution within a transaction; from the commit on nobody sees it. */
export type RemoveExecution = (tx: Transaction, run: RemovableExecution) => Promise<void>;

/** The removal worker, and the function that deletes executions. */
export type Removal = ReturnType<typeof createRemoval>;

/** Results up to which an execution is deleted in one transaction: the time of that is hardly seen. */
export const maxAtOnce = 2000;

/** Creates the worker, and the function that leaves large executions to it. */
export function createRemoval(options: RemovalOptions) {
  const worker = createRemovalWorker(options);
  const removeExecution: RemoveExecution = async (tx, run) => {
    const { unmerging, events } = options;
    const closed = await unmerging.begin(tx, run, maxAtOnce + 1);
    if (Math.max(run.results, closed) > maxAtOnce) await hide({ ...options, wake: worker.wake }, tx, run.id);
    else {
      const results = await tx.query<{ id: string }>(
        sql`SELECT id FROM test_results WHERE execution_id = ${run.id}::uuid`,
      );
      await unmerging.results(
        tx,
        run,
        results.map(({ id }) => id),
      );
      await unmerging.closed(tx, run);
      await unmerging.end(tx, run);
      await tx.query(sql`DELETE FROM test_executions WHERE id = ${run.id}::uuid`);
    }
    tx.afterCommit(() => events.publish('execution.changed', { executionId: run.id, number: 0 }));
  };
  return { ...worker, removeExecution };
}

/** Moves an execution to a deleted project of its own, and frees its idempotency keys. */
async function hide({ events, now, wake }: HidingOptions, tx: Transaction, id: string): Promise<void> {
  const projectId = newId();
  const at = new Date(now());
  await tx.query(sql`
    INSERT INTO projects (id, key, name, created_at, archived_at, deleted_at)
    VALUES (${projectId}, ${`deleted-${projectId}`}, 'Deleted execution', ${at}, ${at}, ${at})`);
  await tx.query(sql`
    UPDATE test_executions SET project_id = ${projectId}::uuid, idempotency_key = NULL WHERE id = ${id}::uuid`);
  await tx.query(sql`UPDATE imports SET idempotency_key = NULL WHERE execution_id = ${id}::uuid`);
  tx.afterCommit(() => {
    events.publish('project.changed', { projectId });
    wake();
  });
}
