// Stores sign-ins, one per server, in a file that only its owner can read, under a lock; session.ts refreshes them.
import { randomBytes } from 'node:crypto';
import { access, constants, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from './failure.js';

const lockWaitMs = 60_000;
const lockStaleMs = 90_000;

/** Tokens of one server. */
export interface SignIn {
  email: string;
  refreshToken: string;
  accessToken: string;
  /** When the access token ends, in milliseconds since 1970. */
  expiresAt: number;
}

/** Contents of the file. */
export interface Credentials {
  /** The server that was signed in to last. */
  current?: string;
  servers: Record<string, SignIn>;
  /** Tokens of workloads, by a digest of server and workload; workload.ts has them. */
  workloads?: Record<string, Pick<SignIn, 'accessToken' | 'expiresAt'>>;
}

/** Reads and replaces the stored sign-ins. */
export type CredentialStore = ReturnType<typeof createCredentialStore>;

/** The file in the user's configuration folder (XDG Base Directory Specification). */
export function credentialFile(env: Record<string, string | undefined>): string {
  const given = env.XDG_CONFIG_HOME ?? '';
  const home = isAbsolute(given) ? given : join(env.HOME || homedir(), '.config');
  return join(home, 'sec-tester', 'credentials.json');
}

/**
 * Creates the store over a file, which need not exist.
 * @throws Failure from its functions, when the file cannot be read or is damaged, or the lock is not free in time
 */
export function createCredentialStore(file: string) {
  const lockFile = `${file}.lock`;

  async function read(): Promise<Credentials> {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw failure(`${file} cannot be read (${error.code})`);
    });
    if (text === undefined) return { servers: {} };
    try {
      const { current, servers, workloads } = JSON.parse(text) as Credentials;
      return {
        ...(current !== undefined && { current }),
        servers: { ...servers },
        ...(workloads !== undefined && { workloads }),
      };
    } catch {
      throw failure(`${file} is damaged: delete it and sign in again`);
    }
  }

  /** Whole or not at all, and never readable to others, not even for a moment. */
  async function write(credentials: Credentials): Promise<void> {
    const draft = `${file}.${randomBytes(6).toString('hex')}`;
    await writeFile(draft, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    await rename(draft, file);
  }

  return {
    file,
    read,

    /** Whether the file can be changed: in a container its folder may be read-only. */
    isWritable: () => isWritable(dirname(file)),

    /**
     * Changes the file while no other process of this client does.
     * @param change gets what is there and gives what shall be
     */
    async update<T>(change: (credentials: Credentials) => Promise<T>): Promise<T> {
      await lock(lockFile);
      try {
        const credentials = await read();
        const before = JSON.stringify(credentials);
        try {
          return await change(credentials);
        } finally {
          if (JSON.stringify(credentials) !== before) await write(credentials);
        }
      } finally {
        await rm(lockFile, { force: true });
      }
    },
  };
}

async function isWritable(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Takes the lock, which is a file that only one process can create. */
async function lock(lockFile: string): Promise<void> {
  await mkdir(dirname(lockFile), { recursive: true, mode: 0o700 });
  const deadline = Date.now() + lockWaitMs;
  for (;;) {
    const handle = await open(lockFile, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw failure(`${lockFile} cannot be made (${error.code})`);
      return undefined;
    });
    if (handle !== undefined) {
      await handle.writeFile(String(process.pid));
      return handle.close();
    }
    if (await isLeftBehind(lockFile)) await rm(lockFile, { force: true });
    else if (Date.now() > deadline) throw failure(`${lockFile} is held: another sign-in is under way`);
    else await sleep(25);
  }
}

/** By a process that is gone, or so long ago that it cannot be at it still. */
async function isLeftBehind(lockFile: string): Promise<boolean> {
  const [text, held] = await Promise.all([
    readFile(lockFile, 'utf8').catch(() => ''),
    stat(lockFile).catch(() => undefined),
  ]);
  if (held === undefined) return false;
  return Date.now() - held.mtimeMs > lockStaleMs || (text !== '' && !isAlive(Number(text)));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
