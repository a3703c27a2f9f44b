// Building blocks of input shapes: text, ids, numbers, moments, JSON, and how their faults are reported.
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { AppError } from '../../../src/core/errors.js';
import {
  anyIdOf,
  dateTime,
  enumOf,
  idOf,
  int,
  jsonObject,
  line,
  parseInput,
  text,
} from '../../../src/validation/fields.js';

/** Faults of a value as "path: message". */
function faults(shape: z.ZodType, value: unknown): string[] {
  try {
    parseInput(shape, value);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return ((error as AppError).fields ?? []).map(({ path, message }) => `${path}: ${message}`);
  }
}
const uuid = '0199a5a0-0000-7000-8000-000000000001';

describe('a line of text', () => {
  it('is trimmed and normalised before it is measured', () => {
    expect(parseInput(line(1, 4), '  Cafe\u0301\t')).toBe('Caf\u00e9');
    expect(faults(line(1, 3), ' abcd ')).toEqual([': must have at most 3 characters']);
    expect(faults(line(1, 3), ' \n ')).toEqual([': must not be empty']);
    expect(faults(line(2, 3), 'a')).toEqual([': must have at least 2 characters']);
  });

  it.each(['a\nb', 'a\tb', 'a\rb', 'a\u0007b', 'a\u007fb', 'a\u0085b', 'a\u2028b', 'a\u2029b'])(
    'has no control characters: %j',
    (value) => {
      expect(faults(line(1, 9), value)).toEqual([': must not contain control characters']);
    },
  );

  it.each(['\0', 'a\0', '\ud800', '\udc00\ud800', 'x\udfff'])(
    'is well-formed: not %j, with one fault',
    (value) => {
      expect(faults(line(1, 9), value)).toEqual([': must be well-formed Unicode without NUL']);
      expect(faults(text(9), value)).toEqual([': must be well-formed Unicode without NUL']);
    },
  );

  it('is a string', () => {
    for (const value of [1, null, {}, ['a'], true]) expect(faults(line(1, 9), value)).toHaveLength(1);
  });
});

describe('longer text', () => {
  it('is kept as it is', () => {
    expect(parseInput(text(20), '  a\r\n\tb e\u0301 ')).toBe('  a\r\n\tb e\u0301 ');
    expect(parseInput(text(20), '')).toBe('');
    expect(faults(text(2), 'abc')).toEqual([': must have at most 2 characters']);
  });
});

describe('ids', () => {
  it('give the row’s UUID, and the type where there are several', () => {
    expect(parseInput(idOf('TestExecution'), `exe_${uuid}`)).toBe(uuid);
    expect(parseInput(anyIdOf('User', 'TestResult'), `res_${uuid}`)).toEqual({ type: 'TestResult', uuid });
  });

  it('of another type are reported by name', () => {
    expect(faults(idOf('User'), `exe_${uuid}`)).toEqual([': is the id of a TestExecution, not of a User']);
    expect(faults(anyIdOf('User', 'Session'), `exe_${uuid}`)).toEqual([
      ': is the id of a TestExecution, not of a User or Session',
    ]);
    expect(faults(idOf('User'), uuid)).toEqual([': is not an id']);
  });
});

describe('numbers and moments', () => {
  it('are whole and within their bounds', () => {
    expect(parseInput(int(1, 5), 5)).toBe(5);
    expect(faults(int(1, 5), 0)).toEqual([': must be at least 1']);
    expect(faults(int(1, 5), 6)).toEqual([': must be at most 5']);
    for (const value of [1.5, '1', Number.NaN, Number.POSITIVE_INFINITY])
      expect(faults(int(1, 5), value)).toHaveLength(1);
  });

  it('are Dates, or RFC 3339 with any offset', () => {
    const moment = new Date('2026-01-31T09:30:00Z');
    for (const value of [moment, '2026-01-31T09:30:00Z', '2026-01-31T10:30:00+01:00'])
      expect(parseInput(dateTime, value)).toEqual(moment);
    for (const value of ['2026-01-31', 'now', 0, '2026-02-30T00:00:00Z', new Date(Number.NaN)])
      expect([value, faults(dateTime, value).length > 0]).toEqual([value, true]);
  });
});

describe('JSON objects', () => {
  const nest = (depth: number): object => (depth === 0 ? {} : { a: nest(depth - 1) });

  it('are objects, and nothing else', () => {
    for (const value of [{}, { a: [1, null, 'x'] }, JSON.parse('{"__proto__":1}')])
      expect(parseInput(jsonObject, value)).toBe(value);
    for (const value of [null, [], 'x', 1, undefined])
      expect(faults(jsonObject, value)).toEqual([': must be a JSON object']);
  });

  it('have bounds of depth, size and numbers, and one fault each', () => {
    expect(faults(jsonObject, nest(31))).toEqual([]);
    expect(faults(jsonObject, nest(32))).toEqual([': must be nested at most 32 deep']);
    expect(faults(jsonObject, JSON.parse(`{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`))).toEqual([
      ': must be nested at most 32 deep',
    ]);
    expect(faults(jsonObject, { a: 'x'.repeat(65_528) })).toEqual([]);
    expect(faults(jsonObject, { a: 'x'.repeat(65_529) })).toEqual([': must be at most 64 KiB of JSON']);
    expect(faults(jsonObject, { a: [Number.NEGATIVE_INFINITY] })).toHaveLength(1);
  });

  it('are well-formed in keys and values, and may talk of escapes', () => {
    expect(faults(jsonObject, { a: '\\u0000', '\\ud800': '\\\\u0000' })).toEqual([]);
    for (const value of [{ a: ['\0'] }, { 'a\0': 1 }, { a: '\ud800' }, { a: '\\\0' }, { a: '\\\\\udc00' }])
      expect(faults(jsonObject, value)).toEqual([': must be well-formed Unicode without NUL']);
  });
});

describe('faults', () => {
  const colour = enumOf('Colour', 'A colour.', { RED: 'Like blood.', BLUE: 'Like the sky.' });
  const shape = z.strictObject({ list: z.array(z.strictObject({ name: line(1, 3) })), colour });

  it('have dotted paths, unknown fields among them, and come all at once', () => {
    const value = { list: [{ name: 'ok' }, { name: '', extra: 1 }], colour: 'GREEN', more: 1, most: 2 };
    expect(faults(shape, value).sort()).toEqual([
      expect.stringMatching(/^colour: /),
      ...['list.1.extra: is not a known field', 'list.1.name: must not be empty'],
      ...['more: is not a known field', 'most: is not a known field'],
    ]);
  });

  it('say of a missing field that it must be given, and of another type what it must be', () => {
    expect(faults(shape, { list: [{}, { name: 5 }] }).sort()).toEqual([
      expect.stringMatching(/^colour: /),
      ...['list.0.name: must be given', 'list.1.name: must be of the type string, not number'],
    ]);
  });

  it('name the first in the message', () => {
    expect(() => parseInput(shape, { list: [{ name: '' }], colour: 'RED' })).toThrow(
      'list.0.name: must not be empty',
    );
    expect(() => parseInput(line(1, 3), '')).toThrow(/^must not be empty$/);
  });
});
