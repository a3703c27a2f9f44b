// Finds the system account that PostgreSQL runs under, and checks which paths it can reach.
import { execFile } from 'node:child_process';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The system account of a PostgreSQL process. */
export interface SystemUser {
  uid: number;
  gid: number;
}

const ROOT_ACCOUNTS = ['postgres', 'sec-tester'];
/** Appended to errors: how to do without the embedded server. */
export const OWN_SERVER_HINT = 'Set DATABASE_URL to use a PostgreSQL server of your own instead.';

/**
 * The account to run PostgreSQL under: this process's own, or, for root (which PostgreSQL refuses), the owner of the
 * existing data directory, else an unprivileged account, which is created when there is none.
 * @throws Error when root finds no other account and cannot create one
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
    const reason = `PostgreSQL does not run as root, and the system account "${name}" could not be created`;
    throw new Error(
      `${reason}: create it by hand (useradd --system ${name}) or start as a normal user. ${OWN_SERVER_HINT}`,
      { cause },
    );
  }
  const created = await lookUpUser(name);
  if (!created)
    throw new Error(`The system account "${name}" was created but cannot be looked up. ${OWN_SERVER_HINT}`);
  return created;
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

/** Whether an account may read and enter a path, by the permission bits of the path and of all its parents. */
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
