// Decides which passwords are acceptable (NIST SP 800-63B-4): by length and guessability. infra/credentials hashes them.
import { invalid } from './errors.js';

const maxLength = 128;
const productWords = ['sec-tester', 'sectester', 'security tester'];

/** Guesses that an attacker who knows how people choose must need at least; fewer where shorter ones are allowed. */
export const minGuesses = 1e9;

/** Famous long ones that look unguessable to an estimate by words; compared by letters and digits alone. */
const famous = new Set([
  ...['correcthorsebatterystaple', 'thequickbrownfox', 'thequickbrownfoxjumpsoverthelazydog'],
  ...['supercalifragilisticexpialidocious', 'antidisestablishmentarianism', 'maytheforcebewithyou'],
  ...[
    'tobeornottobethatisthequestion',
    'tobeornottobe123',
    'allyourbasearebelongtous',
    'ilovemymotherfather',
  ],
  ...['loremipsumdolorsitamet', 'opensesameopensesame', 'hastalavistababy', 'letmeinplease123'],
  ...[
    'floccinaucinihilipilification',
    'zaq1xsw2cde3vfr4bgt5',
    'pneumonoultramicroscopicsilicovolcanoconiosis',
  ],
]);

/** The rules and words that a password is checked against. */
export interface PasswordRules {
  /** The field, for errors. */
  path: string;
  /** In code points. */
  minLength: number;
  /** The user, whose own words are no secret. */
  user: { email: string; name: string };
  /** Number of guesses for an attacker who also tries these words. */
  estimate: (password: string, words: string[]) => Promise<number>;
}

/**
 * Checks a new password: 15 to 128 code points by default, any characters, no rules of composition; not common, not
 * made of one repeated piece or of the product's or the user's own words.
 * @throws VALIDATION_FAILED at `path`
 */
export async function checkNewPassword(password: string, rules: PasswordRules): Promise<void> {
  const refuse = (message: string): never => {
    throw invalid(rules.path, message);
  };
  const length = [...password].length;
  if (length < rules.minLength) refuse(`must have at least ${rules.minLength} characters`);
  if (length > maxLength) refuse(`must have at most ${maxLength} characters`);
  if (isRepetitive(password)) refuse('must not repeat one piece over and over');
  const words = [
    ...productWords,
    ...rules.user.email.split(/[@.]/),
    rules.user.email,
    ...rules.user.name.split(/\s+/),
    rules.user.name,
  ];
  if (remainder(password, words) < rules.minLength / 2)
    refuse('must not be made of your own name, e-mail or the product’s name');
  if (
    isFamous(password) ||
    (await rules.estimate(password, words)) < Math.min(minGuesses, 10 ** (rules.minLength - 2))
  )
    refuse('is too easy to guess: choose a less common one');
}

function isFamous(password: string): boolean {
  return famous.has(password.toLowerCase().replace(/[^a-z0-9]/g, ''));
}

/** A piece of up to four characters said over and over, or a run like abcdef… or 123456…. */
function isRepetitive(password: string): boolean {
  if (/^(.{1,4}?)\1+.{0,3}$/su.test(password)) return true;
  const codes = [...password].map((character) => character.codePointAt(0) as number);
  const steps = codes.slice(1).map((code, index) => code - (codes[index] as number));
  return steps.every((step) => step === 1 || step === -9) || steps.every((step) => step === -1 || step === 9);
}

/** Number of characters that are left without the words (of three letters or more). */
function remainder(password: string, words: string[]): number {
  const longestFirst = words
    .map((word) => word.toLowerCase())
    .filter((word) => word.length >= 3)
    .sort((a, b) => b.length - a.length);
  let rest = password.toLowerCase();
  for (const word of longestFirst) rest = rest.replaceAll(word, '');
  return (
    [...rest.replace(/[\s\d\p{P}]/gu, '')].length + (rest.length === password.length ? password.length : 0)
  );
}
