// Attack: SQL or commands injected into the server, or its stolen credentials, used to rewrite history, read the database's
// secrets or take the database over. ASVS 13.2.2 (least-privilege service accounts), 16.4.2, 13.3.1.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import pg from 'pg';
import { makeRoles } from '../../../src/admin/db-roles.js';
import { migrate } from '../../../src/admin/migrate.js';
import { loadConfig } from '../../../src/config/load.js';
import { createLogger } from '../../../src/infra/logging/logger.js';
import { roleOf, urlAs } from '../../../src/infra/migrations/app-role.js';
import { start } from '../../../src/server/bootstrap.js';
import { admin, hasRedis, ownerUrlOf, startTestServer } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { freePort } from '../../kit/network/free-port.js';
import { atEnd, useServer } from '../../kit/use.js';

const server = await useServer();
const app = new pg.Client({ connectionString: server.databaseUrl });
atEnd(() => app.end());
await app.connect();

describe('the role that the server runs as', () => {
  it('is the one that its connections have', async () => {
    const rows = await server.sql<{ usename: string }>(
      `SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sec-tester-api'`,
    );
    expect(rows).toEqual([{ usename: 'sec_tester_app' }]);
  });

  it('is no superuser, makes no databases or roles, owns nothing and is member of nothing', async () => {
    const { rows } = await app.query(
      `SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,
         (SELECT count(*)::int FROM pg_class WHERE relowner = pg_roles.oid) AS tables,
         (SELECT count(*)::int FROM pg_auth_members WHERE member = pg_roles.oid) AS memberships
       FROM pg_roles WHERE rolname = current_user`,
    );
    const no = {
      rolsuper: false,
      rolcreatedb: false,
      rolcreaterole: false,
      rolreplication: false,
      rolbypassrls: false,
    };
    expect(rows).toEqual([{ ...no, tables: 0, memberships: 0 }]);
  });

  for (const statement of [
    `UPDATE audit_events SET action = 'x'`,
    'DELETE FROM audit_events',
    'TRUNCATE audit_events',
    'UPDATE audit_seals SET sealed_at = now()',
    'DELETE FROM audit_seals',
    'TRUNCATE audit_seals',
    'ALTER TABLE audit_events DISABLE TRIGGER ALL',
    'DROP TRIGGER audit_events_append_only ON audit_events',
    `INSERT INTO audit_events (id, at, action, outcome, actor_label, correlation_id, number) VALUES (gen_random_uuid(), now(), 'x', 'SUCCESS', 'x', 'x', 1)`,
    `SELECT setval('audit_events_number_seq', 1)`,
    `SELECT setval('audit_seals_number_seq', 1)`,
    'SET session_replication_role = replica',
    'UPDATE execution_events SET number = 0',
    'TRUNCATE users',
    'DROP TABLE users',
    'CREATE TABLE mine (a int)',
    'CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
    'ALTER TABLE users ADD COLUMN mine int',
    'DELETE FROM _prisma_migrations',
    'CREATE ROLE mine',
    'CREATE DATABASE mine',
    'SELECT rolpassword FROM pg_authid',
    `SELECT pg_read_file('/etc/passwd')`,
    `COPY users TO PROGRAM 'cat'`,
    `COPY users FROM '/etc/passwd'`,
    `ALTER SYSTEM SET log_statement = 'all'`,
    'CREATE EXTENSION dblink',
  ]) {
    it(`may not: ${statement.slice(0, 60)}`, async () => {
      await expect(app.query(statement)).rejects.toMatchObject({ code: '42501' });
    });
  }
});

describe('the migration role', () => {
  it('is another: the server starts with both, on a database whose tables it does not own', async () => {
    const suffix = randomUUID().slice(0, 8);
    const name = `t_roles_${suffix}`;
    await server.sql(`CREATE DATABASE ${name}`);
    const owner = new URL(ownerUrlOf(server.databaseUrl));
    owner.pathname = `/${name}`;
    const role = { name: `app-${suffix}`, password: randomBytes(9).toString('base64') };
    const appUrl = urlAs(owner.href, role);
    const env = { MIGRATION_DATABASE_URL: owner.href, DATABASE_URL: appUrl };
    const lines: string[] = [];
    const print = (text: string) => lines.push(text);
    try {
      expect(await migrate(['deploy'], env, print)).toBe(0);
      expect(lines.join('\n')).toContain('make it with npm run db:roles');
      expect(await makeRoles(env, print)).toBe(0);
      expect(await migrate(['deploy'], env, print)).toBe(0);
      expect(await migrate(['status'], { DATABASE_URL: appUrl }, print)).toBe(0);
      expect(lines.join('\n')).not.toContain(role.password);
      const dataDir = mkdtempSync(join(tmpdir(), 'sec-tester-roles-'));
      const config = loadConfig({
        ...{ NODE_ENV: 'test', PORT: '0', DATA_DIR: dataDir, ARGON2_MEMORY_KIB: '8', ARGON2_ITERATIONS: '1' },
        ...{ ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password, DATABASE_URL: appUrl },
      });
      const log = createLogger({ level: 'silent', environment: 'test', keep: 1, maxSizeMb: 1 });
      const running = await start(config, log);
      const health = await fetch(`http://127.0.0.1:${running.port}/api/v1/health/ready`);
      await running.close();
      rmSync(dataDir, { recursive: true });
      expect(health.status).toBe(200);
    } finally {
      await server.sql(`DROP DATABASE ${name} WITH (FORCE)`);
      await server.sql(`DROP ROLE IF EXISTS "${role.name}"`);
    }
  });

  it('is never made the server’s by mistake', async () => {
    const owner = ownerUrlOf(server.databaseUrl);
    const lines: string[] = [];
    const print = (text: string) => lines.push(text);
    expect(await makeRoles({ MIGRATION_DATABASE_URL: owner, DATABASE_URL: owner }, print)).toBe(1);
    expect(lines.join()).toContain('must differ from the owner');
    expect(await makeRoles({ DATABASE_URL: owner }, print)).toBe(2);
    expect(lines.join()).not.toContain(roleOf(owner).password);
  });
});

describe('the embedded database', () => {
  it('is used by the server as that role too', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'sec-tester-embedded-'));
    const config = loadConfig({
      ...{ NODE_ENV: 'test', PORT: '0', DATA_DIR: dataDir, ARGON2_MEMORY_KIB: '8', ARGON2_ITERATIONS: '1' },
    });
    const log = createLogger({ level: 'silent', environment: 'test', keep: 1, maxSizeMb: 1 });
    const running = await start(config, log);
    try {
      const { port } = running;
      const { email, generatedPassword } = running.firstAdmin as { email: string; generatedPassword: string };
      const login = await fetch(`http://127.0.0.1:${port}/api/v1/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email, password: generatedPassword }),
      });
      expect(login.status).toBe(200);
      const pid = readFileSync(join(dataDir, 'postgres/postmaster.pid'), 'utf8').split('\n');
      const ownPassword = readFileSync(join(dataDir, 'postgres-password'), 'utf8').trim();
      const client = new pg.Client({
        connectionString: `postgresql://sec_tester:${ownPassword}@127.0.0.1:${pid[3]}/sec_tester`,
      });
      await client.connect();
      const { rows } = await client.query(
        `SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'sec-tester-api'`,
      );
      await client.end();
      expect(rows).toEqual([{ usename: 'sec_tester_app' }]);
    } finally {
      await running.close();
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
});

(hasRedis && process.env.PATH !== undefined ? describe : describe.skip)(
  'Redis, set up as for deployment',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'sec-tester-secrets-'));
    let redis: ChildProcess | undefined;
    let url: string;
    beforeAll(async () => {
      const port = await freePort();
      execFileSync(process.execPath, [
        'scripts/make-secrets.mjs',
        folder,
        '--redis-host',
        `127.0.0.1:${port}`,
      ]);
      url = readFileSync(join(folder, 'app/redis-url'), 'utf8').trim();
      redis = spawn(
        'redis-server',
        [join(folder, 'redis/redis.conf'), '--port', String(port), '--bind', '127.0.0.1'],
        {
          stdio: 'ignore',
        },
      );
      redis.on('error', () => {});
    });
    afterAll(() => {
      redis?.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    });

    it('lets its user do what the server needs', async () => {
      const using = await startTestServer({ REDIS_URL: url, LOGIN_MAX_FAILURES: '3' });
      try {
        const health = async () => (await using.rest('GET', '/api/v1/health')).body.status;
        await until(async () => (await health()) === 'healthy', 'health');
        const token = await using.signIn();
        (
          await using.gql('mutation { logout(everywhere: true) { revokedSessions } }', {}, token)
        ).expectData();
        for (let tries = 0; tries < 5; tries += 1)
          await using.rest('POST', '/api/v1/auth/login', { body: { email: 'a@b.test', password: 'x' } });
        const faults = using.logs.filter(({ level }) => level === 'error' || level === 'warn');
        expect(JSON.stringify(faults)).not.toMatch(/NOPERM|NOAUTH|WRONGPASS/);
        const client = new Redis(url);
        expect((await client.keys('sec-tester:*').catch((error: Error) => error.message)) as string).toMatch(
          /NOPERM/,
        );
        client.disconnect();
      } finally {
        await using.close();
      }
    });

    it.each([
      ['FLUSHALL'],
      ['CONFIG', 'GET', '*'],
      ['KEYS', '*'],
      ['ACL', 'LIST'],
      ['SHUTDOWN', 'NOSAVE'],
      ['DEBUG', 'SLEEP', '0'],
      ['GET', 'other:key'],
      ['PUBLISH', 'other', 'x'],
      ['EVAL', `return redis.call('GET', 'other:key')`, '0'],
      ['MONITOR'],
      ['REPLICAOF', '127.0.0.1', '1'],
      ['MODULE', 'LOAD', '/tmp/x.so'],
    ])('does not let it %s %s', async (command, ...args) => {
      const client = new Redis(url, { maxRetriesPerRequest: 20 });
      await expect(client.call(command as string, ...args)).rejects.toThrow(
        /NOPERM|not allowed|can't access/,
      );
      client.disconnect();
    });

    it('lets anonymous users only ping', async () => {
      const anonymous = new URL(url);
      anonymous.username = '';
      anonymous.password = '';
      const client = new Redis(anonymous.href, { enableReadyCheck: false, maxRetriesPerRequest: 20 });
      client.on('error', () => {});
      expect(await client.ping()).toBe('PONG');
      await expect(client.get('sec-tester:x')).rejects.toThrow(/NOPERM/);
      client.disconnect();
    });

    it('does not keep the password itself', () => {
      const { password } = new URL(url);
      expect(readFileSync(join(folder, 'redis/redis.conf'), 'utf8')).not.toContain(password);
    });
  },
);
