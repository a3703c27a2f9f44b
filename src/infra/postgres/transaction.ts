// Transactions: BEGIN and COMMIT go out together with the statements beside them, and a deadlock is tried again.
import type pg from 'pg';
import type { Sql } from 'sql-template-tag';
import type { Metrics } from '../telemetry/metrics.js';
import { codeOf, isConnectionLost, isFault } from './errors.js';
import type { ConnectionPool } from './pool.js';
import type { Schedule, StatementResult } from './statement.js';

/** Statements that are committed together, or a single one that commits by itself. */
export interface Statements {
  query<Row>(statement: Sql): Promise<Row[]>;
  /** Runs after COMMIT, in order; never when the transaction fails. */
  afterCommit(action: () => void): void;
}

/** A transaction in progress. */
export interface Transaction extends Statements {
  /** Sends a statement together with COMMIT, for outcomes that nothing waits for. If it fails, the transaction does. */
  finally(statement: Sql): void;
}

/** Runs one statement on a connection. */
export type RunStatement = (
  client: pg.ClientBase,
  statement: Sql | string,
  hold?: Schedule,
) => Promise<StatementResult>;

const maxAttempts = 3;
const retryableCodes = new Set(['40001', '40P01']); // serialization failure, deadlock

/** Runs work in one transaction; see `Database.transaction`. */
export type RunTransaction = <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>;

/** Makes the function that runs work in a transaction, up to three times when it deadlocks. */
export function createTransactions(
  pool: ConnectionPool,
  run: RunStatement,
  metrics: Metrics | undefined,
): RunTransaction {
  return async (work) => {
    for (let attempt = 1; ; attempt += 1) {
      const startedAt = performance.now();
      const measure = (isFailed: boolean) =>
        metrics?.transaction((performance.now() - startedAt) / 1000, isFailed);
      try {
        const result = await runOnce(pool, run, work);
        measure(false);
        return result;
      } catch (error) {
        measure(isFault(error));
        if (attempt >= maxAttempts || !retryableCodes.has(codeOf(error))) throw error;
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * attempt));
      }
    }
  };
}

async function runOnce<T>(
  pool: ConnectionPool,
  run: RunStatement,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const actions: (() => void)[] = [];
  const last: Sql[] = [];
  const result = await pool.use(async (client) => {
    const begun = run(client, 'BEGIN', process.nextTick); // goes out with the first statement
    begun.catch(() => {}); // the statements behind it fail too
    try {
      const value = await work({
        query: async <Row>(statement: Sql) => (await run(client, statement)).rows as Row[],
        finally: (statement) => last.push(statement),
        afterCommit: (action) => actions.push(action),
      });
      await begun;
      await commit(client, run, last);
      return value;
    } catch (error) {
      if (!isConnectionLost(error)) await run(client, 'ROLLBACK');
      throw error;
    }
  });
  for (const action of actions) action();
  return result;
}

/** @throws the error of the first of the last statements that failed: COMMIT has then undone everything */
async function commit(client: pg.ClientBase, run: RunStatement, last: readonly Sql[]): Promise<void> {
  const sent = [...last, 'COMMIT'].map((statement) => run(client, statement, process.nextTick));
  const ends = await Promise.allSettled(sent);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  const commit = ends.at(-1) as PromiseFulfilledResult<StatementResult>;
  if (commit.value.tag !== 'COMMIT') throw new Error('a statement failed unnoticed, so the transaction did');
}
