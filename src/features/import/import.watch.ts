// Watches imports: resumes them when their server has stopped and their reports are on this machine, renews the leases of
// its own, and fails lost ones.
import { sql } from '../../infra/postgres/sql.js';
import { failImport } from './import.finish.js';
import type { ImportRunOptions } from './import.options.js';
import type { ImportQueue } from './import.queue.js';
import { columns, type ImportRow } from './import.rows.js';
import { orphanMs } from './staging/spool.js';
import { clearStaged } from './staging/stage-report.js';

/** Dependencies of watching imports. */
export interface WatchOptions extends ImportRunOptions {
  queue: ImportQueue;
  enqueue: (row: ImportRow, key: string) => void;
}

const everyMs = 5000;
/** Time after the end of its lease in which another server may take an import up; then it has failed. */
const patienceMs = 120_000;
const lostBatch = 100;

/**
 * Looks at once, then every five seconds.
 * @returns a function that stops it and the imports that run, and gives up their leases: the next start takes them up
 */
export function watchImports(options: WatchOptions): () => Promise<void> {
  const { log, queue } = options;
  let isStopped = false;
  let looking: Promise<void> = Promise.resolve();
  const look = async () => {
    await renew(options);
    if (!isStopped) await takeUp(options);
    await failLost(options);
  };
  const begin = () => {
    looking = looking
      .then(look)
      .catch((error: unknown) => log.warn({ event: 'imports_unwatched', err: error }));
  };
  begin();
  const timer = setInterval(begin, everyMs);
  timer.unref();
  return async () => {
    isStopped = true;
    clearInterval(timer);
    await looking;
    const ids = queue.ids();
    await queue.close();
    await endLeases(options, ids).catch(() => {}); // they end by themselves
  };
}

/** Also of the executions that imports have made, for which nobody else does. */
async function renew({ db, queue, now, workerId, leaseMs, executionLeaseMs }: WatchOptions): Promise<void> {
  const ids = queue.ids();
  if (ids.length === 0) return;
  await db.query(sql`
    WITH renewed AS (
      UPDATE imports SET lease_expires_at = ${new Date(now() + leaseMs)}
      WHERE id = ANY(${ids}::uuid[]) AND state = 'RUNNING' AND worker_id = ${workerId}::uuid
      RETURNING execution_id, is_whole_run
    )
    UPDATE test_executions SET lease_expires_at = ${new Date(now() + executionLeaseMs)} FROM renewed
    WHERE id = execution_id AND is_whole_run AND test_executions.lease_expires_at IS NOT NULL`);
}

/** A lease is taken by one statement, so that servers that share a folder take up different imports. */
async function takeUp({ db, spool, queue, enqueue, now, workerId, leaseMs }: WatchOptions): Promise<void> {
  const own = new Set(queue.ids());
  const waiting = (await spool.list()).filter(({ id }) => !own.has(id));
  if (waiting.length === 0) return;
  const ids = waiting.map(({ id }) => id);
  const at = new Date(now());
  const taken = await db.query<ImportRow>(sql`
    UPDATE imports SET lease_expires_at = ${new Date(now() + leaseMs)}, worker_id = ${workerId}::uuid
    WHERE id = ANY(${ids}::uuid[]) AND state = 'RUNNING' AND lease_expires_at <= ${at} RETURNING ${columns}`);
  for (const row of taken) enqueue(row, row.executionId);
  const running = await db.query<{ id: string }>(
    sql`SELECT id FROM imports WHERE id = ANY(${ids}::uuid[]) AND state = 'RUNNING'`,
  );
  const needed = new Set(running.map(({ id }) => id));
  for (const { id, ageMs } of waiting) if (!needed.has(id) && ageMs > orphanMs) await spool.remove(id);
}

async function failLost(options: WatchOptions): Promise<void> {
  const { db, now, workerId } = options;
  const lost = await db.query<ImportRow>(sql`
    UPDATE imports SET worker_id = ${workerId}::uuid WHERE id IN (
      SELECT id FROM imports WHERE state = 'RUNNING' AND lease_expires_at < ${new Date(now() - patienceMs)}
      LIMIT ${lostBatch} FOR UPDATE SKIP LOCKED) RETURNING ${columns}`);
  for (const row of lost)
    if (await failImport(options, row, 'The server that read the report stopped; import it again.'))
      await clearStaged(db, row.id);
}

async function endLeases({ db, now, workerId }: WatchOptions, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await db.query(sql`
    UPDATE imports SET lease_expires_at = ${new Date(now())}
    WHERE id = ANY(${[...ids]}::uuid[]) AND state = 'RUNNING' AND worker_id = ${workerId}::uuid`);
}
