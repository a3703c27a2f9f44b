// A connection of its own for bulk work: COPY and long statements, beside the pool whose statements are short.
import { finished } from 'node:stream/promises';
import pg from 'pg';
import copyStreams from 'pg-copy-streams';
import { openClient } from '../connection/open.js';
import { startOf } from '../connection/settings.js';
import { targetOf } from '../connection/target.js';
import { toDatabaseError } from '../errors.js';
import type { Sql } from '../sql.js';

/** Options of a bulk connection; plain data, so that a worker thread can be given it. */
export interface BulkOptions {
  url: string;
  /** Longest time that one statement may take, in milliseconds. */
  statementTimeoutMs: number;
  connectTimeoutMs: number;
  /** Whether a pooler lends connections by the transaction; see `Target.isShared`. */
  isShared?: boolean;
  /** The server that it must lead to, by {@link startOf}; any, unless given. */
  startedAt?: string | undefined;
}

/** A COPY that takes rows as lines of PostgreSQL's text format. */
export interface Copy {
  /** Sends lines, and waits while the server reads more slowly. */
  write(lines: string): Promise<void>;
  /** @throws Error of PostgreSQL when a line does not fit the table */
  end(): Promise<void>;
}

/** A connection for bulk work. */
export interface BulkConnection {
  query<Row>(statement: Sql): Promise<Row[]>;
  /** Begins a COPY. Until it has ended, the connection runs nothing else. */
  copyInto(table: string, columns: readonly string[]): Copy;
  close(): Promise<void>;
}

/**
 * Connects a client of pg for bulk work.
 * @param purpose names the connection in pg_stat_activity
 * @throws UNAVAILABLE when the database cannot be reached
 */
export async function connectForBulk(
  options: BulkOptions,
  purpose: 'import' | 'export',
  types?: pg.CustomTypesConfig,
): Promise<pg.Client> {
  const { url, statementTimeoutMs, connectTimeoutMs, isShared, startedAt } = options;
  targetOf(url).isShared = isShared === true; // for a thread, which has not seen the database yet
  try {
    const client = await openClient(url, {
      applicationName: `sec-tester-api ${purpose}`,
      statementTimeoutMs,
      connectTimeoutMs,
      isReadOnly: purpose === 'export' && isShared !== true,
      ...(types !== undefined && { types }),
    });
    if (startedAt === undefined || startedAt === (await startOf(client, connectTimeoutMs))) return client;
    await client.end();
    throw new Error('it leads to another server than before');
  } catch (error) {
    throw toDatabaseError(error);
  }
}

/**
 * Opens a connection for bulk work.
 * @throws UNAVAILABLE when the database cannot be reached
 */
export async function openBulkConnection(options: BulkOptions): Promise<BulkConnection> {
  const client = await connectForBulk(options, 'import');
  return {
    async query<Row>({ text, values }: Sql): Promise<Row[]> {
      try {
        return (await client.query(text, values)).rows as Row[];
      } catch (error) {
        throw toDatabaseError(error);
      }
    },
    copyInto: (table, columns) => startCopy(client, table, columns),
    close: () => client.end(),
  };
}

function startCopy(client: pg.Client, table: string, columns: readonly string[]): Copy {
  const names = columns.map((name) => pg.escapeIdentifier(name)).join(', ');
  const stream = client.query(copyStreams.from(`COPY ${pg.escapeIdentifier(table)} (${names}) FROM STDIN`));
  const done = finished(stream);
  done.catch(() => {}); // thrown where the next lines are written, or at the end
  const write = (lines: string): boolean => {
    try {
      return stream.write(lines);
    } catch (error) {
      // The stream of a lost connection throws a TypeError, after `done` has said why.
      stream.destroy(error as Error);
      return false;
    }
  };
  return {
    async write(lines) {
      if (write(lines)) return;
      const drained = new Promise<void>((resolve) => {
        stream.once('drain', resolve);
      });
      await Promise.race([drained, done]).catch((error: unknown) => {
        throw toDatabaseError(error);
      });
    },
    async end() {
      stream.end();
      await done.catch((error: unknown) => {
        throw toDatabaseError(error);
      });
    },
  };
}

/** A row as a line of COPY's text format; undefined, null and empty arrays become NULL. */
export function copyLine(values: readonly unknown[]): string {
  let line = '';
  for (let index = 0; index < values.length; index += 1) {
    if (index > 0) line += '\t';
    line += field(values[index]);
  }
  return `${line}\n`;
}

function field(value: unknown): string {
  if (value === null || value === undefined) return '\\N';
  if (typeof value === 'string') return escaped(value);
  if (Array.isArray(value)) return value.length === 0 ? '\\N' : escaped(arrayLiteral(value));
  if (typeof value === 'object') return escaped(JSON.stringify(value));
  return String(value);
}

const special = /[\\\t\n\r]/;
const escapes: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function escaped(text: string): string {
  return special.test(text) ? text.replace(/[\\\t\n\r]/g, (letter) => escapes[letter] as string) : text;
}

function arrayLiteral(values: readonly unknown[]): string {
  const items = values.map((value) =>
    typeof value === 'string' ? `"${value.replace(/["\\]/g, '\\$&')}"` : String(value),
  );
  return `{${items.join(',')}}`;
}
