// The set that recognises repeated results of a report.
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { createKeySet } from '../../../src/core/key-set.js';

describe('A set of keys', () => {
  it('knows each of many again, as it grows', () => {
    const keys = Array.from({ length: 20_000 }, () => randomUUID());
    const set = createKeySet();
    expect(keys.filter((key) => set.add(key))).toHaveLength(keys.length);
    expect(keys.filter((key) => set.add(key))).toEqual([]);
    expect(set.size).toBe(keys.length);
  });

  it.each([
    ['the first bits', '10000000-0000-0000-0000-000000000000', '20000000-0000-0000-0000-000000000000'],
    ['the second group', '10000000-0001-0000-0000-000000000000', '10000000-0002-0000-0000-000000000000'],
    ['the third group', '10000000-0001-0001-0000-000000000000', '10000000-0001-0002-0000-000000000000'],
  ])('tells keys apart by %s', (_where, one, other) => {
    const set = createKeySet();
    expect([set.add(one), set.add(other), set.add(one), set.add(other)]).toEqual([true, true, false, false]);
  });

  it('takes the key that is all zeros', () => {
    const set = createKeySet();
    const zeros = '00000000-0000-0000-0000-000000000000';
    expect([set.add(zeros), set.add(zeros)]).toEqual([true, false]);
  });
});
