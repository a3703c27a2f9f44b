// The database as services use it: plain SQL and transactions on the one pool, Prisma's client over it. No entity is named here.
import { PrismaPg } from '@prisma/adapter-pg';
import type pg from 'pg';
import type { Sql } from 'sql-template-tag';
import { PrismaClient } from '../../generated/prisma/client.js';
import { codeOf, isBroken, isFault, toDatabaseError } from './errors.js';
import { createLanes } from './pipeline.js';
import { connectionOf, createPool, type PoolOptions } from './pool.js';
import { holdWrites, runStatement } from './prepared-statement.js';
import { beginStatement } from './query-metrics.js';

/** Rows of plain SQL: timestamps are RFC 3339 text, so that nothing is parsed only to be printed again. */
export type SqlRow<Model> = {
  [Key in keyof Model]: Model[Key] extends Date
    ? string
    : Model[Key] extends Date | null
      ? string | null
      : Model[Key];
};

/** Statements that are committed together, and what happens then; a single one too. */
export interface Statements {
  query<Row>(statement: Sql): Promise<Row[]>;
  /** Runs after COMMIT, in order; never when the transaction fails. */
  afterCommit(action: () => void): void;
}

export interface Transaction extends Statements {
  /** A statement whose outcome nothing waits for: it goes out with COMMIT. When it fails, the transaction does. */
  finally(statement: Sql): void;
}

const maxPreparedStatements = 400;
/** Of the connections, those that short reads share; a small pool has none. */
const lanesMax = 2;
const maxAttempts = 3;
const retryable = new Set(['40001', '40P01']); // serialization failure, deadlock

/** The database as services see it. */
export type Database = ReturnType<typeof createDatabase>;

/** Opens the pool; connects on first use. */
export function createDatabase(options: PoolOptions) {
  const { metrics, poolMax } = options;
  const laneCount = Math.min(lanesMax, Math.floor(poolMax / 5));
  const pool = createPool({ ...options, poolMax: poolMax - laneCount });
  const lanes = createLanes(connectionOf(options), laneCount, options.acquireTimeoutMs, options.log);
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  const names = new Map<string, string>();

  /** Named, so that PostgreSQL plans each text once per connection; bounded, as the names are kept by the server. */
  function nameOf(text: string): string | undefined {
    let name = names.get(text);
    if (name === undefined && names.size < maxPreparedStatements) {
      name = `s${names.size}`;
      names.set(text, name);
    }
    return name;
  }

  async function run<Row>(client: pg.PoolClient, { text, values }: Sql, isKept = true): Promise<Row[]> {
    const name = isKept ? nameOf(text) : undefined;
    if (name === undefined) return (await client.query({ text, values })).rows as Row[];
    const end = beginStatement(text, metrics);
    return new Promise((resolve, reject) => {
      runStatement(client, { name, text, values }, (error, rows) => {
        end(error);
        if (error === null) resolve(rows as Row[]);
        else reject(error);
      });
    });
  }

  /** On a shared connection; undefined when none has room, or when it came to nothing there. */
  async function runShared<Row>({ text, values }: Sql): Promise<Row[] | undefined> {
    const name = nameOf(text);
    const rows = name === undefined ? undefined : lanes.run({ name, text, values });
    if (rows === undefined) return undefined;
    const end = beginStatement(text, metrics);
    try {
      const found = await rows;
      end(null);
      return found as Row[];
    } catch (error) {
      end(error as Error);
      // One that was to prepare it failed ahead of this one, which was sent before that was known.
      if (codeOf(error) === '26000') return undefined;
      throw toDatabaseError(error);
    }
  }

  async function withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    let client: pg.PoolClient;
    try {
      client = await pool.connect();
    } catch (error) {
      throw toDatabaseError(error);
    }
    let failure: unknown;
    try {
      return await work(client);
    } catch (error) {
      failure = error;
      throw toDatabaseError(error);
    } finally {
      client.release(isBroken(failure));
    }
  }

  async function attempt<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const actions: (() => void)[] = [];
    const last: Sql[] = [];
    const result = await withClient(async (client) => {
      const release = holdWrites(client);
      process.nextTick(release); // BEGIN goes out with the first statement
      const begun = client.query('BEGIN');
      begun.catch(() => {}); // what follows fails too
      try {
        const value = await work({
          query: (statement) => run(client, statement),
          finally: (statement) => last.push(statement),
          afterCommit: (action) => actions.push(action),
        });
        await begun;
        await commit(client, last);
        return value;
      } catch (error) {
        if (!isBroken(error)) await client.query('ROLLBACK');
        throw error;
      }
    });
    for (const action of actions) action();
    return result;
  }

  /** @throws what one of the last statements threw: COMMIT has undone everything then */
  async function commit(client: pg.PoolClient, last: readonly Sql[]): Promise<void> {
    const release = holdWrites(client);
    const sent = [...last.map((statement) => run(client, statement)), client.query('COMMIT')];
    release();
    const ends = await Promise.allSettled(sent);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    const { command } = (ends.at(-1) as PromiseFulfilledResult<pg.QueryResult>).value;
    if (command !== 'COMMIT') throw new Error('a statement failed unnoticed, so the transaction did');
  }

  return {
    /** Prisma's typed client over the same pool, for reads that are not hot. */
    prisma,

    /**
     * Runs one statement on its own.
     * @throws UNAVAILABLE when the database is down, too slow or all connections are busy
     */
    query: <Row>(statement: Sql): Promise<Row[]> => withClient((client) => run<Row>(client, statement)),

    /**
     * As {@link query}, for reads that an index makes short: they share connections, and a slow one would keep the
     * others waiting.
     */
    read: async <Row>(statement: Sql): Promise<Row[]> =>
      (await runShared<Row>(statement)) ?? withClient((client) => run<Row>(client, statement)),

    /**
     * As {@link query}, but planned for these very values: for filters whose best index depends on what is sought.
     * A plan that is kept is for any value, and would read a whole table to find a rare one.
     */
    queryAnew: <Row>(statement: Sql): Promise<Row[]> =>
      withClient((client) => run<Row>(client, statement, false)),

    /**
     * Runs work in one transaction (READ COMMITTED); again, up to three times, after a deadlock.
     * @throws UNAVAILABLE as {@link query} does
     */
    async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
      for (let tries = 1; ; tries += 1) {
        const startedAt = performance.now();
        const told = (isFailed: boolean) =>
          metrics?.transaction((performance.now() - startedAt) / 1000, isFailed);
        try {
          const result = await attempt(work);
          told(false);
          return result;
        } catch (error) {
          told(isFault(error));
          if (tries >= maxAttempts || !retryable.has(codeOf(error))) throw error;
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * tries));
        }
      }
    },

    /** Connections now: all, idle, and requests that wait for one. */
    poolState: () => {
      const { open, busy } = lanes.state();
      return {
        total: pool.totalCount + open,
        idle: pool.idleCount + open - busy,
        waiting: pool.waitingCount,
        max: poolMax,
      };
    },

    async close(): Promise<void> {
      pool.removeAllListeners('error').on('error', () => {}); // what is lost now was about to be closed
      await prisma.$disconnect();
      await Promise.all([pool.end(), lanes.close()]);
    },
  };
}
