// PgBouncer between server and database: the session mode serves as PostgreSQL does; modes that would mix up are refused.
import { describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { applyMigrations } from '../../src/infra/migrations/migrate.js';
import { openClient } from '../../src/infra/postgres/connection/open.js';
import { waitForDatabase } from '../../src/infra/postgres/connection/wait-until-ready.js';
import { createDatabase } from '../../src/infra/postgres/database.js';
import { sql } from '../../src/infra/postgres/sql.js';
import { createTestDatabase, ownerUrlOf, startTestServer } from '../kit/harness.js';
import { hasPgBouncer, startPgBouncer } from '../kit/network/pgbouncer.js';

const log = pino({ level: 'silent' });
const create =
  'mutation { createExecution(input: { name: "n", target: "t", kind: DAST }) { execution { id createdAt } } }';

(hasPgBouncer ? describe : describe.skip)('PgBouncer in session mode', () => {
  it('serves two instances, without any setting of its own, in UTC and with limits', async () => {
    const pooler = await startPgBouncer(await createTestDatabase(), 'session');
    const env = { DATABASE_URL: pooler.url, DATABASE_POOL_MAX: '5' };
    const servers = [await startTestServer(env), await startTestServer(env)];
    const timeouts = { statementTimeoutMs: 7000, acquireTimeoutMs: 60_000 };
    const db = createDatabase({ url: pooler.url, poolMax: 1, ...timeouts, log });
    try {
      for (const server of servers) {
        const { createExecution } = (await server.gql(create, {}, await server.signIn())).expectData();
        expect(createExecution.execution.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      }
      const [row] = await db.query(sql`
        SELECT current_setting('TimeZone') AS zone, current_setting('statement_timeout') AS "timeout"`);
      expect(row).toEqual({ zone: 'UTC', timeout: '7s' });
    } finally {
      await db.close();
      for (const server of servers) await server.close();
      await pooler.stop();
    }
  });

  it('is learnt by many connections at once, as those of an import in a thread of its own', async () => {
    const pooler = await startPgBouncer(await createTestDatabase(), 'session');
    try {
      const opened = await Promise.all(Array.from({ length: 6 }, () => openClient(pooler.url)));
      await Promise.all(opened.map((client) => client.end()));
      expect(opened).toHaveLength(6);
    } finally {
      await pooler.stop();
    }
  });

  it('with a pool of one connection is refused in words that say what to raise', async () => {
    const pooler = await startPgBouncer(await createTestDatabase(), 'session', ['default_pool_size = 1']);
    try {
      await expect(waitForDatabase(pooler.url, 60_000, log)).rejects.toThrow(
        /no second connection: set default_pool_size/,
      );
    } finally {
      await pooler.stop();
    }
  });
});

(hasPgBouncer ? describe : describe.skip)(
  'refused at the start, in words that say what to set, is PgBouncer',
  () => {
    it.each([
      [
        'transaction',
        [],
        /transaction mode without prepared statements: .*max_prepared_statements = 200.*pool_mode = session/,
      ],
      [
        'transaction',
        ['server_round_robin = 1', 'min_pool_size = 3'],
        /transaction mode without prepared statements/,
      ],
      ['statement', [], /statement mode, without transactions: set pool_mode = transaction/],
    ] as const)('in %s mode, with %j', async (mode, settings, words) => {
      const database = await createTestDatabase();
      const pooler = await startPgBouncer(database, mode, [...settings]);
      try {
        await expect(waitForDatabase(pooler.url, 60_000, log)).rejects.toThrow(words);
        await expect(startTestServer({ DATABASE_URL: pooler.url })).rejects.toThrow(words);
        const owner = await startPgBouncer(ownerUrlOf(database), mode, [...settings]);
        await expect(applyMigrations(owner.url).finally(owner.stop)).rejects.toThrow(words);
      } finally {
        await pooler.stop();
      }
    });
  },
);
