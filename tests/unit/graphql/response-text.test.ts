// Large results as text: the same as JSON.stringify's, in turns, and never more than the limit.
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { withText, writeInTurns } from '../../../src/graphql/documents/response-text.js';

const written = async (data: unknown, limit = 1e9) => (await writeInTurns({ data } as never, limit)).text;

it('a value of any size is written as JSON.stringify writes it', async () => {
  const wide = fc.tuple(fc.jsonValue(), fc.integer({ min: 0, max: 4000 })).map(([value, count]) => ({
    list: Array.from({ length: count }, () => value),
    value,
    text: 'x"\u00e9'.repeat(count * 40),
  }));
  await fc.assert(
    fc.asyncProperty(wide, fc.array(fc.jsonValue()), async (large, more) => {
      const data = { large, more, empty: {}, none: [], lists: [[large.list], [], [large]], left: undefined };
      expect(await written(data)).toBe(JSON.stringify(data));
    }),
    { numRuns: 40 },
  );
});

it('others have their turns while a large result is written', async () => {
  const data = { rows: Array.from({ length: 300_000 }, (_, at) => ({ at, text: 'some text' })) };
  let turns = 0;
  const count = () => {
    turns += 1;
    handle = setImmediate(count);
  };
  let handle = setImmediate(count);
  expect(JSON.parse((await written(data)) ?? '').rows).toHaveLength(300_000);
  clearImmediate(handle);
  expect(turns).toBeGreaterThan(3);
});

it('a result beyond the limit is an error without data, and one at the limit is sent', async () => {
  const data = { text: 'x'.repeat(1000) };
  const size = JSON.stringify(data).length;
  expect(await writeInTurns({ data }, size)).toEqual({ errors: undefined, text: JSON.stringify(data) });
  const { errors, text } = await writeInTurns({ data }, size - 1);
  expect([errors?.[0]?.extensions.code, text]).toEqual(['QUERY_TOO_COMPLEX', 'null']);
});

it('errors and extensions stand beside the text', async () => {
  const result = await withText({ data: { a: 1 }, errors: [], extensions: { b: 2 } }, 100);
  expect(JSON.parse(result.stringify(result))).toEqual({ data: { a: 1 }, errors: [], extensions: { b: 2 } });
});
