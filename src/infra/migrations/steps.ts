// Runs a migration's script so that servers on the database go on: in steps, none of which waits long for a lock that others queue
// behind.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/**
 * Longest wait of a statement for a lock. Statements that want the table meanwhile wait behind it, so the wait is short and repeated.
 */
const lockWaitMs = 500;
const retryAfterMs = 1000;
/** About ten minutes. */
const maxAttempts = 400;
const lockNotAvailable = '55P03';
/** Begins a step; the table that it names, if any, is what the step has made when it ran before. */
const stepLine = /^-- Step(?:, unless there is (\w+))?$/m;
const concurrentIndex = /CREATE INDEX CONCURRENTLY "(\w+)"/;

/** Whether a script may be run again after it ended halfway: its steps find what an earlier attempt has made. */
export function isRepeatable(script: string): boolean {
  return stepLine.test(script);
}

/**
 * Runs a script: whole, where it has no lines "-- Step"; otherwise each step as a transaction of its own.
 * @throws pg.DatabaseError of the statement that failed
 */
export async function runScript(client: pg.ClientBase, script: string): Promise<void> {
  if (!isRepeatable(script)) {
    await client.query(script);
    return;
  }
  const [, ...parts] = script.split(stepLine);
  try {
    await client.query(`SET maintenance_work_mem = '256MB'`);
    for (let index = 0; index < parts.length; index += 2) {
      const made = parts[index];
      if (made === undefined || !(await hasTable(client, made)))
        await runStep(client, parts[index + 1] ?? '');
    }
  } finally {
    await client.query('RESET lock_timeout; RESET maintenance_work_mem').catch(() => undefined);
  }
}

async function runStep(client: pg.ClientBase, statements: string): Promise<void> {
  const [, index] = concurrentIndex.exec(statements) ?? [];
  if (index !== undefined) {
    // Nobody waits for this statement, and it has to wait for all transactions under way.
    await client.query('SET lock_timeout = 0');
    if (await hasWholeIndex(client, index)) return;
    await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${pg.escapeIdentifier(index)}`);
    await client.query(statements);
    return;
  }
  await client.query(`SET lock_timeout = ${lockWaitMs}`);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.query(statements);
      return;
    } catch (error) {
      const isLocked = error instanceof pg.DatabaseError && error.code === lockNotAvailable;
      if (!isLocked || attempt === maxAttempts) throw error;
    }
    await sleep(retryAfterMs);
  }
}

async function hasTable(client: pg.ClientBase, name: string): Promise<boolean> {
  const { rows } = await client.query<{ isThere: boolean }>(
    'SELECT to_regclass(quote_ident($1)) IS NOT NULL AS "isThere"',
    [name],
  );
  return rows[0]?.isThere === true;
}

/** An attempt that was ended leaves an index that is not valid. */
async function hasWholeIndex(client: pg.ClientBase, name: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT FROM pg_index WHERE indexrelid = to_regclass(quote_ident($1)) AND indisvalid',
    [name],
  );
  return rowCount === 1;
}
