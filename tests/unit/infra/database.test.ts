// The pool on a real PostgreSQL: statements, transactions, deadlocks, time-outs, lost connections, waiting for a start.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { pino } from 'pino';
import { AppError } from '../../../src/core/errors.js';
import { waitForDatabase } from '../../../src/infra/postgres/connection/wait-until-ready.js';
import { createDatabase, type Database } from '../../../src/infra/postgres/database.js';
import { toDatabaseError, violates } from '../../../src/infra/postgres/errors.js';
import { raw, sql } from '../../../src/infra/postgres/sql.js';
import { type RequestContext, runInRequest } from '../../../src/infra/telemetry/request-context.js';
import { createTestDatabase, ownerUrlOf } from '../../kit/harness.js';
import { until } from '../../kit/live.js';

const log = pino({ level: 'silent' });
const patience = { statementTimeoutMs: 60_000, acquireTimeoutMs: 60_000 };
let url: string;
let db: Database;
let admin: pg.Client;
beforeAll(async () => {
  // It makes tables of its own.
  url = ownerUrlOf(await createTestDatabase());
  db = createDatabase({ url, poolMax: 3, ...patience, log });
  admin = new pg.Client({ connectionString: url });
  await admin.connect();
  await admin.query(
    'CREATE TABLE pairs (id int PRIMARY KEY, value int NOT NULL CONSTRAINT small CHECK (value < 100))',
  );
});
beforeEach(() => admin.query('TRUNCATE pairs; INSERT INTO pairs VALUES (1, 0), (2, 0)'));
afterAll(async () => {
  await db.close();
  await admin.query('DROP TABLE pairs');
  await admin.end();
});

const stored = async (id: number) =>
  (await admin.query('SELECT value FROM pairs WHERE id = $1', [id])).rows[0]?.value;
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'no error',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );

/** Takes a connection; what it returns gives it back. */
async function holdOne(pool: Database): Promise<() => Promise<void>> {
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let transaction: Promise<void> | undefined;
  await new Promise<void>((begun) => {
    transaction = pool.transaction(() => {
      begun();
      return held;
    });
  });
  return async () => {
    letGo();
    await transaction;
  };
}

describe('a statement', () => {
  it('gives rows with moments as RFC 3339 text', async () => {
    const [row] = await db.query(sql`
      SELECT '2026-01-31 10:30:00.5+01'::timestamptz(3) AS half, '2026-01-31 09:30+00'::timestamptz AS whole,
        'infinity'::timestamptz AS never, NULL::timestamptz AS nothing, ${'x'}::text AS text`);
    expect(row).toEqual({
      ...{ half: '2026-01-31T09:30:00.500Z', whole: '2026-01-31T09:30:00.000Z' },
      ...{ never: 'infinity', nothing: null, text: 'x' },
    });
  });

  it('may differ from all before it, more often than names are kept', async () => {
    for (let index = 0; index < 450; index += 1) {
      const [row] = await db.query<{ value: number }>(
        sql`SELECT ${index}::int AS value, ${index}::int AS ${raw(`c${index}`)}`,
      );
      if (row?.value !== index) expect(row?.value).toBe(index);
    }
    const [again] = await db.query<{ value: number }>(
      sql`SELECT ${7}::int AS value, ${7}::int AS ${raw('c7')}`,
    );
    expect(again?.value).toBe(7);
  });

  it('has its plan kept, unless it is asked again', async () => {
    const narrow = createDatabase({ url, poolMax: 1, ...patience, log });
    await narrow.query(sql`SELECT ${1}::int AS kept`);
    expect(await narrow.queryUncached(sql`SELECT ${2}::int AS anew`)).toEqual([{ anew: 2 }]);
    const kept = await narrow.query<{ statement: string }>(
      sql`SELECT statement FROM pg_prepared_statements WHERE name <> ''`,
    );
    expect(kept.map(({ statement }) => statement.slice(0, 24)).sort()).toEqual([
      'SELECT $1::int AS kept',
      'SELECT statement FROM pg',
    ]);
    await narrow.close();
  });

  it('is counted and timed on the request that sends it, Prisma’s too', async () => {
    const request: RequestContext = { correlationId: 'c', ip: null, userAgent: null, dbQueries: 0, dbMs: 0 };
    await runInRequest(request, async () => {
      await db.query(sql`SELECT pg_sleep(0.02)`);
      await db.transaction((tx) => tx.query(sql`SELECT 1`)); // with BEGIN and COMMIT
      await db.prisma.user.count();
    });
    expect(request.dbQueries).toBe(5);
    expect(request.dbMs).toBeGreaterThan(15);
  });

  it('is counted on the right request, also when it had to wait for a connection', async () => {
    const requests = await Promise.all(
      Array.from({ length: 9 }, async (_, index) => {
        const request: RequestContext = {
          correlationId: `${index}`,
          ip: null,
          userAgent: null,
          dbQueries: 0,
          dbMs: 0,
        };
        await runInRequest(request, async () => {
          await db.prisma.user.count();
          await db.query(sql`SELECT pg_sleep(0.01)`);
        });
        return request;
      }),
    );
    expect(requests.map(({ dbQueries }) => dbQueries)).toEqual(Array(9).fill(2));
  });

  it('tells which constraint it violates', async () => {
    const failure = await db
      .query(sql`UPDATE pairs SET value = 100 WHERE id = 1`)
      .catch((error: unknown) => error);
    expect([violates(failure, 'small'), violates(failure, 'other'), violates(null, 'small')]).toEqual([
      ...[true, false, false],
    ]);
  });
});

describe('a transaction', () => {
  it('writes all of it, and only then does what was to follow', async () => {
    const seen: (number | string)[] = [];
    const result = await db.transaction(async (tx) => {
      tx.afterCommit(() => seen.push('first'));
      await tx.query(sql`UPDATE pairs SET value = 5 WHERE id = 1`);
      tx.afterCommit(() => seen.push('second'));
      seen.push(await stored(1)); // another connection does not see it yet
      return 'done';
    });
    expect([result, seen, await stored(1)]).toEqual(['done', [0, 'first', 'second'], 5]);
  });

  it('writes nothing of it when a part fails, and nothing follows', async () => {
    let followed = false;
    const work = db.transaction(async (tx) => {
      tx.afterCommit(() => {
        followed = true;
      });
      await tx.query(sql`UPDATE pairs SET value = 5 WHERE id = 1`);
      await tx.query(sql`UPDATE pairs SET value = 500 WHERE id = 2`);
    });
    await expect(work).rejects.toThrow(/small/);
    expect([await stored(1), followed]).toEqual([0, false]);
    expect(db.poolState()).toMatchObject({ waiting: 0 });
  });

  it('keeps the error that was thrown on purpose', async () => {
    const failing = db.transaction(async (tx) => {
      await tx.query(sql`UPDATE pairs SET value = 5 WHERE id = 1`);
      throw new AppError('CONFLICT');
    });
    expect([await codeOf(failing), await stored(1)]).toEqual(['CONFLICT', 0]);
  });

  it('does not claim success when a failure within was swallowed', async () => {
    let followed = false;
    const work = db.transaction(async (tx) => {
      tx.afterCommit(() => {
        followed = true;
      });
      await tx.query(sql`UPDATE pairs SET value = 5 WHERE id = 1`);
      await tx.query(sql`SELECT 1 / 0`).catch(() => {});
    });
    await expect(work).rejects.toThrow();
    expect([await stored(1), followed]).toEqual([0, false]);
  });

  it('is tried again when it deadlocks with another, and both succeed', async () => {
    let attempts = 0;
    let haveBoth: () => void = () => {};
    const both = new Promise<void>((resolve) => {
      haveBoth = resolve;
    });
    let holding = 0;
    const follow: string[] = [];
    const crossing = (first: number, second: number) =>
      db.transaction(async (tx) => {
        attempts += 1;
        const isFirst = attempts <= 2;
        tx.afterCommit(() => follow.push(`${first}→${second}`));
        await tx.query(sql`UPDATE pairs SET value = value + 1 WHERE id = ${first}`);
        holding += 1;
        if (holding === 2) haveBoth();
        if (isFirst) await both; // each has the row that the other wants
        await tx.query(sql`UPDATE pairs SET value = value + 1 WHERE id = ${second}`);
      });
    await Promise.all([crossing(1, 2), crossing(2, 1)]);
    expect([attempts > 2, await stored(1), await stored(2)]).toEqual([true, 2, 2]);
    expect(follow.sort()).toEqual(['1→2', '2→1']);
  });

  it('gives up after three attempts', async () => {
    let attempts = 0;
    const work = db.transaction(async () => {
      attempts += 1;
      throw Object.assign(new Error('deadlock detected'), { code: '40P01', severity: 'ERROR' });
    });
    await expect(work).rejects.toThrow('deadlock detected');
    expect(attempts).toBe(3);
  });
});

describe('a database that is slow, full or gone', () => {
  it('answers QUERY_TIMEOUT for a statement that takes too long, without a time to try again, and works after', async () => {
    const refusal = await db
      .query(sql`SELECT pg_cancel_backend(pg_backend_pid())`)
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'QUERY_TIMEOUT', status: 504, retryAfterSeconds: undefined });
    const hasty = createDatabase({ url, poolMax: 1, ...patience, statementTimeoutMs: 1500, log });
    expect(await codeOf(hasty.query(sql`SELECT pg_sleep(50)`))).toBe('QUERY_TIMEOUT');
    expect(await codeOf(hasty.transaction((tx) => tx.query(sql`SELECT pg_sleep(50)`)))).toBe('QUERY_TIMEOUT');
    expect(await hasty.query(sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
    await hasty.close();
  });

  it('is UNAVAILABLE when no connection is free in time, and says when to try again', async () => {
    const narrow = createDatabase({ url, poolMax: 1, ...patience, acquireTimeoutMs: 3000, log });
    await admin.query('BEGIN; LOCK TABLE pairs');
    const busy = narrow.query(sql`SELECT count(*) FROM pairs`);
    await until(() => narrow.poolState().total === 1, 'the connection');
    const [refusal, code, prismas] = await Promise.all([
      narrow.query(sql`SELECT 1`).catch((error: unknown) => error as AppError),
      codeOf(narrow.transaction((tx) => tx.query(sql`SELECT 1`))),
      narrow.prisma.user.count().catch((error: unknown) => error),
    ]);
    expect(refusal).toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
    expect(code).toBe('UNAVAILABLE');
    expect(toDatabaseError(prismas)).toMatchObject({ code: 'UNAVAILABLE' });
    await admin.query('COMMIT');
    await busy;
    expect(await narrow.query(sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
    await narrow.close();
  });

  it('is UNAVAILABLE to Prisma too, which wraps the error of the pool', async () => {
    const narrow = createDatabase({ url, poolMax: 1, ...patience, acquireTimeoutMs: 300, log });
    const giveBack = await holdOne(narrow);
    const error = await narrow.prisma.apiKey
      .findUniqueOrThrow({ where: { id: '0199a5a0-0000-7000-8000-000000000000' } })
      .catch((fault: unknown) => fault);
    expect(toDatabaseError(error)).toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
    await giveBack();
    await narrow.close();
  });

  it('is waited for once by a request, for all it asks afterwards; another request waits for itself', async () => {
    const narrow = createDatabase({ url, poolMax: 1, ...patience, acquireTimeoutMs: 3000, log });
    const request = { correlationId: 'c', ip: null, userAgent: null, dbQueries: 0, dbMs: 0 };
    const one = () => narrow.query(sql`SELECT 1 AS one`);
    await one();
    const letGo = await holdOne(narrow);
    await runInRequest(request, async () => {
      expect(await codeOf(one())).toBe('UNAVAILABLE');
      const more = [one(), narrow.transaction((tx) => tx.query(sql`SELECT 1`))];
      expect(narrow.poolState().waiting).toBe(0);
      expect(await Promise.all(more.map(codeOf))).toEqual(['UNAVAILABLE', 'UNAVAILABLE']);
      const prismas = await narrow.prisma.user.count().catch((error: unknown) => error);
      expect(toDatabaseError(prismas)).toMatchObject({ code: 'UNAVAILABLE' });
    });
    const others = runInRequest({ ...request, waits: undefined }, one);
    expect(narrow.poolState().waiting).toBe(1);
    await Promise.all([letGo(), others]);
    expect(await others).toEqual([{ one: 1 }]);
    expect(await runInRequest(request, one)).toEqual([{ one: 1 }]); // it takes what is free
    await narrow.close();
  });

  it('is not waited for longer than what is left of a request’s patience, and no connection is lost', async () => {
    const narrow = createDatabase({ url, poolMax: 1, ...patience, log });
    const waits = { underWay: 0, spentMs: 59_900, since: performance.now() };
    const request = { correlationId: 'c', ip: null, userAgent: null, dbQueries: 0, dbMs: 0, waits };
    await narrow.query(sql`SELECT 1`);
    const letGo = await holdOne(narrow);
    expect(await runInRequest(request, () => codeOf(narrow.query(sql`SELECT 1`)))).toBe('UNAVAILABLE');
    await letGo();
    expect(await narrow.query(sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
    expect(narrow.poolState()).toMatchObject({ total: 1, waiting: 0 });
    await narrow.close();
  });

  it('is UNAVAILABLE when connections are cut, and works again', async () => {
    const cut = () =>
      admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sec-tester-api'",
      );
    const noConnections = async () => {
      await until(() => db.poolState().total === 0, 'no connection');
    };
    const codes = [
      codeOf(db.query(sql`SELECT pg_sleep(50)`)),
      codeOf(db.transaction((tx) => tx.query(sql`SELECT pg_sleep(50)`))),
    ];
    const running = async () =>
      (
        await admin.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`,
        )
      ).rows.length;
    await until(async () => (await running()) >= 2, 'both statements');
    await cut();
    expect(await Promise.all(codes)).toEqual(['UNAVAILABLE', 'UNAVAILABLE']);
    await noConnections();
    expect(await db.query(sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
    await cut();
    await noConnections();
    expect(await db.query(sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
  });
});

describe('waiting for a database', () => {
  it('is over at once when it is there', async () => {
    await expect(waitForDatabase(url, 60_000, log)).resolves.toBe('none');
  });

  it.each([
    [
      'that does not exist',
      (to: URL) => Object.assign(to, { pathname: '/nowhere' }),
      /nowhere.*does not exist/,
    ],
    [
      'with another password',
      (to: URL) => Object.assign(to, { password: 'hunter2' }),
      /authentication failed/,
    ],
    ['where nobody listens', (to: URL) => Object.assign(to, { port: '1' }), /cannot be used: .*ECONNREFUSED/],
    [
      'on a host that is none',
      (to: URL) => Object.assign(to, { hostname: 'nowhere.invalid' }),
      /nowhere\.invalid/,
    ],
  ])('ends with a clear error for one %s, without the password', async (_name, change, message) => {
    const wrong = change(new URL(url));
    const failure = await waitForDatabase(wrong.href, 300, log).catch((error: Error) => error);
    expect((failure as Error).message).toMatch(/^PostgreSQL at /);
    expect((failure as Error).message).toMatch(message);
    expect((failure as Error).message).not.toContain(wrong.password);
  });
});
