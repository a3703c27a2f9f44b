// testssl.sh's JSON (flat and pretty) and CSV: each line of severity LOW to CRITICAL is a finding.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { ReportItem } from '../../item.js';
import { markIncomplete, type ReportNotes } from '../../notes.js';
import { readCsvItems } from '../../read/csv-reader.js';
import { firstCharacter } from '../../read/first-character.js';
import type { JsonKind, JsonPath, Selection } from '../../read/json-handler.js';
import { pointerOf } from '../../read/pointer.js';
import { readJsonItems } from '../../read/read-json.js';
import { reportError } from '../../report-error.js';
import { lineOf, objectOf, textFrom, wordOf } from '../../text.js';
import { createTestsslRows, type TestsslRow } from './testssl-rows.js';

export const testssl: ReportFormat = {
  format: 'TESTSSL',
  detect: ({ keys, isArray, columns }) => {
    const flat = ['id', 'ip', 'port', 'severity', 'finding'];
    if (columns.includes('fqdn/ip') && columns.includes('finding')) return true;
    return isArray ? flat.every((key) => keys.has(key)) : keys.has('Invocation') && keys.has('scanResult');
  },
  read,
};

async function* read(source: ReportSource, notes: ReportNotes): AsyncGenerator<ReportItem[]> {
  notes.facts.tool = 'testssl.sh';
  const first = await firstCharacter(source);
  yield* first === '[' || first === '{' ? readJsonReport(source, notes) : readCsv(source, notes);
}

async function* readCsv(source: ReportSource, notes: ReportNotes): AsyncGenerator<ReportItem[]> {
  const rows = createTestsslRows(notes);
  const checkColumns = (columns: readonly string[]) => {
    for (const needed of ['id', 'severity', 'finding'])
      if (!columns.includes(needed)) throw reportError(`has no column ${needed}`, { line: 1 });
  };
  yield* readCsvItems(source, notes, checkColumns, (row, place) => {
    const value = (name: string) => row.get(name) ?? '';
    const entry: TestsslRow = {
      id: value('id'),
      address: row.get('fqdn/ip') ?? value('ip'),
      port: value('port'),
      severity: value('severity'),
      finding: value('finding'),
      cve: value('cve'),
      cwe: value('cwe'),
    };
    return rows.take(entry, place);
  });
  rows.end();
}

async function* readJsonReport(source: ReportSource, notes: ReportNotes): AsyncGenerator<ReportItem[]> {
  const rows = createTestsslRows(notes);
  let target = { name: '', ip: '', port: '' };
  yield* readJsonItems(source, notes, (add) => ({
    select: (path, kind) => {
      if (path[0] === 'scanResult' && path.length === 2) target = { name: '', ip: '', port: '' };
      return selectIn(path, kind);
    },
    onValue: (value, path) => {
      const pointer = pointerOf(path);
      if (path.length === 0) throw reportError('is no report of testssl.sh', { pointer });
      if (path[0] === 'version') notes.facts.toolVersion = lineOf(textFrom(value)?.split(' ')[0], 100);
      else if (path[0] === 'scanTime') rows.takeEnd(textFrom(value) ?? '', pointer);
      else if (path[0] === 'scanResult' && path.length === 3)
        setTarget(target, wordOf(path[2]), textFrom(value) ?? '');
      else {
        const draft = rows.take(rowOf(objectOf(value) ?? {}, target), pointer);
        if (draft !== null) add(draft, path);
      }
    },
    onTruncated: (path) =>
      markIncomplete(notes, 'testssl.sh did not finish: its report ends too early.', pointerOf(path)),
  }));
  rows.end();
}

function setTarget(target: { name: string; ip: string; port: string }, key: string, value: string): void {
  if (key === 'targetHost') target.name = value;
  else if (key === 'ip') target.ip = value;
  else if (key === 'port') target.port = value;
}

const targetKeys = new Set<unknown>(['targetHost', 'ip', 'port']);

/** Flat: a list of lines. Pretty: `scanResult` holds a list of targets, whose sections hold lines. */
function selectIn(path: JsonPath, kind: JsonKind): Selection {
  const [section, index, key] = path;
  if (path.length === 0) return kind === 'scalar' ? 'value' : 'enter';
  if (typeof section === 'number') return 'value';
  if (section === 'version' || section === 'scanTime') return 'value';
  if (typeof section === 'string' && section.startsWith('clientProblem'))
    return path.length === 1 ? 'enter' : 'value';
  if (section !== 'scanResult') return 'skip';
  if (path.length <= 2) return kind === 'scalar' ? 'skip' : 'enter';
  if (path.length === 3 && typeof index === 'number')
    return targetKeys.has(key) ? 'value' : kind === 'array' ? 'enter' : 'skip';
  return 'value';
}

function rowOf(row: Record<string, unknown>, target: { name: string; ip: string; port: string }): TestsslRow {
  const text = (key: string) => textFrom(row[key]) ?? '';
  return {
    id: text('id'),
    address: text('ip') || [target.name, target.ip].filter(Boolean).join('/'),
    port: text('port') || target.port,
    severity: text('severity'),
    finding: text('finding'),
    cve: text('cve'),
    cwe: text('cwe'),
  };
}
