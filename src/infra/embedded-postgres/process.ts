// Launches and ends the embedded PostgreSQL, which never outlives this process.
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { SERVER_ENV } from './data-directory.js';
import type { SystemUser } from './system-user.js';

const FAST_STOP_MS = 15_000;
const IMMEDIATE_STOP_MS = 5_000;
const KEPT_LINES = 50;

// Runs in a session of its own, so that Ctrl-C reaches only the server, which stops PostgreSQL once it has drained. When the
// server dies in any way, its end of the pipe closes, and the supervisor ends PostgreSQL with increasing force.
const SUPERVISOR = `
trap '' HUP INT TERM
exec 3<&0
"$@" </dev/null >&2 3<&- &
postgres=$!
echo "$postgres"
(
  while read -r line; do :; done <&3
  tries=0
  while :; do
    signal=INT
    [ "$tries" -ge 30 ] && signal=QUIT
    [ "$tries" -ge 40 ] && signal=KILL
    kill -s "$signal" "$postgres" || exit 0
    tries=$((tries + 1))
    sleep 1
  done
) >/dev/null 2>&1 &
reader=$!
exec 3<&- </dev/null >/dev/null
wait "$postgres"
code=$?
kill -s KILL "$reader"
exit "$code"
`;

/** A launched PostgreSQL, ready or not. */
export interface PostgresProcess {
  /** Resolves when the supervisor and PostgreSQL have ended. */
  ended: Promise<void>;
  /** Whether they have ended. */
  hasEnded(): boolean;
  /** The last lines that PostgreSQL printed. */
  output(): string;
  /** Shuts PostgreSQL down: in its fast mode, after 15 s by force. */
  stop(): Promise<void>;
  /** Allows this process to exit without `stop`; the supervisor then ends PostgreSQL. */
  unref(): void;
}

/**
 * Launches PostgreSQL in its data directory, under a supervisor that ends it when this process is gone.
 * @param postgres the program's absolute path
 */
export function launchPostgres(
  postgres: string,
  args: string[],
  pgData: string,
  user: SystemUser,
): PostgresProcess {
  const child = spawn('/bin/sh', ['-c', SUPERVISOR, 'sec-tester-postgres', postgres, ...args], {
    cwd: pgData,
    env: SERVER_ENV,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(process.getuid?.() === 0 ? user : {}),
  });
  let lines: string[] = [];
  let hasEnded = false;
  let postgresPid = 0;
  const keep = (text: string): void => {
    lines = [...lines, ...text.split('\n').filter(Boolean)].slice(-KEPT_LINES);
  };
  child.stderr.setEncoding('utf8').on('data', keep);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    postgresPid = Number(text);
  });
  // The pipe may belong to a supervisor that has just ended.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => {
    const finish = (): void => {
      hasEnded = true;
      resolve();
    };
    child.on('close', finish).on('error', (error) => {
      keep(error.message);
      finish();
    });
  });
  const signal = (name: NodeJS.Signals): void => {
    if (hasEnded || postgresPid <= 0) return;
    try {
      process.kill(postgresPid, name);
    } catch {
      // It ended between the check and the signal.
    }
  };
  return {
    ended,
    hasEnded: () => hasEnded,
    output: () => lines.join('\n'),
    stop: () => end(child, ended, signal),
    unref: () => setReferenced(child, false),
  };
}

async function end(
  child: ChildProcess,
  ended: Promise<void>,
  signal: (name: NodeJS.Signals) => void,
): Promise<void> {
  setReferenced(child, true);
  child.stdin?.end();
  const isOver = (withinMs: number): Promise<boolean> => {
    const limit = new AbortController();
    const late = sleep(withinMs, false, { signal: limit.signal }).catch(() => false);
    return Promise.race([ended.then(() => true), late]).finally(() => limit.abort());
  };
  if (await isOver(FAST_STOP_MS)) return;
  signal('SIGQUIT');
  if (await isOver(IMMEDIATE_STOP_MS)) return;
  signal('SIGKILL');
  await ended;
}

function setReferenced(child: ChildProcess, isReferenced: boolean): void {
  for (const handle of [child, child.stdin, child.stdout, child.stderr]) {
    const referable = handle as { ref?: () => void; unref?: () => void } | null;
    if (isReferenced) referable?.ref?.();
    else referable?.unref?.();
  }
}
