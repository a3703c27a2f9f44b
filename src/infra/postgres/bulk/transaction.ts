// A transaction on a connection of its own, for statements that take longer than those of the pool may.
import type pg from 'pg';
import { parserOf } from '../column-types.js';
import { codeOf, toDatabaseError } from '../errors.js';
import type { Sql } from '../sql.js';
import type { Transaction } from '../transaction.js';
import { type BulkOptions, connectForBulk } from './connection.js';

/** Transactions one after the other on a connection of their own. */
export interface BulkTransactions {
  /**
   * Runs work in one transaction (READ COMMITTED).
   * @throws UNAVAILABLE when the database is down
   * @throws QUERY_TIMEOUT
   */
  run: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>;
  close: () => Promise<void>;
}

/**
 * Opens a connection for transactions.
 * @throws UNAVAILABLE when the database is down
 */
export async function openBulkTransactions(options: BulkOptions): Promise<BulkTransactions> {
  const client = await connectForBulk(options, 'import', {
    getTypeParser: (oid: number) => parserOf(oid) ?? ((text: string) => text),
  });
  return { run: (work) => runOn(client, work), close: () => client.end().catch(() => {}) };
}

async function runOn<T>(client: pg.Client, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const actions: (() => void)[] = [];
  const last: Sql[] = [];
  try {
    await client.query('BEGIN');
    const value = await work({
      query: async <Row>({ text, values }: Sql) => (await client.query(text, values)).rows as Row[],
      finally: (statement) => last.push(statement),
      afterCommit: (action) => actions.push(action),
    });
    for (const { text, values } of last) await client.query(text, values);
    await client.query('COMMIT');
    for (const action of actions) action();
    return value;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw toDatabaseError(error);
  }
}

/** Runs work in one transaction on a connection of its own. Errors as {@link BulkTransactions.run}. */
export async function runBulkTransaction<T>(
  options: BulkOptions,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const transactions = await openBulkTransactions(options);
  try {
    return await transactions.run(work);
  } finally {
    await transactions.close();
  }
}

/** Whether a transaction that failed so may succeed when it is tried again. */
export function isRetryable(error: unknown): boolean {
  return ['40001', '40P01'].includes(codeOf(error));
}
