import { expect, test } from '@jest/globals';
import {
  type Candidate,
  matchGroup,
  matchMoves,
} from '../../../../../src/features/finding/identity/match.js';

function many(count: number, make: (index: number) => Partial<Candidate>): Candidate[] {
  return Array.from({ length: count }, (_, id) => ({
    id,
    groupKey: 'g',
    ruleKey: 'r',
    fingerprintKey: null,
    contentKey: 'x',
    messageKey: 'm',
    line: id + 1,
    path: 'a.c',
    ...make(id),
  }));
}

test('50,000 alike findings of one file, of which a hundred were fixed, are matched', () => {
  const olds = many(50_000, (id) => ({ line: id * 3 + 1 }));
  const news = many(50_000, (id) => ({ line: id * 3 + 8 })).filter((_, index) => index % 500 !== 250);
  expect(matchGroup(olds, news)).toHaveLength(news.length);
});

test('200,000 findings of renamed files are matched', () => {
  const at = (folder: string) => (id: number) => ({
    path: `${folder}/mod${Math.floor(id / 40)}/file${Math.floor(id / 4) % 10}.c`,
    groupKey: `${folder} ${id >> 2}`,
    contentKey: `${id % 7}`,
  });
  expect(matchMoves(many(200_000, at('src')), many(200_000, at('lib')))).toHaveLength(200_000);
});

test('200,000 alike findings of as many files with one name find no partner by chance', () => {
  const at = (folder: string) => (id: number) => ({
    path: `${folder}${id}/index.js`,
    contentKey: null,
    line: 0,
  });
  expect(matchMoves(many(200_000, at('a')), many(200_000, at('b')))).toEqual([]);
});
