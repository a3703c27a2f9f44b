// Whether all contestants answer the same: ids, cursors, times and key order are brought to one form, the rest compared.
import { ask } from './contestants.mjs';
import { counter, workloads } from './workloads.mjs';

const comparedBodies = 5;

/**
 * Asks all for the same and compares.
 * @param {import('./contestants.mjs').Contestant[]} started
 * @param {(contestant: object) => import('./workloads.mjs').Facts} factsOf
 * @throws {Error} with the first difference
 */
export async function checkAnswers(started, names, factsOf) {
  for (const name of names) {
    const answers = await Promise.all(
      started.map((contestant) => answersOf(contestant, name, factsOf(contestant))),
    );
    for (const [index, answer] of answers.entries()) {
      if (answer === answers[0]) continue;
      const at = [...answer].findIndex((character, position) => character !== answers[0][position]);
      const around = (text) => text.slice(Math.max(0, at - 80), at + 120);
      throw new Error(
        `${name}: ${started[index].name} answers otherwise than ${started[0].name}:\n${around(answer)}\n${around(answers[0])}`,
      );
    }
  }
}

async function answersOf(contestant, name, facts) {
  const bodies = contestant.bodiesOf(name, facts).slice(0, comparedBodies);
  const answers = [];
  for (const [index, body] of bodies.entries()) {
    const number = String(90_000_000 + index);
    const fresh = workloads[name].isWriting ? body.replaceAll(counter, number) : body;
    const { data } = await ask(contestant.port, contestant.pathOf(name), contestant.headers, fresh);
    answers.push(plain(contestant.dataOf(name, data)));
  }
  return JSON.stringify(answers);
}

/** Sorted keys, raw ids, times as ISO 8601, whether there is a cursor in place of which. */
function plain(value, key = '') {
  if (Array.isArray(value)) return value.map((item) => plain(item));
  if (value !== null && typeof value === 'object') {
    const entries = Object.keys(value).sort();
    return Object.fromEntries(entries.map((name) => [name, plain(value[name], name)]));
  }
  if (key === 'endCursor') return typeof value === 'string';
  if (key === 'createdAt') return new Date(value).toISOString();
  if (key === 'id') return value.replace(/^[a-z]{3}_/, '');
  return value;
}
