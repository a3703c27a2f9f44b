// The commands of docs/operations.md that back a database up, restore it elsewhere and check what came out, as they stand there.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { verifyAudit } from '../../src/admin/audit-verify.js';
import { ensureAppRole } from '../../src/infra/migrations/app-role.js';
import { applyMigrations } from '../../src/infra/migrations/migrate.js';
import {
  account,
  type Cluster,
  folderOfPostgres,
  postgresBin,
  startCluster,
} from '../kit/deployment/postgres.js';
import { startTestServer, type TestServer } from '../kit/harness.js';
import { importSarif } from '../kit/imports.js';
import { until } from '../kit/live.js';
import { freePort } from '../kit/network/free-port.js';
import { build } from '../kit/programs/build.js';
import { createPerson } from '../kit/seed.js';

const sealKey = 'a key for seals that is only for tests';
const [, section = ''] =
  /\n## Backup and restore\n([\s\S]*?)\n## /.exec(readFileSync('docs/operations.md', 'utf8')) ?? [];
const commands = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text = '']) => text);
/** The command of the document that runs this program. */
const command = (program: string) => {
  const found = commands.filter((text) => text.includes(program));
  if (found.length !== 1) throw new Error(`docs/operations.md has ${found.length} commands with ${program}`);
  return found[0] as string;
};

const appRole = { name: 'sec_tester_app', password: 'x' };
let source: Cluster;
let elsewhere: Cluster;
let folder: string;
let bin: string;
let lastSeal: string;
let people: { email: string; password: string };

/** Runs text as a person's shell does; as PostgreSQL's account where its files are handled. */
async function shell(text: string, env: Record<string, string>, isPostgres = false) {
  const child = spawn('bash', ['-euo', 'pipefail', '-c', text], {
    ...(isPostgres ? { ...account, cwd: '/' } : {}),
    env: {
      PATH: [bin, postgresBin, dirname(process.execPath), process.env.PATH].join(delimiter),
      ...{ BACKUPS: folder, LAST_SEAL: lastSeal, AUDIT_SEAL_KEY: sealKey },
      ...{
        MIGRATION_DATABASE_URL: source.url('sec_tester', 'sec_tester'),
        REPLICATION_URL: source.url('postgres'),
      },
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  // Not until its streams are closed: the PostgreSQL that pg_ctl leaves behind may hold them.
  const code = await new Promise<number | null>((done) => child.once('exit', done));
  return { code, output };
}

async function must(text: string, env: Record<string, string>, isPostgres = false): Promise<string> {
  const { code, output } = await shell(text, env, isPostgres);
  if (code !== 0) throw new Error(`${text}\n→ ${code} ${output}`);
  return output;
}

/** An owner who is no superuser, and a database. */
async function createOwned(cluster: Cluster): Promise<void> {
  await cluster.sql('CREATE ROLE sec_tester LOGIN CREATEROLE');
  await cluster.sql('CREATE DATABASE sec_tester OWNER sec_tester');
}

/** Sign-ins, executions, findings, a sealed trail; then nobody writes any more. */
async function fill(server: TestServer): Promise<void> {
  const admin = await server.signIn();
  const { email, token } = await createPerson(server, admin, 'ANALYST');
  people = { email, password: 'plum violin 4482 meadow crane' };
  const problems = Array.from({ length: 30 }, (_, index) => ({ rule: `rule-${index}`, cwe: 79 }));
  await importSarif(server, token, { target: 'shop', kind: 'SAST', branch: 'main' }, problems);
  await importSarif(server, token, { target: 'shop', kind: 'SAST', branch: 'main' }, problems.slice(5));
  await until(async () => {
    await server.services.seals.seal();
    const [left] = await source.sql<{ count: number }>(
      'SELECT count(*)::int FROM audit_events WHERE number > (SELECT coalesce(max(last_event), 0) FROM audit_seals)',
      'sec_tester',
    );
    return left?.count === 0;
  }, 'a sealed trail');
}

(postgresBin ? describe : describe.skip)('a backup', () => {
  beforeAll(async () => {
    await build();
    [source, elsewhere] = await Promise.all([startCluster(), startCluster()]);
    for (const cluster of [source, elsewhere]) await createOwned(cluster);
    folder = folderOfPostgres();
    bin = mkdtempSync(join(tmpdir(), 'sec-tester-bin-'));
    symlinkSync(resolve('bin/sec-tester-api.mjs'), join(bin, 'sec-tester-api'));
    const owner = source.url('sec_tester', 'sec_tester');
    await applyMigrations(owner);
    await ensureAppRole(owner, appRole);
    const server = await startTestServer({
      DATABASE_URL: source.url('sec_tester', appRole.name),
      ...{ AUDIT_SEAL_EVERY_SECONDS: '3600', AUDIT_SEAL_KEY: sealKey },
    });
    try {
      await fill(server);
    } finally {
      await server.close();
    }
    const lines: string[] = [];
    await verifyAudit([], { DATABASE_URL: owner, AUDIT_SEAL_KEY: sealKey }, (text) => lines.push(text));
    lastSeal = /Last seal: (\S+)/.exec(lines.join('\n'))?.[1] ?? '';
    expect(lastSeal).toMatch(/^\d+:[0-9a-f]{64}$/);
  });
  afterAll(async () => {
    for (const cluster of [source, elsewhere]) await cluster?.remove();
    for (const path of [folder, bin]) if (path) rmSync(path, { recursive: true, force: true });
  });

  /** A server on what was restored shows the findings that are left to someone who signs in with the password from before. */
  async function expectServed(url: string): Promise<void> {
    const server = await startTestServer({ DATABASE_URL: url, AUDIT_SEAL_KEY: sealKey });
    try {
      const token = await server.signIn(people.email, people.password);
      const { findings } = (await server.gql('{ findings { totalCount } }', {}, token)).expectData();
      expect(findings.totalCount).toBe(25);
    } finally {
      await server.close();
    }
  }

  it('runs every command that the document has', () => {
    const programs = ['pg_dump', 'pg_restore', 'pg_basebackup', 'cp --archive', 'audit-verify', 'psql'];
    expect(new Set(programs.map(command)).size).toBe(commands.length);
  });

  it('by a dump restores elsewhere with a whole trail and as many rows, and is served', async () => {
    const restored = {
      RESTORED_OWNER_URL: elsewhere.url('sec_tester', 'sec_tester'),
      RESTORED_URL: elsewhere.url('sec_tester', appRole.name),
    };
    await must(command('pg_dump'), {});
    await must(command('pg_restore'), restored);
    expect(await must(command('audit-verify'), restored)).toContain('The audit trail is whole.');
    expect(await must(command('psql'), restored)).toContain('Every table has as many rows.');
    await expectServed(restored.RESTORED_URL);

    // The checks fail where something is missing.
    await elsewhere.sql(
      `SET session_replication_role = replica; DELETE FROM audit_events WHERE number = 2; DELETE FROM findings WHERE id = (SELECT max(id::text)::uuid FROM findings)`,
      'sec_tester',
    );
    const trail = await shell(command('audit-verify'), restored);
    expect(trail).toMatchObject({ code: 1, output: expect.stringContaining('WRONG') });
    const counts = await shell(command('psql'), restored);
    expect(counts).toMatchObject({ code: 1, output: expect.stringMatching(/< findings\|30\n/) });
  });

  it('of the files restores elsewhere with a whole trail and as many rows, and is served', async () => {
    const port = String(await freePort());
    const at = (role: string) => source.url('sec_tester', role).replace(`:${source.port}/`, `:${port}/`);
    const data = join(folder, 'restored');
    const restored = {
      ...{ RESTORED_PGDATA: data, RESTORED_PORT: port },
      ...{ RESTORED_OWNER_URL: at('sec_tester'), RESTORED_URL: at(appRole.name) },
    };
    await must(command('pg_basebackup'), restored, true);
    await must(command('cp --archive'), restored, true);
    try {
      expect(await must(command('audit-verify'), restored)).toContain('The audit trail is whole.');
      expect(await must(command('psql'), restored)).toContain('Every table has as many rows.');
      await expectServed(restored.RESTORED_URL);
    } finally {
      await must(`pg_ctl --pgdata="$RESTORED_PGDATA" --mode=immediate --wait stop`, restored, true);
    }
  });
});
