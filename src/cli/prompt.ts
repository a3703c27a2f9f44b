// Asks a person at a terminal, with or without echo, for the commands.
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { failure } from './failure.js';
import type { Surroundings } from './surroundings.js';

/**
 * Asks a question on stderr.
 * @param isSecret whether what is typed stays invisible
 * @returns the answer, empty when there is no terminal to ask at
 * @throws Failure on Ctrl-C and at the end of the input
 */
export async function ask(
  { stdin, stderr }: Surroundings,
  question: string,
  isSecret = false,
): Promise<string> {
  if (!stdin.isTTY || !stderr.isTTY) return '';
  // The line editor echoes what is typed to its output: for a secret that is nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: isSecret ? nowhere : stderr, terminal: true });
  if (isSecret) stderr.write(question); // only now, when the terminal no longer echoes
  const stop = new AbortController();
  for (const event of ['SIGINT', 'close'] as const) lines.once(event, () => stop.abort());
  try {
    return await lines.question(isSecret ? '' : question, { signal: stop.signal });
  } catch {
    throw failure('Stopped');
  } finally {
    if (isSecret) stderr.write('\n');
    lines.close();
  }
}
