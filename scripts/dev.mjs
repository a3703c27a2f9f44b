// The server for development: compiled and restarted on every change, while the embedded database goes on running.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
const run = (...args) => execFileSync(process.execPath, args, { stdio: 'inherit' });

console.log('Starting the server for development: it is ready once it prints its addresses.');
run('scripts/build.mjs', '--if-stale');
const { APP_ROLE, urlAs } = await import('../dist/infra/migrations/app-role.js');
const { openDevDatabase } = await import('./dev-database.mjs');

const database = process.env.DATABASE_URL ? undefined : await openDevDatabase();
if (database)
  console.log(`\n  Data        ${database.where} (embedded PostgreSQL), to the server as DATABASE_URL`);
// Modules are compiled once, not at every restart (Node.js 22 and later).
const cache = { NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/dev') };
const env = {
  ...cache,
  ...process.env,
  NODE_ENV: 'development',
  ...(database && (await settingsFor(database.url))),
};

const children = [
  // Emits what has changed, also when it has type errors, which it tells. A group: it runs the compiler as its child.
  spawn(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--watch', '--preserveWatchOutput'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  }),
  spawn(process.execPath, ['--watch', '--watch-preserve-output', '--enable-source-maps', 'dist/main.js'], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  }),
];

watch('prisma', (_event, file) => {
  if (file === 'schema.prisma') spawn(process.execPath, ['scripts/generate.mjs'], { stdio: 'inherit' });
});

let isStopping = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
for (const child of children) child.on('exit', stop);

/** The server first, the database last. */
async function stop() {
  if (isStopping) return;
  isStopping = true;
  const [compiler, server] = children;
  for (const child of [server, compiler]) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    process.kill(child === compiler ? -child.pid : child.pid, 'SIGTERM');
    await once(child, 'exit');
  }
  await database?.close();
  process.exit();
}

/** The embedded database as one that was given: the server's restarts leave it alone, and its start migrates it. */
async function settingsFor(ownerUrl) {
  const role = { name: APP_ROLE, password: randomBytes(24).toString('base64url') };
  const settings = {
    ...{ MIGRATION_DATABASE_URL: ownerUrl, DATABASE_URL: urlAs(ownerUrl, role), MIGRATE_ON_START: 'true' },
  };
  const { ADMIN_EMAIL = 'admin@localhost.test', ADMIN_PASSWORD, ADMIN_PASSWORD_FILE } = process.env;
  if (ADMIN_PASSWORD || ADMIN_PASSWORD_FILE || (await hasUsers(ownerUrl))) return settings;
  const password = randomBytes(18).toString('base64url');
  console.log(`  Sign in     ${ADMIN_EMAIL} / ${password}\n              (shown this once: write it down)\n`);
  return { ...settings, ADMIN_EMAIL, ADMIN_PASSWORD: password };
}

async function hasUsers(url) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query('SELECT FROM users LIMIT 1')).rowCount === 1;
  } catch (error) {
    // Not migrated yet.
    if (error.code === '42P01') return false;
    throw error;
  } finally {
    await client.end();
  }
}
