// Reads rows by COPY … TO STDOUT, for exports: PostgreSQL sends them as fast as they are taken, without a round trip per batch.
import { StringDecoder } from 'node:string_decoder';
import pg from 'pg';
import copyStreams from 'pg-copy-streams';
import { toDatabaseError } from '../errors.js';
import type { Sql } from '../sql.js';
import { type BulkOptions, connectForBulk } from './connection.js';

/**
 * Reads the rows of a SELECT on a connection of its own. Leaving the loop closes the connection.
 * @returns batches of lines of COPY's text format, of about 64 KiB each; copy-text.ts reads their fields
 * @throws UNAVAILABLE when the database cannot be reached, or the connection breaks
 * @throws QUERY_TIMEOUT
 */
export async function* readByCopy(options: BulkOptions, statement: Sql): AsyncGenerator<string[]> {
  const client = await connectForBulk(options, 'export');
  try {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    const stream = client.query(copyStreams.to(`COPY (${withLiterals(statement)}) TO STDOUT`));
    for await (const chunk of stream) {
      const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
      rest = lines.pop() ?? '';
      if (lines.length > 0) yield lines;
    }
  } catch (error) {
    throw toDatabaseError(error);
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * The text of a statement with its values as literals: COPY takes no parameters. A quoted literal without a cast has the type
 * that PostgreSQL infers, as a parameter has. The quoting is that of libpq's PQescapeLiteral.
 */
export function withLiterals({ strings, values }: Sql): string {
  return strings.reduce((text, part, at) => `${text}${literalOf(values[at - 1])}${part}`);
}

function literalOf(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  const text =
    value instanceof Date ? value.toISOString() : Array.isArray(value) ? arrayOf(value) : String(value);
  if (text.includes('\0')) throw new TypeError('PostgreSQL takes no text with a NUL character');
  return pg.escapeLiteral(text);
}

function arrayOf(values: readonly unknown[]): string {
  return `{${values.map((value) => `"${String(value).replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}
