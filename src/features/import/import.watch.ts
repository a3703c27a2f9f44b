// Watches imports: resumes the ones that an earlier process left, renews the leases of its own, and fails lost ones.
import type { Logger } from 'pino';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { ImportQueue } from './import.queue.js';
import type { ImportRow } from './import.rows.js';
import type { Spool } from './staging/spool.js';

interface WatchOptions {
  db: Database;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
  spool: Spool;
  queue: ImportQueue;
  readByIds: (ids: readonly string[]) => Promise<ImportRow[]>;
  enqueue: (row: ImportRow, key: string) => void;
  leaseMs: number;
}

const everyMs = 10_000;

/**
 * Takes up the imports whose reports wait here, then looks after all of them every ten seconds.
 * @returns a function that stops it and the imports that run; they go on at the next start
 */
export function watchImports(options: WatchOptions): () => Promise<void> {
  const { log, queue } = options;
  const resumed = resume(options).catch((error: unknown) =>
    log.warn({ event: 'imports_not_resumed', err: error }),
  );
  const look = () =>
    renew(options)
      .then(() => failLost(options))
      .catch((error: unknown) => log.warn({ event: 'imports_unwatched', err: error }));
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await resumed;
    await queue.close();
  };
}

async function resume({ spool, readByIds, enqueue }: WatchOptions): Promise<void> {
  const ids = await spool.list();
  const rows = await readByIds(ids.filter((id) => /^[0-9a-f-]{36}$/.test(id)));
  const running = new Map(rows.flatMap((row) => (row.state === 'RUNNING' ? [[row.id, row] as const] : [])));
  for (const id of ids) {
    const row = running.get(id);
    if (row === undefined) await spool.remove(id);
    else enqueue(row, row.executionId);
  }
}

/** Also of the executions that imports have made: nobody else renews their leases. */
async function renew({ db, queue, now, leaseMs }: WatchOptions): Promise<void> {
  const ids = queue.ids();
  if (ids.length === 0) return;
  const until = new Date(now() + leaseMs);
  await db.query(sql`
    WITH renewed AS (
      UPDATE imports SET lease_expires_at = ${until} WHERE id = ANY(${ids}::uuid[]) AND state = 'RUNNING'
      RETURNING execution_id, is_whole_run
    )
    UPDATE test_executions SET lease_expires_at = ${until} FROM renewed
    WHERE id = execution_id AND is_whole_run AND test_executions.lease_expires_at IS NOT NULL`);
}

async function failLost({ db, now }: WatchOptions): Promise<void> {
  const at = new Date(now());
  await db.query(sql`
    UPDATE imports SET state = 'FAILED', lease_expires_at = NULL, finished_at = ${at},
      error_message = 'The server that read the report stopped; import it again.'
    WHERE state = 'RUNNING' AND lease_expires_at < ${at}`);
}
