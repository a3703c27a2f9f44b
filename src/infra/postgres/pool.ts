// The pool of connections. `acquire` is the only way to a connection, for plain SQL and for Prisma's adapter: it applies the
// request's budget, measures, and maps errors.
import pg from 'pg';
import type { Logger } from 'pino';
import type { Metrics } from '../telemetry/metrics.js';
import { withinBudget } from './acquire-budget.js';
import { clientConfig } from './connection/open.js';
import { type SessionNeeds, settleSession } from './connection/settings.js';
import { attemptAt, learnFrom, type Target, targetOf } from './connection/target.js';
import { isConnectionLost, reasonOf, toDatabaseError } from './errors.js';
import { beginStatement } from './query-metrics.js';

/** Options of the pool. */
export interface PoolOptions {
  url: string;
  poolMax: number;
  /** Server-side limit of one statement; the client gives up half a second later. */
  statementTimeoutMs: number;
  /** Longest wait for a free connection, summed over all waits of one request. */
  acquireTimeoutMs: number;
  log: Logger;
  metrics?: Metrics;
  /** Refuses a new connection by an error. */
  verify?: (client: pg.ClientBase) => Promise<void>;
}

/** The connections of the pool, and of the pipeline beside it. */
export interface Connections {
  target: Target;
  /** pg's configuration of a connection that is opened now. */
  config: () => pg.ClientConfig & { pipeline: boolean };
  /** Verifies the settings of a new connection; see `settleSession`. */
  settle: (client: pg.ClientBase) => Promise<void>;
}

/** Options of the connections that serve requests. */
export function connectionsOf({
  url,
  acquireTimeoutMs,
  statementTimeoutMs,
  verify,
}: PoolOptions): Connections {
  const target = targetOf(url);
  const needs: SessionNeeds = { statementTimeoutMs, idleInTransactionTimeoutMs: statementTimeoutMs };
  return {
    target,
    config: () => ({
      ...clientConfig(target, needs, 'sec-tester-api'),
      connectionTimeoutMillis: acquireTimeoutMs,
      query_timeout: statementTimeoutMs + 500,
      pipeline: true, // https://node-postgres.com/features/pipelining
    }),
    async settle(client) {
      await settleSession(client, target, needs, acquireTimeoutMs);
      await verify?.(client);
    },
  };
}

/** pg's pool with {@link ConnectionPool.acquire}. A class, because Prisma's adapter accepts only a `pg.Pool`. */
export class ConnectionPool extends pg.Pool {
  private readonly acquireTimeoutMs: number;
  private readonly metrics: Metrics | undefined;
  private readonly target: Target;

  /** Connects on first use. */
  constructor(options: PoolOptions) {
    const { target, config, settle } = connectionsOf(options);
    super({
      connectionTimeoutMillis: options.acquireTimeoutMs,
      max: options.poolMax,
      idleTimeoutMillis: 30_000,
      Client: measuredClient(config, options.metrics),
      onConnect: settle,
    });
    this.target = target;
    this.acquireTimeoutMs = options.acquireTimeoutMs;
    this.metrics = options.metrics;
    this.on('error', (error) =>
      options.log.warn({ event: 'database_connection_lost', reason: reasonOf(error) }),
    );
    // The pool listens only while a connection is idle. Lost in use, its error would end the process; its statement fails too.
    this.on('connect', (client) => client.on('error', () => {}));
  }

  /**
   * Takes a connection; give it back with its `release`.
   * @throws UNAVAILABLE when none is free within the budget of the request, or none can be opened
   */
  async acquire(): Promise<pg.PoolClient> {
    const startedAt = performance.now();
    try {
      const connect = () => this.connectSomewhere();
      const client =
        this.idleCount > this.waitingCount
          ? await connect()
          : await withinBudget(this.acquireTimeoutMs, connect, (late) => late.release());
      this.metrics?.connectionWait((performance.now() - startedAt) / 1000);
      return client;
    } catch (error) {
      throw toDatabaseError(error);
    }
  }

  /** Tries each host of the URL once. */
  private async connectSomewhere(): Promise<pg.PoolClient> {
    for (let left = this.target.address.hosts.length - 1; ; left -= 1) {
      const tried = attemptAt(this.target);
      try {
        return await super.connect();
      } catch (error) {
        if (isPoolBusy(error) || !learnFrom(this.target, error, tried) || left <= 0) throw error;
      }
    }
  }

  /**
   * Runs work on a connection, and closes the connection when the work lost it.
   * @throws UNAVAILABLE as {@link acquire} does, and when the connection is lost
   */
  async use<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.acquire();
    let failure: unknown;
    try {
      return await work(client);
    } catch (error) {
      failure = error;
      throw toDatabaseError(error);
    } finally {
      client.release(isConnectionLost(failure));
    }
  }

  /** Serves the transactions of Prisma's adapter. */
  override connect(): Promise<pg.PoolClient> {
    return this.acquire();
  }

  /** Serves the single statements of Prisma's adapter. One signature cannot express pg's overloads, hence `never`. */
  override query(statement: unknown): never {
    return this.use((client) => client.query(statement as pg.QueryConfig)) as never; // as above
  }
}

/** pg-pool's message when no connection became free in time. */
const isPoolBusy = (error: unknown): boolean =>
  error instanceof Error && error.message === 'timeout exceeded when trying to connect';

/**
 * Connects to the present host, and counts and times the statements of Prisma's adapter; statements of statement.ts are measured
 * by their sender.
 */
function measuredClient(config: () => pg.ClientConfig, metrics: Metrics | undefined): new () => pg.Client {
  return class MeasuredClient extends pg.Client {
    constructor() {
      super(config());
    }

    override query(statement: unknown): never {
      const result: unknown = super.query(statement as pg.QueryConfig);
      if (result instanceof Promise) {
        const { text } = typeof statement === 'string' ? { text: statement } : (statement as pg.QueryConfig);
        const end = beginStatement(text, metrics);
        result.then(
          () => end(null),
          (error: Error) => end(error),
        );
      }
      return result as never; // as above
    }
  };
}
