// The streaming JSON reader: what it hands over is what JSON.parse finds, however the bytes are cut, and faults name their place.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type JsonPath, jsonLimits } from '../../../src/reports/read/json-handler.js';
import { createJsonReader } from '../../../src/reports/read/json-reader.js';

/** Reads text in chunks of a size; selects what `select` says, or each element of the root array. */
function read(
  text: string,
  chunkBytes = 7,
  select = (path: JsonPath): 'value' | 'enter' | 'skip' => (path.length === 0 ? 'enter' : 'value'),
  isNdjson = false,
  limits = jsonLimits,
) {
  const found: [string, unknown][] = [];
  const reader = createJsonReader(
    { select, isNdjson, onValue: (value, path) => void found.push([path.join('.'), value]) },
    limits,
  );
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) reader.write(bytes.subarray(at, at + chunkBytes));
  return { documents: reader.end(), found };
}

const faultOf = (text: string, limits = jsonLimits) => {
  try {
    read(text, 3, undefined, false, limits);
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
};

describe('the JSON reader', () => {
  it('hands over the values of any object and any array as JSON.parse reads them, for every size of chunk', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(fc.jsonValue(), { maxLength: 8 }),
          fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }),
        ),
        fc.integer({ min: 1, max: 20 }),
        fc.boolean(),
        (value, chunkBytes, isIndented) => {
          const text = JSON.stringify(value, null, isIndented ? 2 : undefined);
          const { found } = read(text, chunkBytes);
          const parsed = JSON.parse(text) as object;
          expect(found.map(([, element]) => element)).toEqual(Object.values(parsed));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('enters, selects and skips by path', () => {
    const { found } = read(
      '{"a":{"skip":[1,{"b":"}]"}],"list":[{"x":1},2,"three",null]},"c":-1.5e3}',
      2,
      (path) =>
        path.length < 3 && path.at(-1) !== 'skip' ? 'enter' : path.at(-1) === 'skip' ? 'skip' : 'value',
    );
    expect(found).toEqual([
      ['a.list.0', { x: 1 }],
      ['a.list.1', 2],
      ['a.list.2', 'three'],
      ['a.list.3', null],
      ['c', -1500],
    ]);
  });

  it('reads one document after another where that is allowed', () => {
    const { documents, found } = read('{"a":1}\n{"a":2}\n\n7\n', 4, () => 'value', true);
    expect(documents).toBe(3);
    expect(found.map(([, value]) => value)).toEqual([{ a: 1 }, { a: 2 }, 7]);
  });

  it.each([
    ['nothing at all', '', 'The report is empty (byte 0).'],
    ['a document that ends early', '[1, {"a": [2', 'The report ends too early (at /1, byte 12).'],
    ['a second document', '[1] [2]', 'The report has text behind its end (byte 4).'],
    ['a missing comma', '[1 2]', 'The report is no valid JSON (byte 3).'],
    ['a broken element', '[1, {"a": tru}]', 'The report is no valid JSON (at /1, byte 4).'],
    ['a repeated key of an entered object', '{"a": 1, "a": 2}', 'The report has the key "a" twice (byte 9).'],
    [
      'a repeated key within an element',
      '[{"b": {"a": 1, "\\u0061": 2}}]',
      'The report has an object with a repeated key (at /0, byte 1).',
    ],
    ['a closing bracket of another kind', '[1}', 'The report is no valid JSON (byte 2).'],
  ])('names the place of %s', (_name, text, message) => {
    expect(faultOf(text)).toBe(message);
  });

  it('refuses what is nested too deep and what is too large, wherever the chunks are cut', () => {
    const limits = { elementBytes: 100, depth: 10, keysPerObject: 3 };
    expect(faultOf(`[${'['.repeat(20)}${']'.repeat(20)}]`, limits)).toContain('nested deeper than 10 levels');
    expect(faultOf(`["${'x'.repeat(200)}"]`, limits)).toContain('more than 100 bytes');
    expect(faultOf('{"a":1,"b":2,"c":3,"d":4}', limits)).toContain('more than 3 keys');
  });

  it('refuses bytes that are not UTF-8', () => {
    const reader = createJsonReader({
      select: (path) => (path.length === 0 ? 'enter' : 'value'),
      onValue: () => {},
    });
    expect(() => reader.write(Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]))).toThrow('not valid UTF-8');
  });
});
