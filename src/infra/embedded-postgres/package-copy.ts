// Copies PostgreSQL's programs to a cache that only this account can write, and makes the symbolic links that they need.
import { randomBytes } from 'node:crypto';
import { chmod, cp, lstat, mkdir, open, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { dirname, extname, join, relative } from 'node:path';

/** Makes the links that the package's install script would make; false when one is missing and cannot be made. */
export async function hydrateSymlinks(native: string): Promise<boolean> {
  const listed = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    // The paths in the list begin with "native/", which a copy does not have.
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

/**
 * A complete copy of the package in a folder of `base`, made when it is missing.
 * @returns the path of the copy
 * @throws Error when another account owns the copy or may write to it
 */
export async function trustedCopy(native: string, base: string, name: string): Promise<string> {
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

/** Refuses a folder that another account could have filled: its programs would run with this server's data. */
async function assertOwnAndClosed(path: string): Promise<void> {
  const found = await lstat(path);
  const isOwn = found.isDirectory() && found.uid === process.getuid?.();
  if (isOwn && (found.mode & 0o022) === 0) return;
  throw new Error(`${path} is not trusted, as another account owns it or may write to it; remove it`);
}

/** Lets every account read the copy, regardless of the umask, and writes it to the disk. */
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
