// Connections that short reads share, on a real PostgreSQL: order, faults, loss, and what there is no room for.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { pino } from 'pino';
import { AppError } from '../../../src/core/errors.js';
import { createDatabase, type Database } from '../../../src/infra/postgres/database.js';
import { raw, sql } from '../../../src/infra/postgres/sql.js';
import { type RequestContext, runInRequest } from '../../../src/infra/telemetry/request-context.js';
import { createTestDatabase, ownerUrlOf } from '../../kit/harness.js';
import { until } from '../../kit/live.js';

const log = pino({ level: 'silent' });
const patient = { statementTimeoutMs: 60_000, acquireTimeoutMs: 60_000, log };
let url: string;
let db: Database;
let admin: pg.Client;
beforeAll(async () => {
  url = ownerUrlOf(await createTestDatabase());
  // A fifth of the connections is shared, two at most.
  db = createDatabase({ ...patient, url, poolMax: 10 });
  admin = new pg.Client({ connectionString: url });
  await admin.connect();
});
afterAll(async () => {
  await db.close();
  await admin.end();
});

/** Processes of PostgreSQL that serve this database, but for the test's own. */
async function backends(): Promise<number[]> {
  const { rows } = await admin.query(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sec-tester-api'`,
  );
  return rows.map(({ pid }) => pid).sort();
}
const pidOf = async (pool: Database) =>
  (await pool.read<{ pid: number }>(sql`SELECT pg_backend_pid() AS pid`))[0]?.pid as number;
const readPid = () => pidOf(db);
const sideBySide = <T>(count: number, work: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)));

/** Until both shared connections are open: they are opened in the background. */
async function shared(): Promise<Set<number>> {
  let pids = new Set<number>();
  await until(async () => {
    pids = new Set(await sideBySide(40, readPid));
    return pids.size === 2;
  }, 'two connections for all reads');
  return pids;
}

describe('reads', () => {
  it('share two connections, however many there are at once, and each gets its own answer', async () => {
    const pids = await shared();
    const found = await sideBySide(60, async (index) => {
      const [row] = await db.read<{ value: number; pid: number }>(
        sql`SELECT ${index}::int AS value, pg_backend_pid() AS pid`,
      );
      expect(row?.value).toBe(index);
      return row?.pid as number;
    });
    expect(new Set(found)).toEqual(pids);
  });

  it('beyond what two connections take go through the pool', async () => {
    const pids = await shared();
    const found = await sideBySide(200, async (index) => {
      const [row] = await db.read<{ value: number; pid: number }>(
        sql`SELECT ${index}::int AS value, pg_backend_pid() AS pid`,
      );
      return row as { value: number; pid: number };
    });
    expect(found.map(({ value }) => value)).toEqual(found.map((_, index) => index));
    expect(found.filter(({ pid }) => !pids.has(pid)).length).toBe(200 - 2 * 64);
    expect((await backends()).length).toBeLessThanOrEqual(10);
  });

  it('that fail leave those before and behind them alone', async () => {
    await shared();
    const outcomes = await Promise.allSettled([
      db.read(sql`SELECT ${1}::int AS one`),
      db.read(sql`SELECT 1 / ${0}::int AS none`),
      db.read(sql`SELECT nonsense`),
      db.read(sql`SELECT ${2}::int AS two`),
      db.read(sql`SELECT 1 / ${0}::int AS none`),
      db.read(sql`SELECT 1 / ${1}::int AS none`),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'rejected', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
    ]);
    expect((outcomes[5] as PromiseFulfilledResult<unknown>).value).toEqual([{ none: 1 }]);
  });

  it('are counted and timed on the request that sends them', async () => {
    await shared();
    const requests = await sideBySide(9, async () => {
      const request: RequestContext = { correlationId: '', ip: null, userAgent: null, dbQueries: 0, dbMs: 0 };
      await runInRequest(request, async () => {
        await db.read(sql`SELECT 1 AS first`);
        await db.read(sql`SELECT pg_sleep(0.01)`);
      });
      return request;
    });
    expect(requests.map(({ dbQueries }) => dbQueries)).toEqual(Array(9).fill(2));
    for (const { dbMs } of requests) expect(dbMs).toBeGreaterThan(9);
  });

  it('that differ from all before them more often than names are kept go through the pool', async () => {
    const other = createDatabase({ ...patient, url, poolMax: 10 });
    for (let index = 0; index < 450; index += 1) {
      const column = raw(`c${index}`);
      expect(await other.read(sql`SELECT ${index}::int AS ${column}`)).toEqual([{ [`c${index}`]: index }]);
    }
    expect(await other.read(sql`SELECT ${7}::int AS ${raw('c7')}`)).toEqual([{ c7: 7 }]);
    await other.close();
  });
});

describe('a shared connection that is lost', () => {
  it('fails what was on its way as UNAVAILABLE; what follows goes another way, until it is there again', async () => {
    const pids = await shared();
    const cut = sideBySide(10, () => db.read(sql`SELECT pg_sleep(60)`).catch((error: unknown) => error));
    await until(async () => {
      const { rows } = await admin.query(
        `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'`,
      );
      return rows.length === 2;
    }, 'statements under way');
    for (const pid of pids) await admin.query('SELECT pg_terminate_backend($1)', [pid]);
    for (const error of await cut) expect((error as AppError).code).toBe('UNAVAILABLE');
    const [row] = await db.read<{ fine: boolean }>(sql`SELECT true AS fine`);
    expect(row).toEqual({ fine: true });
    for (const pid of await shared()) expect(pids.has(pid)).toBe(false);
  });

  it('is closed with the rest', async () => {
    const other = createDatabase({ ...patient, url, poolMax: 5 });
    const before = await backends();
    await sideBySide(20, () => other.read(sql`SELECT 1 AS one`));
    await other.close();
    await until(async () => (await backends()).every((pid) => before.includes(pid)), 'no connection left');
    await expect(other.read(sql`SELECT 1 AS one`)).rejects.toThrow();
  });
});

describe('a table that is locked', () => {
  it('holds up few reads: those behind them are UNAVAILABLE, the rest go another way, and all is well after', async () => {
    const other = createDatabase({ url, poolMax: 10, statementTimeoutMs: 3000, acquireTimeoutMs: 500, log });
    await until(async () => new Set(await sideBySide(40, () => pidOf(other))).size === 2, 'two connections');
    await admin.query('CREATE TABLE locked (id int)');
    await admin.query('BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE');
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, () =>
        other.read(sql`SELECT count(*) FROM locked`).then(
          () => 'answered',
          (error: AppError) => error.code,
        ),
      ),
    );
    expect(new Set(outcomes)).toEqual(new Set(['QUERY_TIMEOUT', 'UNAVAILABLE']));
    await admin.query('COMMIT');
    await until(
      () =>
        other.read(sql`SELECT count(*) FROM locked`).then(
          () => true,
          () => false,
        ),
      'an answer',
    );
    expect(await sideBySide(60, () => other.read(sql`SELECT count(*)::int AS n FROM locked`))).toEqual(
      Array(60).fill([{ n: 0 }]),
    );
    await admin.query('DROP TABLE locked');
    await other.close();
  });
});

describe('the last statements of a transaction', () => {
  beforeAll(() => admin.query('CREATE TABLE notes (id int PRIMARY KEY, text text NOT NULL)'));
  afterAll(() => admin.query('DROP TABLE notes'));
  const notes = async () => (await admin.query('SELECT id FROM notes ORDER BY id')).rows.map(({ id }) => id);

  it('are committed with it', async () => {
    await db.transaction(async (tx) => {
      tx.finally(sql`INSERT INTO notes VALUES (2, ${'last'})`);
      await tx.query(sql`INSERT INTO notes VALUES (1, ${'first'})`);
    });
    expect(await notes()).toEqual([1, 2]);
  });

  it('undo all of it when one fails, and nothing follows', async () => {
    let followed = false;
    const work = db.transaction(async (tx) => {
      tx.afterCommit(() => {
        followed = true;
      });
      tx.finally(sql`INSERT INTO notes VALUES (3, ${'fine'})`);
      tx.finally(sql`INSERT INTO notes VALUES (4, ${null})`);
      tx.finally(sql`INSERT INTO notes VALUES (5, ${'behind'})`);
      await tx.query(sql`INSERT INTO notes VALUES (6, ${'first'})`);
    });
    await expect(work).rejects.toThrow(/null value/);
    expect([await notes(), followed]).toEqual([[1, 2], false]);
    await db.transaction((tx) => tx.query(sql`INSERT INTO notes VALUES (7, ${'on the same connection'})`));
    expect(await notes()).toEqual([1, 2, 7]);
  });

  it('are not sent when what comes before them fails', async () => {
    const work = db.transaction(async (tx) => {
      tx.finally(sql`INSERT INTO notes VALUES (8, ${'never'})`);
      throw new AppError('CONFLICT');
    });
    await expect(work).rejects.toThrow(AppError);
    expect(await notes()).toEqual([1, 2, 7]);
  });
});
