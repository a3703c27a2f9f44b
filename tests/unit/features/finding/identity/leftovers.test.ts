// What is left of files is matched across them, up to a limit.
import { expect, it } from '@jest/globals';
import { createLeftovers } from '../../../../../src/features/finding/identity/leftovers.js';
import type { Candidate } from '../../../../../src/features/finding/identity/match.js';
import { candidate, read } from './kit.js';

const olds = [1, 2, 3].map((line) => candidate(`old.c:${line} rule call_${line}()`));
const news = [1, 2, 3].map((line) => candidate(`new.c:${line} rule call_${line}()`));
const url = candidate('page rule call()', { location: { url: 'https://host.test/' } });

it('matches what was left of several files', () => {
  const left = createLeftovers<Candidate, Candidate>(3);
  left.add(olds.slice(0, 2), news.slice(0, 1));
  left.add(olds.slice(2), news.slice(1));
  expect(read(left.match() ?? [])).toEqual(['old.c:1 → new.c:1', 'old.c:2 → new.c:2', 'old.c:3 → new.c:3']);
});

it.each([
  ['findings', olds, news.slice(0, 1)],
  ['results', olds.slice(0, 1), news],
])('looks for nothing when more %s are left than fit', (_what, manyOlds, manyNews) => {
  const left = createLeftovers<Candidate, Candidate>(2);
  left.add(manyOlds, manyNews);
  expect(left.match()).toBeUndefined();
});

it('has nothing to look for when one side is empty, however many the other has', () => {
  const left = createLeftovers<Candidate, Candidate>(2);
  left.add([], news);
  expect(left.match()).toEqual([]);
});

it('does not count what cannot move', () => {
  const left = createLeftovers<Candidate, Candidate>(1);
  left.add([url, ...olds.slice(0, 1), url], [url, url, ...news.slice(0, 1)]);
  expect(read(left.match() ?? [])).toEqual(['old.c:1 → new.c:1']);
});
