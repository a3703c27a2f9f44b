// Row ids and public ids: their order, their time, reading them back.
import { describe, expect, it } from '@jest/globals';
import {
  idFloor,
  idPrefixes,
  isUuid,
  momentOf,
  newId,
  parsePublicId,
  toPublicId,
} from '../../../src/core/ids.js';

describe('row ids', () => {
  it('are UUIDs of version 7 in the order they were made, all different', () => {
    const ids = Array.from({ length: 10_000 }, newId);
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    expect(
      ids.filter((id) => !/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)),
    ).toEqual([]);
  });

  it('tell when they were made', () => {
    const before = Date.now();
    const made = momentOf(newId()).getTime();
    expect(made).toBeGreaterThanOrEqual(before);
    expect(made).toBeLessThanOrEqual(Date.now() + 1);
    expect(momentOf('017f22e2-79b0-7cc3-98c4-dc0c0c07398f').toISOString()).toBe('2022-02-22T19:22:22.000Z');
  });

  it('lie between the floors of their millisecond and of the next', () => {
    const id = newId();
    const at = momentOf(id).getTime();
    expect(idFloor(at) <= id && id < idFloor(at + 1)).toBe(true);
    expect(momentOf(idFloor(at)).getTime()).toBe(at);
  });

  it('have a floor for every moment, before 1970 too', () => {
    for (const at of [-1, 0, 1.9, Date.UTC(9999, 11, 31)]) expect(isUuid(idFloor(at))).toBe(true);
    expect(idFloor(-5)).toBe(idFloor(0));
    expect(idFloor(1.9)).toBe(idFloor(1));
  });
});

describe('public ids', () => {
  it('say their type and are read back', () => {
    const uuid = newId();
    for (const [type, prefix] of Object.entries(idPrefixes)) {
      const id = toPublicId(type as keyof typeof idPrefixes, uuid);
      expect(id).toBe(`${prefix}_${uuid}`);
      expect(parsePublicId(id)).toEqual({ type, uuid });
    }
  });

  it('have a prefix of their own for each type', () => {
    const prefixes = Object.values(idPrefixes);
    expect(new Set(prefixes).size).toBe(prefixes.length);
    expect(prefixes.filter((prefix) => prefix.length !== 3)).toEqual([]);
  });

  const uuid = '0199a5a0-0000-7000-8000-000000000001';
  it.each([
    ...['', 'exe', 'exe_', uuid, `exe-${uuid}`, `EXE_${uuid}`, `xyz_${uuid}`, ` exe_${uuid}`, `exe_${uuid} `],
    ...[`exe_${uuid}\n`, `exe_${uuid.toUpperCase()}`.replace('A', 'G'), `exe_${uuid.replaceAll('-', '')}`],
    ...[`exe_${uuid}0`, `exe__${uuid}`, 'con_structor', '__proto__'],
  ])('are nothing else: %j', (text) => {
    expect(parsePublicId(text)).toBeNull();
  });

  it('take upper case for no id, as it would be a second name of the same thing', () => {
    expect(parsePublicId(`exe_${uuid.toUpperCase()}`)).toBeNull();
    expect(isUuid(uuid.toUpperCase())).toBe(false);
  });
});
