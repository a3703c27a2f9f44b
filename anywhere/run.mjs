// npm run anywhere -- [WORD…]: runs one smoke test in every environment, or in those whose names hold a word; prints a table for
// docs/deployment.md, and exits with 1 where an environment is not as it should be.
import { availableParallelism } from 'node:os';
import { environments } from './environments.mjs';
import { withParts } from './parts.mjs';

const longestMs = 120_000;
const words = process.argv.slice(2).map((word) => word.toLowerCase());
const chosen = environments.filter(
  ({ name }) => words.length === 0 || words.some((word) => name.toLowerCase().includes(word)),
);
if (chosen.length === 0) {
  console.log(
    `Usage: npm run anywhere -- [WORD…]\n\n${environments.map(({ name }) => `  ${name}`).join('\n')}`,
  );
  process.exit(2);
}

const rows = [];
for (const environment of chosen) {
  const startedAt = performance.now();
  const { outcome, version = '', isAsWanted } = await tryEnvironment(environment);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  console.error(
    `${isAsWanted ? 'as wanted' : 'NOT AS WANTED'}  ${environment.name}: ${outcome} (${seconds} s)`,
  );
  rows.push({ name: environment.name, version, outcome, isAsWanted });
}

console.log(
  `\nOn ${process.platform} ${process.arch}, ${availableParallelism()} cores, ${new Date().toISOString().slice(0, 10)}:\n`,
);
console.log('| Environment | Version | Outcome |\n|--|--|--|');
for (const { name, version, outcome } of rows) console.log(`| ${name} | ${version} | ${outcome} |`);
const bad = rows.filter(({ isAsWanted }) => !isAsWanted);
console.log(
  bad.length === 0 ? '\nAll as wanted.' : `\nNot as wanted: ${bad.map(({ name }) => name).join(', ')}`,
);
process.exit(bad.length === 0 ? 0 : 1);

/** Runs an environment with parts of its own. Without a part that it needs it is left out, and says so. */
async function tryEnvironment({ missing = () => undefined, run, wanted = /^works/ }) {
  const lack = missing();
  if (lack !== undefined) return { outcome: `not tried: no ${lack}`, isAsWanted: true };
  let version = '';
  let timer;
  const tooLong = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`longer than ${longestMs / 1000} s`)), longestMs);
  });
  try {
    return await withParts(async (parts) => {
      const noteVersion = (text) => {
        version = text;
      };
      const outcome = await Promise.race([run(parts, noteVersion), tooLong]);
      return { outcome, version, isAsWanted: wanted.test(outcome) };
    });
  } catch (error) {
    return {
      outcome: `failed: ${String(error.message).split('\n').slice(0, 6).join(' ').slice(0, 600)}`,
      version,
      isAsWanted: false,
    };
  } finally {
    clearTimeout(timer);
  }
}
