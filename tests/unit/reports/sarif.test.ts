// SARIF as tools write it: what counts as a finding, where it is, how severe, and when a run is not whole.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { sarif } from '../../../src/reports/formats/sarif/sarif.js';
import type { ReportItem } from '../../../src/reports/item.js';
import { createNotes } from '../../../src/reports/notes.js';
import { createReportSource } from '../../../src/reports/read/source.js';

async function read(bytes: Uint8Array | string) {
  const notes = createNotes();
  const source = createReportSource(async function* () {
    yield typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  }, 10_000_000);
  const items: ReportItem[] = [];
  for await (const batch of sarif.read(source, notes)) items.push(...batch);
  return { items, notes };
}

const fixture = (name: string) =>
  readFileSync(new URL(`../../fixtures/reports/${name}.sarif`, import.meta.url));

interface Run {
  [key: string]: unknown;
  results?: unknown;
}
const log = (...runs: Run[]) =>
  JSON.stringify({
    version: '2.1.0',
    runs: runs.map((run) => ({ tool: { driver: { name: 'Tool' } }, ...run })),
  });
const result = (more: object = {}) => ({ ruleId: 'r', message: { text: 'Problem' }, ...more });
const at = (uri: string, region?: object) => ({
  physicalLocation: { artifactLocation: { uri }, ...(region && { region }) },
});
const firstOf = async (more: object, run: Run = {}) =>
  (await read(log({ ...run, results: [result(more)] }))).items[0] as ReportItem;

describe('real reports', () => {
  it('of flawfinder keep all 19 results, though their fingerprints have 8 values', async () => {
    const { items, notes } = await read(fixture('flawfinder'));
    expect([items.length, notes.read]).toEqual([19, 19]);
    expect(new Set(items.map(({ toolFingerprint }) => toolFingerprint)).size).toBe(8);
    expect(items[0]).toMatchObject({
      severity: 3,
      cweIds: [120],
      location: { path: 'src/a.c', startLine: 6 },
    });
    expect(notes.facts).toEqual({
      tool: 'Flawfinder',
      toolVersion: '2.0.19',
      incomplete: [],
      unreadPaths: new Set(),
    });
  });

  it('of ESLint leave out what is suppressed, and keep the findings of the file that it could not parse', async () => {
    const { items, notes } = await read(fixture('eslint'));
    expect([items.length, notes.skipped.get('suppressed')]).toEqual([28, 6]);
    expect(notes.facts.incomplete).toEqual([]);
    expect([...notes.facts.unreadPaths]).toEqual(['/srv/ci/checkout/src/broken.js']);
    expect(items[0]?.location?.path).toBe('/srv/ci/checkout/src/my dir/a#1%20ü.js');
  });

  it.each([
    ['oxlint', 'OXL0001'],
    ['stylelint', 'CssSyntaxError'],
    ['Biome', 'parse'],
    ['spectral', 'parser'],
    ['ShellCheck', 'SC1073'],
    ['RuboCop', 'Lint/Syntax'],
  ])('of %s keep the findings of a file with a syntax error', async (name, ruleId) => {
    const results = [
      result({ ruleId, locations: [at('src/broken.js', { startLine: 6 })] }),
      result({ ruleId: 'no-eval', locations: [at('src/other.js')] }),
    ];
    const { items, notes } = await read(log({ tool: { driver: { name } }, results }));
    expect([...notes.facts.unreadPaths]).toEqual(['src/broken.js']);
    expect(items.map((item) => item.ruleId)).toEqual([ruleId, 'no-eval']);
    expect(notes.facts.incomplete).toEqual([]);
  });

  it('do not take a rule of another tool for a syntax error', async () => {
    const results = [result({ ruleId: 'parser', locations: [at('src/a.js')] })];
    expect((await read(log({ results }))).notes.facts.unreadPaths.size).toBe(0);
  });

  it('of Trivy are named by their rule, and hold no secret', async () => {
    const { items } = await read(fixture('trivy-secret'));
    expect(items).toHaveLength(9);
    expect(items[0]).toMatchObject({ title: 'AWS Access Key ID', severity: 4, cvssScore: 9.5 });
    expect(items[0]?.location?.path).toBe('a b#1ü.env');
  });

  it('resolve base ids and suppressions as the standard has them', async () => {
    expect((await read(fixture('bases'))).items).toHaveLength(3);
    const { items, notes } = await read(fixture('suppressions'));
    expect([items.length, notes.skipped.get('suppressed')]).toEqual([2, 3]);
  });

  it('are read alike as gzip, with a byte order mark, and as UTF-16', async () => {
    const text = fixture('flawfinder').toString();
    for (const bytes of [
      gzipSync(text),
      Buffer.from(`\uFEFF${text}`),
      Buffer.from(`\uFEFF${text}`, 'utf16le'),
      Buffer.from(text, 'utf16le'),
    ])
      expect((await read(bytes)).items).toHaveLength(19);
  });
});

describe('a result', () => {
  it.each(['pass', 'notApplicable', 'open', 'review', 'informational'])(
    'of kind %s is no finding',
    async (kind) => {
      const { items, notes } = await read(log({ results: [result({ kind }), result()] }));
      expect([items.length, notes.skipped.get(`kind ${kind}`)]).toEqual([1, 1]);
    },
  );

  it('is one finding per place', async () => {
    const { items, notes } = await read(
      log({ results: [result({ locations: [at('a.c', { startLine: 1 }), at('b.c')] })] }),
    );
    expect(items.map(({ location }) => location)).toEqual([{ path: 'a.c', startLine: 1 }, { path: 'b.c' }]);
    expect(notes.read).toBe(2);
  });

  it.each([
    [[], true],
    [[{ kind: 'inSource' }], false],
    [[{ kind: 'external', status: 'accepted' }], false],
    [[{ kind: 'external', status: 'underReview' }], true],
    [[{ kind: 'external', status: 'rejected' }], true],
    [[{ status: 'accepted' }, { status: 'rejected' }], true],
  ])('with the suppressions %j is a finding: %s', async (suppressions, isFinding) => {
    expect((await read(log({ results: [result({ suppressions })] }))).items.length === 1).toBe(isFinding);
  });

  it.each<[string, object, object, number]>([
    ['its level', { level: 'error' }, {}, 3],
    ['the level none', { level: 'none' }, {}, 0],
    ['no level, which is warning', {}, {}, 2],
    ['the level of its rule', {}, { defaultConfiguration: { level: 'note' } }, 1],
    ['its own level ahead of the rule’s', { level: 'error' }, { defaultConfiguration: { level: 'note' } }, 3],
    [
      'the score of its rule ahead of its level',
      { level: 'note' },
      { properties: { 'security-severity': '9.8' } },
      4,
    ],
    [
      'its own score ahead of the rule’s',
      { properties: { 'security-severity': 3.1 } },
      { properties: { 'security-severity': '9.8' } },
      1,
    ],
    ['a score that is a word', {}, { properties: { 'security-severity': 'Medium' } }, 2],
    ['a score of nothing', {}, { properties: { 'security-severity': '0.0' } }, 0],
  ])('takes its severity from %s', async (_name, own, rule, severity) => {
    const tool = { driver: { name: 'Tool', rules: [{ id: 'r', ...rule }] } };
    expect((await firstOf(own, { tool })).severity).toBe(severity);
  });

  it.each([
    ['src/a%20b.c', 'src/a b.c'],
    ['a#1%20ü.c', 'a#1%20ü.c'],
    ['my dir/a.c', 'my dir/a.c'],
    ['file:///srv/x/a.c', '/srv/x/a.c'],
    ['file:///srv/my dir/a.c', '/srv/my dir/a.c'],
    ['file://server/share/a.c', '//server/share/a.c'],
    ['file:///C:/code/a.c', 'C:/code/a.c'],
    ['C:\\code\\a.c', 'C:\\code\\a.c'],
    ['100%.c', '100%.c'],
  ])('at %s is in the file %s', async (uri, path) => {
    expect((await firstOf({ locations: [at(uri)] })).location).toEqual({ path });
  });

  it('finds its rule behind the results, by index, by id, and in an extension', async () => {
    const rules = [
      { id: 'a', shortDescription: { text: 'A' } },
      { id: 'b/x', shortDescription: { text: 'B' } },
    ];
    const text = JSON.stringify({
      runs: [
        {
          results: [{ ruleIndex: 1 }, { ruleId: 'a' }, { rule: { id: 'c', toolComponent: { index: 0 } } }],
          tool: {
            driver: { rules, name: 'Tool' },
            extensions: [{ name: 'X', rules: [{ id: 'c', name: 'C' }] }],
          },
        },
      ],
      version: '2.1.0',
    });
    expect((await read(text)).items.map(({ title, ruleId }) => [title, ruleId])).toEqual([
      ['B', 'b/x'],
      ['A', 'a'],
      ['C', 'c'],
    ]);
  });

  it('says which limits it met', async () => {
    const { items, notes } = await read(
      log({
        results: [
          result({
            message: { text: 'x'.repeat(600) },
            properties: { tags: Array.from({ length: 60 }, (_, n) => `t${n}`) },
          }),
        ],
      }),
    );
    expect([items[0]?.title.length, items[0]?.tags.length]).toEqual([500, 50]);
    expect(notes.warnings).toEqual([
      { message: 'title was cut to 500 characters', pointer: '/runs/0/results/0' },
      { message: 'kept 50 of 60 tags', pointer: '/runs/0/results/0' },
    ]);
  });
});

describe('a run that is not whole', () => {
  it.each<[string, Run, RegExp]>([
    ['has no results', {}, /nothing was scanned/],
    ['has null for results', { results: null }, /no list/],
    ['failed', { results: [], invocations: [{ executionSuccessful: false }] }, /failed/],
    [
      'was killed, whatever it says of its success',
      { results: [], invocations: [{ executionSuccessful: true, exitSignalName: 'SIGKILL' }] },
      /SIGKILL/,
    ],
    [
      'did not start',
      { results: [], invocations: [{ processStartFailureMessage: 'no such file' }] },
      /no such file/,
    ],
    ...(['toolExecutionNotifications', 'toolConfigurationNotifications'] as const).map(
      (list): [string, Run, RegExp] => [
        `has an error among its ${list}`,
        {
          results: [],
          invocations: [
            { executionSuccessful: true, [list]: [{ level: 'error', message: { text: 'rule 7 crashed' } }] },
          ],
        },
        /rule 7 crashed/,
      ],
    ),
    [
      'keeps results elsewhere',
      { results: [], externalPropertyFileReferences: { results: [{}] } },
      /external/,
    ],
  ])('%s', async (_name, run, reason) => {
    const { notes } = await read(log(run));
    expect(notes.facts.incomplete).toEqual([expect.stringMatching(reason)]);
    expect(notes.warningCount).toBe(1);
  });

  it('has no runs at all', async () => {
    expect((await read(log())).notes.facts.incomplete).toHaveLength(1);
  });
});

describe('a log that cannot be read', () => {
  it.each([
    ['another version', JSON.stringify({ version: '2.0.0', runs: [] }), 'SARIF 2.0.0'],
    ['no version', JSON.stringify({ runs: [] }), 'no version'],
    ['runs that are no list', JSON.stringify({ version: '2.1.0', runs: {} }), 'runs that are no list'],
    ['its end missing', log({ results: [result()] }).slice(0, -20), 'ends too early'],
    ['text that is no JSON', 'hello', 'no valid JSON'],
    ['a cut-off gzip', gzipSync(log({ results: [result()] })).subarray(0, 40), 'gzip ends too early'],
  ])('because of %s', async (_name, bytes, message) => {
    await expect(read(bytes)).rejects.toThrow(message);
  });

  it('because it is larger than the bound when it is unpacked', async () => {
    const bomb = gzipSync(`{"a":"${'0'.repeat(11_000_000)}"}`);
    await expect(read(bomb)).rejects.toThrow('larger than 10000000 bytes');
  });
});
