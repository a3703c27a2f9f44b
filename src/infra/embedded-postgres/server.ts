// Starts and stops the embedded PostgreSQL, a real server whose files are in DATA_DIR.
import { access, constants, mkdir, realpath } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { locateBinaries } from './binaries.js';
import {
  checkDataDirectory,
  createDataDirectory,
  dataArgument,
  EMBEDDED_ROLE,
  ensurePassword,
} from './data-directory.js';
import { waitUntilUnused } from './lock.js';
import { launchPostgres, type PostgresProcess } from './process.js';
import { resolveServerUser, type SystemUser } from './system-user.js';

/** A running server. */
export interface EmbeddedPostgres {
  /** Connection string with the password: never log it. */
  url: string;
  /** Disconnects clients, writes everything to disk, and resolves when the process has ended. */
  stop(): Promise<void>;
}

/** Where the server keeps its files, and whether they survive a crash. */
export interface EmbeddedPostgresOptions {
  /** Folder for `postgres/` and `postgres-password`. */
  dataDir: string;
  /** false trades crash safety for speed, for tests. Default true. */
  isDurable?: boolean;
  /** Connections that may be open at a time. Default 100. */
  maxConnections?: number;
  /** Created when missing. Default sec_tester. */
  databaseName?: string;
  /** Called with the last output of PostgreSQL when it ends by itself. */
  onExit?: (error: Error) => void;
}

const READY_WITHIN_MS = 60_000;
const RETRY_WITHIN_MS = 15_000;
/** A start that failed with one of these may succeed a moment later. */
const PASSING_FAULTS = [
  'Address already in use',
  'pre-existing shared memory block',
  'lock file "postmaster.pid"',
];
const FAST_BUT_UNSAFE = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '400', // several servers share it
};

/**
 * Starts PostgreSQL on a free port of 127.0.0.1. It creates the data directory on the first start and recovers it after a
 * crash. PostgreSQL ends with this process, however that ends.
 * @throws Error with advice and PostgreSQL's output when it cannot start or the directory is in use
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { isDurable = true, databaseName = 'sec_tester', maxConnections = 100, onExit } = options;
  const dataDir = await openDataDir(options.dataDir);
  const pgData = join(dataDir, 'postgres');
  const user = await resolveServerUser(pgData);
  const binaries = await locateBinaries(user, join(dataDir, 'cache'));
  const hasDatabase = await checkDataDirectory(pgData, user, binaries.majorVersion);
  const password = await ensurePassword(dataDir, hasDatabase);
  if (!hasDatabase) await createDataDirectory(pgData, binaries, { user, password, isDurable });

  const startedAt = Date.now();
  for (;;) {
    await waitUntilUnused(pgData);
    const port = await findFreePort();
    const server = launchPostgres(
      binaries.postgres,
      await serverArguments(pgData, user, port, isDurable, maxConnections),
      pgData,
      user,
    );
    const urlFor = (database: string): string =>
      `postgresql://${EMBEDDED_ROLE}:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
    try {
      await createDatabaseWhenReady(server, urlFor('postgres'), databaseName);
    } catch (error) {
      await server.stop();
      const isPassing = PASSING_FAULTS.some((fault) => server.output().includes(fault));
      if (!isPassing || Date.now() - startedAt > RETRY_WITHIN_MS) throw error;
      await sleep(200);
      continue;
    }
    return supervise(server, urlFor(databaseName), onExit);
  }
}

async function openDataDir(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true, mode: 0o711 });
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return await realpath(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`The data directory ${path} cannot be created or written: ${reason}`, { cause });
  }
}

async function serverArguments(
  pgData: string,
  user: SystemUser,
  port: number,
  isDurable: boolean,
  maxConnections: number,
): Promise<string[]> {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: String(maxConnections),
    jit: 'off',
    log_destination: 'stderr',
    logging_collector: 'off',
    // Keeps statements and their values out of the errors that PostgreSQL prints.
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    ...(isDurable ? {} : FAST_BUT_UNSAFE),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['-D', await dataArgument(pgData, user), '-p', String(port), ...flags];
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

async function createDatabaseWhenReady(
  server: PostgresProcess,
  url: string,
  databaseName: string,
): Promise<void> {
  const client = await connectWhenReady(server, url);
  try {
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [databaseName]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${pg.escapeIdentifier(databaseName)}`);
  } finally {
    await client.end();
  }
}

async function connectWhenReady(server: PostgresProcess, url: string): Promise<pg.Client> {
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    const failure = await client.connect().then(
      () => undefined,
      (error: Error & { code?: string }) => error,
    );
    if (!failure) return client;
    const withOutput = (fault: string): Error =>
      new Error(`${fault}. Its output:\n${server.output()}`, { cause: failure });
    if (server.hasEnded()) throw withOutput('The embedded PostgreSQL stopped while starting');
    if (failure.code === '28P01')
      throw withOutput('The password in DATA_DIR/postgres-password does not belong to this database');
    if (Date.now() > deadline)
      throw withOutput(`The embedded PostgreSQL was not ready within ${READY_WITHIN_MS / 1000} s`);
    await sleep(20);
  }
}

function supervise(
  server: PostgresProcess,
  url: string,
  onExit: EmbeddedPostgresOptions['onExit'],
): EmbeddedPostgres {
  let stopping: Promise<void> | undefined;
  server.ended.then(() => {
    if (!stopping)
      onExit?.(new Error(`The embedded PostgreSQL ended unexpectedly. Its output:\n${server.output()}`));
  });
  // A process that does not call stop() may still exit, and PostgreSQL ends with it.
  server.unref();
  const stop = (): Promise<void> => {
    stopping ??= server.stop();
    return stopping;
  };
  return { url, stop };
}
