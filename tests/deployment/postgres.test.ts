// Databases as they are found: roles with settings of their own, other locales and encodings, several hosts, read-only ones.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { APP_ROLE } from '../../src/infra/migrations/app-role.js';
import { waitForDatabase } from '../../src/infra/postgres/connection/wait-until-ready.js';
import { createDatabase } from '../../src/infra/postgres/database.js';
import { sql } from '../../src/infra/postgres/sql.js';
import { createTestDatabase, ownerUrlOf, startTestServer, withClient } from '../kit/harness.js';

const log = pino({ level: 'silent' });
const hostile = {
  ...{
    TimeZone: 'Asia/Kolkata',
    DateStyle: 'SQL, DMY',
    IntervalStyle: 'sql_standard',
    bytea_output: 'escape',
  },
  ...{ extra_float_digits: '-5', standard_conforming_strings: 'off', transform_null_equals: 'on' },
  ...{ search_path: 'pg_catalog', default_transaction_read_only: 'on', lock_timeout: '1ms' },
  ...{ default_transaction_isolation: 'serializable', statement_timeout: '1ms' },
  ...{ idle_in_transaction_session_timeout: '1ms', idle_session_timeout: '50ms' },
};
const expected = {
  ...{ TimeZone: 'UTC', DateStyle: 'ISO, MDY', IntervalStyle: 'postgres', bytea_output: 'hex' },
  ...{ extra_float_digits: '1', standard_conforming_strings: 'on', transform_null_equals: 'off' },
  ...{ search_path: 'public', default_transaction_read_only: 'off', lock_timeout: '0' },
  ...{ default_transaction_isolation: 'read committed', statement_timeout: '5s' },
  ...{ idle_in_transaction_session_timeout: '5s', idle_session_timeout: '0' },
};

describe('a role with settings of its own', () => {
  const role = `hostile_${randomUUID().slice(0, 8)}`;
  let url: string;
  let owner: string;
  beforeAll(async () => {
    const database = await createTestDatabase();
    owner = ownerUrlOf(database);
    await withClient(owner, async (client) => {
      await client.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x' IN ROLE ${APP_ROLE}`);
      for (const [name, value] of Object.entries(hostile))
        await client.query(
          `ALTER ROLE ${role} SET ${name} = ${name === 'search_path' ? value : `'${value}'`}`,
        );
    });
    url = Object.assign(new URL(database), { username: role, password: 'x' }).href;
  });
  afterAll(() =>
    withClient(owner, async (client) => {
      await client.query(`DROP OWNED BY ${role}`);
      await client.query(`DROP ROLE ${role}`);
    }),
  );

  it.each([
    ['as it is', ''],
    ['with options in the URL', '?options=-c%20work_mem%3D8MB%20-c%20timezone%3DAsia/Tokyo'],
  ])(
    'is served %s: start, waiting and pooled connections have the settings they need',
    async (_name, query) => {
      await expect(waitForDatabase(url + query, 10_000, log)).resolves.toBe('none');
      const db = createDatabase({
        url: url + query,
        poolMax: 5,
        statementTimeoutMs: 5000,
        acquireTimeoutMs: 60_000,
        log,
      });
      try {
        const columns = Object.keys(expected);
        const found = await Promise.all(
          columns.map(async (name) => [
            name,
            (await db.query<{ value: string }>(sql`SELECT current_setting(${name}) AS value`))[0]?.value,
          ]),
        );
        expect(Object.fromEntries(found)).toEqual(expected);
        const [memory] = await db.query<{ value: string }>(sql`SELECT current_setting('work_mem') AS value`);
        expect(memory?.value).toBe(query === '' ? '4MB' : '8MB');
      } finally {
        await db.close();
      }
    },
  );

  it('gets a server whose times are RFC 3339 in UTC', async () => {
    const server = await startTestServer({ DATABASE_URL: url });
    try {
      const token = await server.signIn();
      const create =
        'mutation { createExecution(input: { name: "n", target: "t", kind: DAST }) { execution { createdAt } } }';
      const { execution } = (await server.gql(create, {}, token)).expectData().createExecution;
      expect(execution.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(Math.abs(Date.parse(execution.createdAt) - Date.now())).toBeLessThan(600_000);
    } finally {
      await server.close();
    }
  });
});

describe('a database that only reads', () => {
  it('is UNAVAILABLE, and its connection is given up', async () => {
    const url = await createTestDatabase();
    const db = createDatabase({ url, poolMax: 1, statementTimeoutMs: 60_000, acquireTimeoutMs: 60_000, log });
    try {
      const pid = async () => (await db.query<{ pid: number }>(sql`SELECT pg_backend_pid() AS pid`))[0]?.pid;
      const before = await pid();
      const write = db.transaction(async (tx) => {
        await tx.query(sql`SET TRANSACTION READ ONLY`);
        await tx.query(sql`DELETE FROM sessions`);
      });
      await expect(write).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
      expect(await pid()).not.toBe(before);
    } finally {
      await db.close();
    }
  });
});

describe('several hosts', () => {
  it('are tried in order, and the first that answers is used', async () => {
    const url = new URL(await createTestDatabase());
    const several = url.href.replace(url.host, `127.0.0.1:1,${url.host}`);
    await expect(waitForDatabase(several, 10_000, log)).resolves.toBe('none');
    const db = createDatabase({
      url: several.replace('127.0.0.1:1', '127.0.0.1:2'),
      poolMax: 2,
      statementTimeoutMs: 60_000,
      acquireTimeoutMs: 60_000,
      log,
    });
    try {
      expect(await db.query(sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
    } finally {
      await db.close();
    }
  });
});

describe('what time does not change ends the start at once', () => {
  it('an encoding that is not UTF-8', async () => {
    const name = `t_${randomUUID().replaceAll('-', '')}`;
    const url = process.env.TEST_POSTGRES_URL as string;
    await withClient(url, (client) =>
      client.query(`CREATE DATABASE ${name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`),
    );
    try {
      const there = Object.assign(new URL(url), { pathname: `/${name}` }).href;
      await expect(waitForDatabase(there, 60_000, log)).rejects.toThrow(
        /its encoding is SQL_ASCII; create a database with ENCODING 'UTF8'/,
      );
    } finally {
      await withClient(url, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
    }
  });

  it('a server without TLS where TLS is demanded', async () => {
    const url = `${await createTestDatabase()}?sslmode=verify-full`;
    await expect(waitForDatabase(url, 60_000, log)).rejects.toThrow(/does not support SSL/);
  });

  it('a certificate that nobody trusts', async () => {
    const read = (name: string) => readFileSync(`tests/fixtures/tls/${name}.pem`);
    const impostor = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.write('S'); // to the request for TLS
        new TLSSocket(socket, { isServer: true, key: read('key'), cert: read('certificate') }).on(
          'error',
          () => {},
        );
      });
    });
    await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve));
    const { port } = impostor.address() as AddressInfo;
    try {
      const url = `postgres://app:hunter2@127.0.0.1:${port}/app?sslmode=verify-full`;
      const failure = await waitForDatabase(url, 60_000, log).catch((error: Error) => error.message);
      expect(failure).toMatch(/cannot be used: .*certificate/);
      expect(failure).not.toContain('hunter2');
    } finally {
      await new Promise((resolve) => impostor.close(resolve));
    }
  });
});
