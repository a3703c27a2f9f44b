// The house rules that no linter can state: sizes, TSDoc, casts and words. `node scripts/check-house.mjs` lists breaches.
import { describe, expect, it } from '@jest/globals';
import { house } from './house.js';

const breaches = house.checkHouse();

/** Breaches that are left, per rule. A number that has become smaller is lowered here; none may grow. */
const left: Record<string, number> = {
  'functions over 60 lines': 0,
  'casts that switch the type checker off (10 or more are too many)': 8,
  'spread object literals': 0,
  'files over 250 lines': 2,
  'words in src, docs and contracts': 0,
  'words in names of tests': 0,
};

describe('The house rules', () => {
  it.each(Object.keys(breaches))('hold for %s', (rule) => {
    const found = (breaches[rule] ?? []).map(({ file, line, what }) => `${file}:${line} ${what}`);
    expect(found.length <= (left[rule] ?? 0) ? [] : found).toEqual([]);
  });

  it('hold the median source file to 95 lines', () => {
    expect(house.medianLines(house.filesIn('src'))).toBeLessThanOrEqual(95);
  });
});
