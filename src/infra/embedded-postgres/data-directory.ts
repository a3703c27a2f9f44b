// Creates the embedded PostgreSQL's data directory in one step, and checks an existing one.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { PostgresBinaries } from './binaries.js';
import { isAlive } from './lock.js';
import { isReachable, type SystemUser } from './system-user.js';

/** The superuser role of the embedded server. */
export const EMBEDDED_ROLE = 'sec_tester';

/** The environment of PostgreSQL's programs: PG* variables of the caller must not reach them. */
export const SERVER_ENV = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin' };

// initdb stores the name. pg_trgm needs a locale with letters beyond ASCII, which not every system has.
const CHARACTER_TYPES = ['C.UTF-8', 'en_US.UTF-8', 'C'];
const STALE_DRAFT_MS = 3_600_000;
const ownDrafts = new Set<string>();

/**
 * The `-D` argument of a program that is started in the data directory: the path itself, or, where the account cannot
 * enter the parents (root's home), the current directory through /proc.
 */
export async function dataArgument(pgData: string, user: SystemUser): Promise<string> {
  if (await isReachable(pgData, user)) return pgData;
  if (process.platform === 'linux') return '/proc/self/cwd';
  throw new Error(
    `PostgreSQL runs under another account than root and cannot reach ${pgData}: move DATA_DIR`,
  );
}

/**
 * The role's password from DATA_DIR/postgres-password; generated when neither it nor a database exists.
 * @throws Error when the file is missing but the database exists
 */
export async function ensurePassword(dataDir: string, hasDatabase: boolean): Promise<string> {
  const path = join(dataDir, 'postgres-password');
  const existing = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return '';
  });
  if (existing.trim()) return existing.trim();
  if (hasDatabase)
    throw new Error(`${path} is missing or empty, but the database needs it: restore it from a backup`);
  const temporary = `${path}-${randomBytes(6).toString('hex')}`;
  await writeFile(temporary, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flush: true });
  await rename(temporary, path);
  return (await readFile(path, 'utf8')).trim();
}

/**
 * Checks the version of an existing data directory, and that the server's account owns it.
 * @returns false when there is none
 * @throws Error when it is of another major version, or when the path holds anything else
 */
export async function checkDataDirectory(
  pgData: string,
  user: SystemUser,
  majorVersion: string,
): Promise<boolean> {
  const entries = await readdir(pgData).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    const advice = 'start as the account that created it, or set another DATA_DIR';
    throw new Error(`${pgData} cannot be read (${cause.code}): ${advice}`, { cause });
  });
  if (entries.length === 0) return false;
  const version = (await readFile(join(pgData, 'PG_VERSION'), 'utf8').catch(() => '')).trim();
  if (version === '')
    throw new Error(`${pgData} is not a PostgreSQL data directory: move it away or set another DATA_DIR`);
  if (version !== majorVersion) {
    const advice = 'dump it with that version and restore the dump, or set DATABASE_URL';
    throw new Error(
      `${pgData} was created by PostgreSQL ${version}, but this version ships ${majorVersion}: ${advice}`,
    );
  }
  // PostgreSQL insists on owning its files, which root may have restored from a backup.
  if (process.getuid?.() === 0 && (await stat(pgData)).uid !== user.uid) {
    await execute('chown', ['-R', `${user.uid}:${user.gid}`, pgData], {});
  }
  return true;
}

/** Creates the data directory beside its final path and renames it when complete, so that a kill leaves no partial one. */
export async function createDataDirectory(
  pgData: string,
  binaries: PostgresBinaries,
  options: { user: SystemUser; password: string; isDurable: boolean },
): Promise<void> {
  const { user, password, isDurable } = options;
  await removeStaleDrafts(pgData);
  const draft = `${pgData}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
  ownDrafts.add(draft);
  try {
    for (const characterType of CHARACTER_TYPES) {
      const data = join(draft, 'data');
      await mkdir(data, { recursive: true, mode: 0o700 });
      await writeFile(join(draft, 'password'), password, { mode: 0o600 });
      for (const path of [join(draft, 'password'), data, draft]) await chown(path, user.uid, user.gid);
      const failure = await runInitdb(data, binaries.initdb, user, characterType, isDurable);
      if (!failure) break;
      if (!failure.includes('invalid locale name'))
        throw new Error(`PostgreSQL's initdb failed in ${draft}:\n${failure}`);
      await rm(draft, { recursive: true, force: true });
    }
    await publish(join(draft, 'data'), pgData, isDurable);
  } finally {
    await rm(draft, { recursive: true, force: true });
    ownDrafts.delete(draft);
  }
}

async function runInitdb(
  data: string,
  initdb: string,
  user: SystemUser,
  characterType: string,
  isDurable: boolean,
): Promise<string | undefined> {
  const args = [
    '-D',
    await dataArgument(data, user),
    '-U',
    EMBEDDED_ROLE,
    '--pwfile=../password',
    '--auth=scram-sha-256',
  ];
  args.push('--encoding=UTF8', '--locale=C', `--lc-ctype=${characterType}`);
  args.push('--locale-provider=builtin', '--builtin-locale=C.UTF-8', ...(isDurable ? [] : ['--no-sync']));
  return execute(initdb, args, { cwd: data, ...user }).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

/** Moves a finished directory to its final path, unless another start was first. */
async function publish(from: string, pgData: string, isDurable: boolean): Promise<void> {
  try {
    await rename(from, pgData);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    return;
  }
  if (!isDurable) return;
  const parent = await open(join(pgData, '..'), 'r');
  await parent.sync();
  await parent.close();
}

async function removeStaleDrafts(pgData: string): Promise<void> {
  const parent = join(pgData, '..');
  for (const name of await readdir(parent)) {
    const path = join(parent, name);
    const owner = Number(name.match(new RegExp(`^${basename(pgData)}\\.new-(\\d+)-`))?.[1]);
    if (!owner || ownDrafts.has(path)) continue;
    const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? 0);
    if (owner !== process.pid && isAlive(owner) && age < STALE_DRAFT_MS) continue;
    await rm(path, { recursive: true, force: true, maxRetries: 2 }).catch(() => undefined);
  }
}

/** Runs a program to its end. @throws Error with its last 8 kB of output when it fails */
function execute(
  file: string,
  args: string[],
  options: { cwd?: string; uid?: number; gid?: number },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { ...options, env: SERVER_ENV, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-8_192);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output);
      else
        reject(
          new Error(`${output.trim()}\n(${basename(file)} ended with ${signal ?? `exit code ${code}`})`),
        );
    });
  });
}
