// What passwords are taken: length in code points, no repetition, nothing made of known words.
import { describe, expect, it } from '@jest/globals';
import type { AppError } from '../../../src/core/errors.js';
import { checkNewPassword } from '../../../src/core/password-policy.js';
import { estimateGuesses } from '../../../src/infra/credentials/password-strength.js';

const user = { email: 'jo.miller@example.test', name: 'Josephine Miller' };

/** What is wrong with a password; nothing when it is taken. */
async function fault(password: string, minLength = 15): Promise<string | undefined> {
  try {
    await checkNewPassword(password, { path: 'input.password', minLength, user, estimate: estimateGuesses });
    return undefined;
  } catch (error) {
    expect((error as AppError).code).toBe('VALIDATION_FAILED');
    expect((error as AppError).fields?.[0]?.path).toBe('input.password');
    return (error as AppError).fields?.[0]?.message;
  }
}

describe('a new password', () => {
  it.each([
    'kiwi lantern 7391 harbor',
    '  spaces at both ends  ',
    'пароль из пятнадцати букв',
    '\u{1F30A}\u{1F41F}\u{1F980}\u{1F419}\u{1F990}\u{1F9AA}\u{1F42C}\u{1F433}\u{1F40B}\u{1F988}\u{1F42A}\u{1F98A}\u{1F989}\u{1F99C}\u{1F9A9}',
    '839201749301847',
    '"; DROP TABLE users; --',
    'étranges mots du 12',
    'the miller of a mill by the river',
  ])('may be %j', async (password) => {
    expect(await fault(password)).toBeUndefined();
  });

  it('has as many code points as are asked for, and at most 128', async () => {
    const letters = Array.from({ length: 200 }, (_, index) =>
      String.fromCodePoint(0x1f300 + ((index * 37) % 200)),
    );
    expect(await fault(letters.slice(0, 14).join(''))).toBe('must have at least 15 characters');
    expect(await fault(letters.slice(0, 15).join(''))).toBeUndefined();
    expect(await fault(letters.slice(0, 128).join(''))).toBeUndefined();
    expect(await fault(letters.slice(0, 129).join(''))).toBe('must have at most 128 characters');
    expect(await fault('k7$Qz!wv', 8)).toBeUndefined();
  });

  it.each([
    ['one letter', 'aaaaaaaaaaaaaaaaaaaa'],
    ['two letters', 'abababababababab'],
    ['a piece of four', 'pass'.repeat(5)],
    ['a piece and a bit', '1234123412341234123'],
    ['one emoji', '\u{1F30A}'.repeat(15)],
    ['the alphabet', 'abcdefghijklmnopqrstuvwxyz'],
    ['the alphabet backwards', 'zyxwvutsrqponmlkjihg'],
    ['digits in a row', '1234567890123456'],
    ['digits backwards', '9876543210987654'],
  ])('is not %s over and over', async (_name, password) => {
    expect(await fault(password)).toBe('must not repeat one piece over and over');
  });

  it.each([
    ['the name', 'Josephine Miller'],
    ['the name with digits', 'JosephineMiller123'],
    ['the e-mail address', 'jo.miller@example.test'],
    ['the address with a bit', 'jo.miller@example.test1!'],
    ['the product', 'sec-tester sec-tester 1'],
    ['the product and the name', 'sectester-miller-2026'],
  ])('is not made of %s', async (_name, password) => {
    expect(await fault(password)).toMatch(/your own name/);
  });
});
