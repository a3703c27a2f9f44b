// The command-line client in the test's own process, as a shell would run it: what it prints, and how it ends.
import { PassThrough, Readable, Writable } from 'node:stream';
import { runCli } from '../../../src/cli/program.js';
import type { TestServer } from '../harness.js';

/** What a run of the client left. */
export interface CliRun {
  /** Exit code. */
  code: number;
  out: string;
  err: string;
}

export interface Shell {
  /** The environment besides SEC_TESTER_URL and a home where nothing is kept. */
  env?: Record<string, string> | undefined;
  /** What is piped in. */
  input?: string | Buffer | Readable | undefined;
  /** What is typed at a terminal, an answer each. */
  typed?: string[] | undefined;
  isTerminal?: boolean | undefined;
}

/** Starts the client; `texts` grow while it runs. */
export function startCli(
  server: Pick<TestServer, 'url'>,
  args: readonly string[],
  { env = {}, input, typed = [], isTerminal = false }: Shell = {},
): { texts: { out: string; err: string }; ended: Promise<number> } {
  const texts = { out: '', err: '' };
  const typing = Object.assign(new PassThrough(), { isTTY: isTerminal });
  const sink = (name: 'out' | 'err') =>
    Object.assign(
      new Writable({
        write(chunk, _encoding, done) {
          texts[name] += chunk;
          done();
          if (name === 'err' && typed.length > 0 && /: $/.test(String(chunk)))
            setImmediate(() => typing.write(`${typed.shift()}\r`));
        },
      }),
      { isTTY: isTerminal, columns: 100 },
    );
  if (input !== undefined && !(input instanceof Readable)) typing.end(input);
  const stdin = input instanceof Readable ? input : typing;
  const ended = runCli([...args], {
    env: { PATH: process.env.PATH, XDG_CONFIG_HOME: '/nonexistent', SEC_TESTER_URL: server.url, ...env },
    ...{ stdin, stdout: sink('out'), stderr: sink('err') },
  });
  return { texts, ended };
}

/** Runs the client to its end. */
export async function cliAt(
  server: Pick<TestServer, 'url'>,
  args: readonly string[],
  shell: Shell = {},
): Promise<CliRun> {
  const { texts, ended } = startCli(server, args, shell);
  return { code: await ended, ...texts };
}
