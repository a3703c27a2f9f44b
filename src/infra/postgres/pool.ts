// The pool of connections: its settings and the types it reads. What goes through it is counted in database-meter.ts.
import pg from 'pg';
import type { Logger } from 'pino';
import type { Metrics } from '../telemetry/metrics.js';
import { limitWaits } from './acquire-budget.js';
import { isBroken, reasonOf } from './errors.js';
import { meterPool } from './query-metrics.js';

/** How to connect. */
export interface PoolOptions {
  url: string;
  poolMax: number;
  /** Server-side limit of one statement; the client gives up half a second later. */
  statementTimeoutMs: number;
  /** Longest wait for a free connection; all waits of one request together. */
  acquireTimeoutMs: number;
  log: Logger;
  metrics?: Metrics;
}

/** Of types that are read often, by their oid. */
const parsers = new Map<number, (text: string) => unknown>([
  [1184, toRfc3339], // timestamptz
  [1007, arrayParser(1007, Number)], // integer[]
  [1009, arrayParser(1009, String)], // text[]
  [2951, arrayParser(2951, String)], // uuid[]
]);

/** How each connection is made, in the pool or beside it. */
export function connectionOf({
  url,
  acquireTimeoutMs,
  statementTimeoutMs,
}: PoolOptions): pg.ClientConfig & { pipeline: boolean } {
  return {
    connectionString: url,
    connectionTimeoutMillis: acquireTimeoutMs,
    query_timeout: statementTimeoutMs + 500,
    keepAlive: true,
    pipeline: true, // statements need not wait for the one before
    application_name: 'sec-tester-api',
    options: `-c TimeZone=UTC -c jit=off -c statement_timeout=${statementTimeoutMs} -c idle_in_transaction_session_timeout=${statementTimeoutMs}`,
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        (format === 'binary' ? undefined : parsers.get(oid)) ??
        pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
    },
  };
}

/** Opens the pool; connects on first use. */
export function createPool(options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    ...connectionOf(options),
    max: options.poolMax,
    idleTimeoutMillis: 30_000,
  });
  pool.on('error', (error) =>
    options.log.warn({ event: 'database_connection_lost', reason: reasonOf(error) }),
  );
  // The pool listens only while a connection is idle: lost in use, it would end the process. Its statement fails too.
  pool.on('connect', (client) => client.on('error', () => {}));
  limitWaits(pool, options.acquireTimeoutMs);
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

/** Short arrays that are remembered by their text: tags and the like are the same in most rows. */
const maxKnownArrays = 1000;
const maxKnownLength = 100;

/**
 * Arrays of plain items are split; whatever is quoted, nested or null is left to pg's parser, which reads letter by letter.
 * What it gives may be shared, and so is frozen.
 */
function arrayParser(oid: number, parse: (item: string) => unknown): (text: string) => unknown {
  const parseAny = pg.types.getTypeParser(oid);
  const known = new Map<string, unknown>();
  const read = (text: string): unknown =>
    /^\{[^"{}\\]+\}$/.test(text) && !/\bnull\b/i.test(text)
      ? text.slice(1, -1).split(',').map(parse)
      : parseAny(text);
  return (text) => {
    const shared = known.get(text);
    if (shared !== undefined) return shared;
    const array = Object.freeze(text === '{}' ? [] : read(text));
    if (known.size >= maxKnownArrays) known.clear();
    if (text.length <= maxKnownLength) known.set(text, array);
    return array;
  };
}

/** PostgreSQL's text of a timestamptz(3) in UTC → RFC 3339 with milliseconds. */
function toRfc3339(text: string): string {
  if (text.length < 22 || !text.endsWith('+00')) return text; // infinity, or years beyond 9999
  const fraction = text.length > 22 ? text.slice(20, -3) : '';
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.padEnd(3, '0').slice(0, 3)}Z`;
}
