// The one connection pool: plain SQL and transactions on it, Prisma's client over it. No entity is named here.
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import type { Logger } from 'pino';
import type { Sql } from 'sql-template-tag';
import { AppError } from '../core/errors.js';
import { PrismaClient } from '../generated/prisma/client.js';
import { meterPool } from './database-meter.js';
import type { Metrics } from './metrics.js';

/** Rows of plain SQL: timestamps are RFC 3339 text, so that nothing is parsed only to be printed again. */
export type SqlRow<Model> = {
  [Key in keyof Model]: Model[Key] extends Date
    ? string
    : Model[Key] extends Date | null
      ? string | null
      : Model[Key];
};

/** A transaction: statements, and what happens once it is committed. */
export interface Transaction {
  query<Row>(statement: Sql): Promise<Row[]>;
  /** Runs after COMMIT, in order; never when the transaction fails. */
  afterCommit(action: () => void): void;
}

interface DatabaseOptions {
  url: string;
  poolMax: number;
  /** Server-side limit of one statement; the client gives up half a second later. */
  statementTimeoutMs: number;
  /** Longest wait for a free connection. */
  acquireTimeoutMs: number;
  log: Logger;
  metrics?: Metrics;
}

const maxPreparedStatements = 400;
const maxAttempts = 3;
const retryable = new Set(['40001', '40P01']); // serialization failure, deadlock
const unavailable =
  /^(08|53|57P0|58)|^(57014|25P03)$|^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH)/;
const timestamptz = 1184;

/** The database as services see it. */
export type Database = ReturnType<typeof createDatabase>;

/** Opens the pool; connects on first use. */
export function createDatabase(options: DatabaseOptions) {
  const pool = createPool(options);
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

  async function run<Row>(client: pg.PoolClient, statement: Sql, isKept = true): Promise<Row[]> {
    const text = statement.text;
    const name = isKept ? nameOf(text) : undefined;
    const result = await client.query({ name: name as string, text, values: statement.values });
    return result.rows as Row[];
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
    const result = await withClient(async (client) => {
      await client.query('BEGIN');
      try {
        const value = await work({
          query: (statement) => run(client, statement),
          afterCommit: (action) => actions.push(action),
        });
        const { command } = await client.query('COMMIT');
        if (command !== 'COMMIT') throw new Error('a statement failed unnoticed, so the transaction did');
        return value;
      } catch (error) {
        if (!isBroken(error)) await client.query('ROLLBACK');
        throw error;
      }
    });
    for (const action of actions) action();
    return result;
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
          options.metrics?.transaction((performance.now() - startedAt) / 1000, isFailed);
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
    poolState: () => ({
      total: pool.totalCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
      max: options.poolMax,
    }),

    async close(): Promise<void> {
      pool.removeAllListeners('error').on('error', () => {}); // what is lost now was about to be closed
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

/** Whether an error is a violation of this constraint or unique index. */
export function violates(error: unknown, constraint: string): boolean {
  return (error as { constraint?: string } | null)?.constraint === constraint;
}

/**
 * Tries to connect until it works, backing off from 0.1 s to 2 s.
 * @throws Error that names host and cause (never the password) after `timeoutMs`
 */
export async function waitForDatabase(url: string, timeoutMs: number, log: Logger): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (let delayMs = 100; ; delayMs = Math.min(delayMs * 2, 2000)) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3000 });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      await client.end().catch(() => {});
      const { host, port, pathname } = new URL(url);
      const where = `PostgreSQL at ${host || `localhost:${port || 5432}`}${pathname}`;
      const isHopeless = /^(28|3D)/.test(codeOf(error)); // wrong password, no such database
      if (isHopeless || Date.now() + delayMs > deadline) {
        throw new Error(`${where} cannot be used: ${reasonOf(error)}`, { cause: error });
      }
      log.warn(
        { event: 'database_unreachable', reason: reasonOf(error), retryInMs: delayMs },
        `${where}: retrying`,
      );
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}

function createPool(options: DatabaseOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolMax,
    connectionTimeoutMillis: options.acquireTimeoutMs,
    idleTimeoutMillis: 30_000,
    query_timeout: options.statementTimeoutMs + 500,
    keepAlive: true,
    application_name: 'sec-tester-api',
    options: `-c TimeZone=UTC -c jit=off -c statement_timeout=${options.statementTimeoutMs} -c idle_in_transaction_session_timeout=${options.statementTimeoutMs}`,
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        oid === timestamptz && format !== 'binary'
          ? toRfc3339
          : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
    },
  });
  pool.on('error', (error) =>
    options.log.warn({ event: 'database_connection_lost', reason: reasonOf(error) }),
  );
  // The pool listens only while a connection is idle: lost in use, it would end the process. Its statement fails too.
  pool.on('connect', (client) => client.on('error', () => {}));
  meterPool(pool, options.metrics);
  // The pool's own query() works by callbacks, which know nothing of the request; this is what Prisma calls.
  pool.query = (async (...args: Parameters<pg.PoolClient['query']>) => {
    const client = await pool.connect();
    let failure: unknown;
    try {
      return await client.query(...args);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      client.release(isBroken(failure));
    }
  }) as typeof pool.query;
  return pool;
}

/** PostgreSQL's text of a timestamptz(3) in UTC → RFC 3339 with milliseconds. */
function toRfc3339(text: string): string {
  if (text.length < 22 || !text.endsWith('+00')) return text; // infinity, or years beyond 9999
  const fraction = text.length > 22 ? text.slice(20, -3) : '';
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.padEnd(3, '0').slice(0, 3)}Z`;
}

function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { originalCode?: unknown } };
  return String(cause?.originalCode ?? code ?? '');
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** Whether it is the database's fault; a transaction that a rule ends is none. */
function isFault(error: unknown): boolean {
  return !(error instanceof AppError) || error.code === 'UNAVAILABLE';
}

/** Whether the connection must not be used again: it is gone, or an answer is still owed on it. */
function isBroken(error: unknown): boolean {
  if (error === undefined || error instanceof AppError)
    return error instanceof AppError && error.code === 'UNAVAILABLE';
  return (error as { severity?: string }).severity !== 'ERROR' && isUnavailable(error);
}

function isUnavailable(error: unknown): boolean {
  return (
    unavailable.test(codeOf(error)) ||
    /timeout|Connection terminated|Client has encountered a connection error|not queryable/i.test(
      reasonOf(error),
    )
  );
}

/** Down, slow or full → UNAVAILABLE with the cause for the log; anything else as it is. Prisma's errors too. */
export function toDatabaseError(error: unknown): unknown {
  if (error instanceof AppError || !isUnavailable(error)) return error;
  return new AppError('UNAVAILABLE', {
    message: 'The database is busy or down; try again shortly.',
    retryAfterSeconds: 1,
    cause: error,
  });
}
