// Mutated reports of every format: each is read within the limits, or refused with VALIDATION_FAILED; nothing else happens.
// 300 runs a fixture from one seed; REPORT_FUZZ_RUNS=10000 for a long look at new ones.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AppError } from '../../../src/core/errors.js';
import type { ReportFormatName } from '../../../src/reports/format.js';
import { itemLimits, type ReportItem } from '../../../src/reports/item.js';
import { createNotes } from '../../../src/reports/notes.js';
import { openReport } from '../../../src/reports/read-report.js';
import { reportSource } from '../../kit/reports.js';

const numRuns = Number(process.env.REPORT_FUZZ_RUNS ?? 300);
const settings = process.env.REPORT_FUZZ_RUNS === undefined ? { numRuns, seed: 2030 } : { numRuns };
// A hang fails; many runs take their time.
const timeoutMs = 60_000 + numRuns * 100;
const folder = new URL('../../fixtures/reports/', import.meta.url);
const names = [
  ...readdirSync(new URL('formats/', folder)).map((name) => `formats/${name}`),
  'suppressions.sarif',
  'bases.sarif',
  'eslint.sarif',
];

/** Faults of an item that is beyond the limits. */
function faultsOf(item: ReportItem): string[] {
  const { title, severity, location, tags, references, cweIds, evidence, description } = item;
  const checks: [string, boolean][] = [
    ['title', title.length > 0 && title.length <= itemLimits.title && !/[\0\r\n]/.test(title)],
    ['severity', [0, 1, 2, 3, 4].includes(severity)],
    ['tags', tags.length <= itemLimits.tags && tags.every((tag) => tag.length <= itemLimits.tag)],
    ['references', references.length <= itemLimits.references],
    ['cweIds', cweIds.every((id) => Number.isInteger(id) && id > 0)],
    ['evidence', (evidence?.length ?? 0) <= itemLimits.evidence],
    ['description', (description?.length ?? 0) <= itemLimits.description],
    ['location', location === null || Object.values(location).every((value) => value !== '' && value !== 0)],
  ];
  return checks.filter(([, isFine]) => !isFine).map(([name]) => name);
}

/** Reads a report; undefined when it is refused as it should be. */
async function outcome(bytes: Uint8Array, format: ReportFormatName | undefined, chunkBytes: number) {
  try {
    const report = await openReport(reportSource(bytes, chunkBytes), format);
    const faults: string[] = [];
    for await (const batch of report.read(createNotes())) faults.push(...batch.flatMap(faultsOf));
    return faults;
  } catch (error) {
    if (error instanceof AppError && error.code === 'VALIDATION_FAILED') return [];
    throw error;
  }
}

type Edit = { at: number; remove: number; insert: Uint8Array };

const pieces = fc.oneof(
  fc.uint8Array({ maxLength: 4 }),
  fc
    .constantFrom(
      '"',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '\\',
      '<',
      '>',
      '/>',
      '&',
      '&lol;',
      ']]>',
      'null',
      '1e999',
      '\n',
      ';',
      '\0',
    )
    .map((text) => Buffer.from(text)),
);
const edits = fc.array(
  fc.record({ at: fc.nat(), remove: fc.nat({ max: 40 }), insert: pieces }) as fc.Arbitrary<Edit>,
  { minLength: 1, maxLength: 4 },
);

function edited(bytes: Buffer, changes: readonly Edit[]): Buffer {
  return changes.reduce((text, { at, remove, insert }) => {
    const position = at % (text.length + 1);
    return Buffer.concat([text.subarray(0, position), insert, text.subarray(position + remove)]);
  }, bytes);
}

/** Replaces one value somewhere in a JSON document by another one. */
function replaced(root: unknown, choices: readonly number[], value: unknown): unknown {
  const [choice = 0, ...rest] = choices;
  if (typeof root !== 'object' || root === null || choices.length === 0) return value;
  const keys = Object.keys(root);
  const key = keys[choice % Math.max(keys.length, 1)];
  if (key === undefined) return value;
  const inner = replaced((root as Record<string, unknown>)[key], rest, value);
  if (Array.isArray(root)) return root.with(Number(key), inner);
  return { ...root, [key]: inner };
}

const values = fc.oneof(
  fc.constantFrom(
    null,
    [],
    {},
    '',
    0,
    -1,
    1e300,
    true,
    [null],
    [[]],
    [{}],
    { a: { b: [] } },
    { toString: null },
    'constructor',
    '__proto__',
    'x'.repeat(3000),
  ),
  fc.jsonValue({ maxDepth: 2 }),
);

describe.each(names)('the fixture %s', (name) => {
  const bytes = readFileSync(new URL(name, folder));
  const format = openReport(reportSource(bytes), undefined).then(
    (report) => report.format,
    () => undefined,
  );

  it(
    'with any bytes changed is read within the limits or refused',
    async () => {
      const known = await format;
      await fc.assert(
        fc.asyncProperty(
          edits,
          fc.boolean(),
          fc.integer({ min: 1, max: 9000 }),
          async (changes, isNamed, chunkBytes) => {
            expect(await outcome(edited(bytes, changes), isNamed ? known : undefined, chunkBytes)).toEqual(
              [],
            );
          },
        ),
        settings,
      );
    },
    timeoutMs,
  );

  if (/json$|sarif$/.test(name))
    it(
      'with any value replaced is read within the limits or refused',
      async () => {
        const known = await format;
        const root = JSON.parse(bytes.toString()) as unknown;
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.nat(), { minLength: 1, maxLength: 8 }),
            values,
            async (choices, value) => {
              const text = JSON.stringify(replaced(root, choices, value));
              expect(await outcome(Buffer.from(text), known, 65_536)).toEqual([]);
            },
          ),
          settings,
        );
      },
      timeoutMs,
    );
});
