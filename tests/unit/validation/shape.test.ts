// Shapes run as plain functions: they must take, give and refuse exactly what zod does.
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { createExecutionInput } from '../../../src/features/execution/execution.input.js';
import { addResultsInput, resultFilter } from '../../../src/features/result/result.input.js';
import { quickly } from '../../../src/validation/compiled-schema.js';
import { enumOf, idOf, int, line, text } from '../../../src/validation/fields.js';

const executionId = 'exe_0199a5a0-0000-7000-8000-000000000001';
const result = { title: 'SQL injection', severity: 'HIGH' };
const batch = (...results: unknown[]) => ({ executionId, results });

/** What a shape makes of a value, with all that is told of its faults. */
async function outcome(shape: z.ZodType, value: unknown): Promise<unknown> {
  const { issues, ...rest } = (await shape['~standard'].validate(value)) as { issues?: readonly object[] };
  return {
    ...rest,
    issues: issues?.map(({ message, path }: { message?: string; path?: unknown }) => [message, path]),
  };
}

const cases: [name: string, shape: z.ZodType, values: unknown[]][] = [
  [
    'a line',
    line(2, 4),
    ['ab', ' ab ', 'a', 'abcde', 'Cafe\u0301', 'a\u0007b', 'a\0b', '\ud800', '', 7, null, undefined],
  ],
  ['a text', text(3), ['', 'a\nb', 'abcd', 'a\0', '\udfff', 1, null]],
  ['a whole number', int(1, 9), [1, 9, 0, 10, 1.5, Number.NaN, '3', null]],
  ['an enum', enumOf('E', '', { A: '', B: '' }), ['A', 'C', '', 1, null]],
  ['an id', idOf('TestExecution'), [executionId, 'exe_1', 'usr_0199a5a0-0000-7000-8000-000000000001', 4]],
  ['a list', z.array(int(1, 9)).min(1).max(2), [[1], [1, 2], [], [1, 2, 3], [1, 'x'], 'no list', null]],
  ['a checked list', z.array(int(1, 9)).refine((all) => all.length !== 1, 'one is none'), [[1], [1, 2]]],
  [
    'a default',
    z.strictObject({ a: int(1, 9).default(4), b: int(1, 9).optional() }),
    [{}, { a: 2 }, { b: undefined }],
  ],
  ['an open object', z.object({ a: int(1, 9) }), [{ a: 1, b: 2 }, { a: 0 }]],
  [
    'a checked object',
    z.strictObject({ a: int(1, 9) }).refine(({ a }) => a !== 3, 'not three'),
    [{ a: 1 }, { a: 3 }],
  ],
  [
    'results',
    addResultsInput,
    [
      batch(result),
      batch({
        ...result,
        description: null,
        cweIds: [79],
        tags: [' a ', 'é'],
        location: { path: 'a.ts', startLine: 3 },
      }),
      batch(result, { ...result, title: ' two ' }, { ...result, severity: 'BAD' }),
      batch({ ...result, location: { path: '', startLine: 0, other: 1 } }, { title: 'x' }),
      batch({ ...result, cveIds: ['CVE-2021-44228'] }, { ...result, cveIds: ['CVE'] }),
      batch({ ...result, __proto: 1 }, JSON.parse('{"title":"a","severity":"LOW","__proto__":1}')),
      batch(Object.assign(Object.create(null), result)),
      batch(),
      { executionId, results: [result], batchKey: 'b', more: true },
      { results: [result] },
      [],
      null,
      'text',
    ],
  ],
  [
    'a filter',
    resultFilter.nullish(),
    [null, undefined, {}, { severity: ['LOW', 'NONE'] }, { executionId, cweId: 79 }],
  ],
  [
    'an execution',
    createExecutionInput,
    [{ name: 'nightly', target: 'https://app.example', kind: 'DAST' }, { name: '' }, {}],
  ],
];

describe('a shape that runs quickly', () => {
  it.each(cases)('takes and refuses what zod does: %s', async (_name, shape, values) => {
    expect(values.length).toBeGreaterThan(0);
    for (const value of values)
      expect(await outcome(quickly(shape), value)).toEqual(await outcome(shape, value));
  });

  it('keeps the fields in the order of the shape, and makes a value of its own', async () => {
    const given = { severity: 'HIGH', title: 'x' };
    const shape = addResultsInput.shape.results.element;
    const { value } = (await quickly(shape)['~standard'].validate(given)) as { value: object };
    expect(Object.keys(value)).toEqual(['title', 'severity']);
    expect(value).not.toBe(given);
  });

  it('lets through what a transformation throws', () => {
    const shape = z.strictObject({
      a: z.unknown().transform(() => {
        throw new Error('broken');
      }),
    });
    expect(() => quickly(shape)['~standard'].validate({ a: 1 })).toThrow('broken');
  });
});
