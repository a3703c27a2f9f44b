import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type Candidate,
  matchGroup,
  matchMoves,
} from '../../../../../src/features/finding/identity/match.js';
import { read } from './kit.js';

const seed = 20_261_127;
const key = (text: string) => fc.constantFrom(...text);

/** Findings of a few files and rules with little to tell them apart. */
const keys = fc.record({
  path: key('abc'),
  rule: key('rs'),
  fingerprintKey: fc.option(key('fg')),
  contentKey: fc.option(key('xyz')),
  messageKey: key('mn'),
  line: fc.nat(40),
});
const candidates = fc.array(keys, { maxLength: 40 }).map((list) =>
  list.map(
    ({ rule, ...one }, index): Candidate => ({
      id: index,
      ...one,
      ruleKey: rule,
      groupKey: `${rule} ${one.path}`,
    }),
  ),
);

test.each([
  ['within groups', matchGroup],
  ['across files', matchMoves],
])('matching %s pairs each finding at most once, with one of the same rule', (_name, match) => {
  fc.assert(
    fc.property(candidates, candidates, (olds, news) => {
      const pairs = match(olds, news);
      expect(new Set(pairs.map(([old]) => old)).size).toBe(pairs.length);
      expect(new Set(pairs.map(([, seen]) => seen)).size).toBe(pairs.length);
      for (const [old, seen] of pairs) {
        expect(olds).toContain(old);
        expect(news).toContain(seen);
        expect(seen.ruleKey).toBe(old.ruleKey);
        if (match === matchGroup) expect(seen.groupKey).toBe(old.groupKey);
        else expect(seen.path).not.toBe(old.path);
      }
    }),
    { seed },
  );
});

test.each([
  ['within groups', matchGroup],
  ['across files', matchMoves],
])('matching %s does not depend on the order of findings', (_name, match) => {
  const shuffled = candidates.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
  );
  fc.assert(
    fc.property(shuffled, shuffled, ([olds, otherOlds], [news, otherNews]) => {
      expect(read(match(otherOlds, otherNews))).toEqual(read(match(olds, news)));
    }),
    { seed },
  );
});

test('findings that are all as they were find themselves', () => {
  fc.assert(
    fc.property(candidates, (olds) => {
      const pairs = matchGroup(olds, structuredClone(olds));
      expect(pairs).toHaveLength(olds.length);
      for (const [old, seen] of pairs) expect({ ...seen, id: 0 }).toEqual({ ...old, id: 0 });
    }),
    { seed },
  );
});

test('findings of a file that moved down by some lines all find a partner at that distance', () => {
  fc.assert(
    fc.property(candidates, fc.nat(300), (all, shift) => {
      const olds = all.filter(({ line }) => line > 0);
      const news = olds.map((old) => ({ ...old, line: old.line + shift }));
      const pairs = matchGroup(olds, news);
      expect(pairs).toHaveLength(olds.length);
      for (const [old, seen] of pairs) expect(seen.line - old.line).toBe(shift);
    }),
    { seed },
  );
});

test('a renamed file takes all of its findings along', () => {
  fc.assert(
    fc.property(candidates, (all) => {
      const olds = all.filter(({ path }) => path === 'a');
      const news = olds.map((old) => ({ ...old, path: 'z', groupKey: `${old.ruleKey} z` }));
      expect(matchMoves(olds, news)).toHaveLength(olds.length);
    }),
    { seed },
  );
});
