// One server of PostgreSQL as statements see it: a pool, and beside it connections that short reads share.
import type pg from 'pg';
import type { Sql } from 'sql-template-tag';
import { codeOf, toDatabaseError } from '../errors.js';
import { createPipeline } from '../pipeline.js';
import { ConnectionPool, connectionsOf, type PoolOptions } from '../pool.js';
import { beginStatement } from '../query-metrics.js';
import {
  createStatementNames,
  type OnResult,
  type Schedule,
  type StatementResult,
  sendStatement,
} from '../statement.js';
import type { RunStatement } from '../transaction.js';

/** Ways to run a single statement. */
export interface Reads {
  /**
   * Runs one statement by itself.
   * @throws UNAVAILABLE when the database is down or too slow, or no connection is free in time
   */
  query<Row>(statement: Sql): Promise<Row[]>;
  /** As {@link query}, for reads that an index makes short: they share connections, so a slow one delays the others. */
  read<Row>(statement: Sql): Promise<Row[]>;
  /**
   * As {@link query}, but planned for these very values, for filters whose best index depends on the value. A cached plan
   * fits any value, and would scan a whole table to find a rare one.
   */
  queryUncached<Row>(statement: Sql): Promise<Row[]>;
}

/** The connections to one server. */
export interface ServerConnections {
  reads: Reads;
  pool: ConnectionPool;
  /** Runs a statement on a connection of the pool that is taken. */
  run: RunStatement;
  /** Connections at this moment: open, idle, the limit, and the requests that wait for one. */
  poolState(): { total: number; idle: number; waiting: number; max: number };
  /** Statements and transactions that run or wait for a connection. */
  busy(): number;
  close(): Promise<void>;
}

/** Connections that short reads share; a pool of fewer than five has none to share. */
const maxShared = 2;

/** Opens the pool; connects on first use. */
export function createConnections(options: PoolOptions): ServerConnections {
  const { metrics, poolMax, acquireTimeoutMs, log } = options;
  const sharedCount = Math.min(maxShared, Math.floor(poolMax / 5));
  const pool = new ConnectionPool({ ...options, poolMax: poolMax - sharedCount });
  const connections = connectionsOf(options);
  const pipeline = createPipeline({ connections, count: sharedCount, maxWaitMs: acquireTimeoutMs, log });
  const nameOf = createStatementNames();
  const run = createRunner(nameOf, metrics);
  const runAlone = <Row>(statement: Sql, isCached: boolean): Promise<Row[]> =>
    pool.use(async (client) => (await run(client, statement, undefined, isCached)).rows as Row[]);

  /** On a shared connection; undefined when none has room, or when the statement never ran there. */
  async function runShared<Row>({ text, values }: Sql): Promise<Row[] | undefined> {
    const name = nameOf(text);
    const sent = name === undefined ? undefined : pipeline.run({ name, text, values });
    if (sent === undefined) return undefined;
    const end = beginStatement(text, metrics);
    try {
      const rows = await sent;
      end(null);
      return rows as Row[];
    } catch (error) {
      end(error as Error);
      // The statement ahead that was to prepare it failed after this one had been sent.
      if (codeOf(error) === '26000') return undefined;
      throw toDatabaseError(error);
    }
  }

  return {
    reads: {
      query: (statement) => runAlone(statement, true),
      read: async <Row>(statement: Sql) =>
        (await runShared<Row>(statement)) ?? runAlone<Row>(statement, true),
      queryUncached: (statement) => runAlone(statement, false),
    },
    pool,
    run,

    poolState() {
      const { open, busy } = pipeline.state();
      return {
        total: pool.totalCount + open,
        idle: pool.idleCount + open - busy,
        waiting: pool.waitingCount,
        max: poolMax,
      };
    },

    busy: () => pipeline.state().inFlight + pool.totalCount - pool.idleCount + pool.waitingCount,

    async close() {
      pool.removeAllListeners('error').on('error', () => {}); // a connection lost now was about to be closed
      await Promise.all([pool.end(), pipeline.close()]);
    },
  };
}

/** Runs statements on a connection that is taken, and measures them. */
function createRunner(nameOf: ReturnType<typeof createStatementNames>, metrics: PoolOptions['metrics']) {
  return (
    client: pg.ClientBase,
    statement: Sql | string,
    hold?: Schedule,
    isCached = true,
  ): Promise<StatementResult> => {
    const { text, values } =
      typeof statement === 'string' ? { text: statement, values: undefined } : statement;
    const name = isCached && values !== undefined ? nameOf(text) : undefined;
    const end = beginStatement(text, metrics);
    return new Promise((resolve, reject) => {
      const onResult: OnResult = (error, result) => {
        end(error);
        if (result !== undefined) resolve(result);
        else reject(error);
      };
      sendStatement(client, { name, text, values }, onResult, hold);
    });
  };
}
