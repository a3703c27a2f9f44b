// How many guesses a password takes: one when it is on the list of common ones; else as zxcvbn-ts estimates, by 49,233
// common passwords, English words and names, doubling, dates, years, runs, keyboard walks and l33t. What is enough is said
// in core/password-policy.ts.
import { isCommonPassword } from './common-passwords.js';

/** What is looked at: enough to be strong, and quick to look at. */
const estimatedLength = 32;

type Estimator = (password: string, words: string[]) => number;
let loading: Promise<Estimator> | undefined;

/** @param words what an attacker tries for this very user */
export async function estimateGuesses(password: string, words: string[]): Promise<number> {
  if (await isCommonPassword(password)) return 1;
  loading ??= load(); // the lists take a while and some memory: not before the first password is chosen
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
    l33tMaxSubstitutions: 8, // each costs time, and an attacker chooses the input
  });
  return (password, words) => core.zxcvbn(password, words).guesses;
}
