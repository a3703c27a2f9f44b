// What the source must not hold: secrets, guessable randomness where it counts, SQL put together from text.
// ASVS 5.0: 1.2.4, 7.2.3, 11.5.1, 13.3.1.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import type { Sql } from 'sql-template-tag';
import { createPasswordLinkService } from '../../../src/features/user/password-link.service.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const skipped = new Set(['node_modules', 'dist', 'generated', 'tests', 'coverage', '.git', '.data']);

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (skipped.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}

const files = filesIn('.').filter((file) => statSync(join(root, file)).size < 3_000_000);
/** The lines of all files that match, as file: line. */
const linesWith = (pattern: RegExp, among = files): string[] =>
  among.flatMap((file) =>
    readFileSync(join(root, file), 'utf8')
      .split('\n')
      .filter((line) => pattern.test(line))
      .map((line) => `${file}: ${line.trim().slice(0, 120)}`),
  );
const source = files.filter((file) => /^src\/.*\.ts$/.test(file));

it.each([
  ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ['a private JWK', /"d":\s*"[A-Za-z0-9_-]{40,}"/],
  ['an API key or invitation', /\b(stk_[0-9a-f]{32}|sti)_[A-Za-z0-9_-]{43}\b/],
  ['a signed token', /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{40,}/],
  [
    'a key of a cloud or a forge',
    /\b(AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|xox[abp]-[0-9A-Za-z-]{20,})\b/,
  ],
])('no file but tests holds %s', (_what, pattern) => {
  expect(files.length).toBeGreaterThan(100);
  expect(linesWith(pattern)).toEqual([]);
});

it('Math.random decides nothing but how long to wait', () => {
  expect(source.length).toBeGreaterThan(80);
  const uses = linesWith(/Math\.random/, source);
  expect(uses.filter((line) => !line.includes('setTimeout'))).toEqual([]);
});

it('SQL is never put together from text: no unsafe raw queries', () => {
  expect(linesWith(/\$(query|execute)RawUnsafe|Prisma\.raw\(/, source)).toEqual([]);
  // raw() of sql-template-tag is for constants alone: no parameter, no input.
  expect(linesWith(/\braw\((input|args|filter|request|body|value)\b/, source)).toEqual([]);
});

it('10,000 invitations differ, and each of their 256 bits is as often 1 as 0', async () => {
  const links = createPasswordLinkService({ now: Date.now });
  const tx = {
    query: async <Row>(_statement: Sql): Promise<Row[]> => [],
    finally: () => {},
    afterCommit: () => {},
  };
  const ones = new Array<number>(256).fill(0);
  const seen = new Set<string>();
  const count = 10_000;
  for (let index = 0; index < count; index += 1) {
    const { token } = await links.create(tx, 'f3b1f0f4-0000-7000-8000-000000000000');
    seen.add(token);
    const bytes = Buffer.from(token.slice('sti_'.length), 'base64url');
    expect(bytes).toHaveLength(32);
    for (let bit = 0; bit < 256; bit += 1) {
      const isSet = ((bytes[bit >> 3] as number) >> (bit & 7)) & 1;
      ones[bit] = (ones[bit] as number) + isSet;
    }
  }
  expect(seen.size).toBe(count);
  // Seven standard deviations: chance alone does not get there.
  for (const sum of ones) expect(Math.abs(sum - count / 2)).toBeLessThan(7 * Math.sqrt(count / 4));
});
