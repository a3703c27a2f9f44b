// Tells whether a live server holds a PostgreSQL data directory, or only the lock file of a crashed one. It ends neither.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, readlink, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const IN_USE_AFTER_MS = 1_500;
const STOPPING_AFTER_MS = 10_000;

/**
 * Waits for a server that is shutting down; removes a lock file whose process id now belongs to another program.
 * @throws Error within about 1.5 s when a live server holds the directory
 */
export async function waitUntilUnused(pgData: string): Promise<void> {
  const lockPath = join(pgData, 'postmaster.pid');
  const started = Date.now();
  for (;;) {
    const text = await readFile(lockPath, 'utf8').catch(() => '');
    const lines = text.split('\n');
    const pid = Number(lines[0]);
    if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid)) return;
    if (!(await isPostmasterOf(pid, pgData))) return clearLock(lockPath, text);
    const limitMs = lines[7]?.trim() === 'stopping' ? STOPPING_AFTER_MS : IN_USE_AFTER_MS;
    if (Date.now() - started > limitMs) {
      const holder = `already in use by another server, whose PostgreSQL is process ${pid}`;
      throw new Error(
        `The data directory ${join(pgData, '..')} is ${holder}: stop that server or set another DATA_DIR`,
      );
    }
    await sleep(50);
  }
}

/** Whether the process is a postmaster of this directory, not another program that got its process id. */
export async function isPostmasterOf(pid: number, pgData: string): Promise<boolean> {
  if (process.platform === 'linux') {
    const comm = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    return comm.startsWith('postgres') && (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === pgData;
  }
  const command = await run('ps', ['-o', 'command=', '-p', String(pid)]).then(
    ({ stdout }) => stdout,
    () => '',
  );
  return command.includes('postgres') && command.includes(pgData);
}

/** Removes the lock file only while its text is the one that was judged stale: another start may have replaced it. */
async function clearLock(lockPath: string, judged: string): Promise<void> {
  const aside = `${lockPath}.stale-${randomBytes(4).toString('hex')}`;
  try {
    await rename(lockPath, aside);
    if ((await readFile(aside, 'utf8')) === judged) await unlink(aside);
    else await rename(aside, lockPath);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Whether a process with this id exists, of any account. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
