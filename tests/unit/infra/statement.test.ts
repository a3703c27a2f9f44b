// How statements travel to PostgreSQL: what it is asked to describe, and the names it knows them by.
import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { createDatabase, type Database } from '../../../src/infra/postgres/database.js';
import { join, raw, sql } from '../../../src/infra/postgres/sql.js';
import { createTestDatabase, ownerUrlOf } from '../../kit/harness.js';

const log = pino({ level: 'silent' });
const options = { poolMax: 1, statementTimeoutMs: 60_000, acquireTimeoutMs: 60_000, log };

/** Messages of PostgreSQL (their types, in order) on all connections through it. */
const received: string[] = [];
let tap: Server;
let url: string;
let tappedUrl: string;
let db: Database;
beforeAll(async () => {
  url = ownerUrlOf(await createTestDatabase());
  const { hostname, port } = new URL(url);
  tap = createServer((incoming) => {
    const outgoing = connect(Number(port), hostname);
    let rest = Buffer.alloc(0);
    outgoing.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 5 && rest.length > rest.readUInt32BE(1)) {
        received.push(rest.toString('latin1', 0, 1));
        rest = rest.subarray(rest.readUInt32BE(1) + 1);
      }
    });
    for (const socket of [incoming, outgoing]) socket.on('error', () => {});
    incoming.pipe(outgoing).pipe(incoming);
  });
  await new Promise<void>((resolve) => tap.listen(0, '127.0.0.1', resolve));
  const tapped = new URL(url);
  tapped.host = `127.0.0.1:${(tap.address() as { port: number }).port}`;
  tappedUrl = tapped.href;
  db = createDatabase({ ...options, url: tappedUrl });
});
afterAll(async () => {
  await db.close();
  tap.close();
});

const rowDescription = 'T';
const noData = 'n';
const described = () => received.filter((type) => type === rowDescription || type === noData).length;
const namesOf = async (of: Database) =>
  (
    await of.query<{ name: string; statement: string }>(
      sql`SELECT name, statement FROM pg_prepared_statements WHERE name <> ''`,
    )
  ).filter(({ statement }) => statement.includes('AS named'));

describe('a statement that is sent again on the same connection', () => {
  it('is not described again, and its rows are read as before', async () => {
    const ask = (id: number) =>
      db.query(sql`SELECT ${id}::int AS id, 'x'::text AS text, now() IS NULL AS "isNull"`);
    const first = await ask(1);
    const before = described();
    expect(await ask(2)).toEqual([{ id: 2, text: 'x', isNull: false }]);
    expect(await ask(3)).toEqual([{ id: 3, text: 'x', isNull: false }]);
    expect(first).toEqual([{ id: 1, text: 'x', isNull: false }]);
    expect(described()).toBe(before);
  });

  it('is not described again when it returns no rows', async () => {
    await db.query(sql`CREATE TABLE counted (id int)`);
    const add = (id: number) => db.query(sql`INSERT INTO counted VALUES (${id})`);
    expect(await add(1)).toEqual([]);
    const before = described();
    expect(await add(2)).toEqual([]);
    expect(described()).toBe(before);
    expect(await db.query(sql`SELECT id FROM counted ORDER BY id`)).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it('works after it failed', async () => {
    const divide = (by: number) => db.query(sql`SELECT 6 / ${by}::int AS result`);
    await expect(divide(0)).rejects.toThrow('division by zero');
    expect(await divide(3)).toEqual([{ result: 2 }]);
    await expect(divide(0)).rejects.toThrow('division by zero');
    expect(await divide(2)).toEqual([{ result: 3 }]);
  });
});

describe('the name of a prepared statement', () => {
  it('is the same in every process that sends the text, after any other statements', async () => {
    const other = createDatabase({ ...options, url });
    await other.query(sql`SELECT ${1}::int AS before`);
    for (const database of [db, other]) {
      await database.query(sql`SELECT ${1}::int AS named, 1 AS one`);
      await database.query(sql`SELECT ${1}::int AS named, 2 AS two`);
    }
    const [mine, others] = [await namesOf(db), await namesOf(other)];
    const byText = (a: { statement: string }, b: { statement: string }) =>
      a.statement < b.statement ? -1 : 1;
    expect(mine.sort(byText)).toEqual(others.sort(byText));
    expect(new Set(mine.map(({ name }) => name)).size).toBe(2);
    await other.close();
  });
});

describe('a row', () => {
  it('has every column under its name, up to as many as PostgreSQL returns to one query of ours', async () => {
    const columns = Array.from({ length: 60 }, (_, index) => raw(`${index} AS c${index}`));
    const [row] = await db.query<Record<string, number>>(
      sql`SELECT ${join(columns)}, ${'last'}::text AS last`,
    );
    expect(Object.entries(row ?? {})).toEqual([
      ...columns.map((_, index) => [`c${index}`, index]),
      ['last', 'last'],
    ]);
  });

  it('keeps nulls, numbers, booleans, JSON and arrays apart from text', async () => {
    const [row] = await db.query(sql`SELECT
      NULL::int AS nothing, 7 AS seven, 1.5::float8 AS half, true AS yes, '{"a": [1]}'::jsonb AS json,
      ARRAY[1, 2] AS numbers, ARRAY['a', 'b,c', NULL]::text[] AS texts, '{}'::uuid[] AS none, ${'{1}'}::text AS text`);
    expect(row).toEqual({
      nothing: null,
      seven: 7,
      half: 1.5,
      yes: true,
      json: { a: [1] },
      numbers: [1, 2],
      texts: ['a', 'b,c', null],
      none: [],
      text: '{1}',
    });
  });
});
