// Estimates the guesses that a password withstands: one when it is on the list of common ones, else by zxcvbn-ts, which knows
// 49,233 common passwords, English words and names, repetition, dates, sequences, keyboard walks and l33t.
// core/password-policy.ts says how many are enough.
import { isCommonPassword } from './common-passwords.js';

/** Characters that are examined: enough to be strong, few enough to be fast. */
const estimatedLength = 32;

type Estimator = (password: string, words: string[]) => number;
let loading: Promise<Estimator> | undefined;

/**
 * Estimates the guesses that an attacker needs. The dictionaries are loaded on first use.
 * @param words words that the attacker tries for this user
 */
export async function estimateGuesses(password: string, words: string[]): Promise<number> {
  if (await isCommonPassword(password)) return 1;
  loading ??= load();
  const estimate = await loading;
  return estimate([...password].slice(0, estimatedLength).join(''), words);
}

async function load(): Promise<Estimator> {
  const [core, common, english] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
    import('@zxcvbn-ts/language-en'),
  ]);
  core.zxcvbnOptions.setOptions({
    dictionary: { ...common.dictionary, ...english.dictionary },
    graphs: common.adjacencyGraphs,
    l33tMaxSubstitutions: 8, // each costs time, and the input is the attacker's choice
  });
  return (password, words) => core.zxcvbn(password, words).guesses;
}
