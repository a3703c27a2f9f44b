// Results as CSV with a header: columns in the words of addResults, lists within a cell between semicolons.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { ReportItem } from '../../item.js';
import { type ReportNotes, warn } from '../../notes.js';
import { type CsvRow, columnName, readCsvItems } from '../../read/csv-reader.js';
import { reportError } from '../../report-error.js';
import { labelsOf } from '../../text.js';
import { genericDraft, locationFields, resultFields } from './generic-draft.js';

export const genericCsv: ReportFormat = {
  format: 'GENERIC_CSV',
  detect: ({ columns }) => columns.includes('title') && columns.includes('severity'),
  read,
};

/** Field → names of its column. */
const columnsOf = new Map<string, readonly string[]>([
  ...[...resultFields, ...locationFields].map(
    (name) => [name, [columnName(name)]] as const satisfies [string, string[]],
  ),
  ['cweIds', ['cweids', 'cweid', 'cwes', 'cwe']],
  ['cveIds', ['cveids', 'cveid', 'cves', 'cve']],
  ['ruleId', ['ruleid', 'rule']],
  ['path', ['path', 'file']],
  ['startLine', ['startline', 'line']],
  ['startColumn', ['startcolumn', 'column']],
]);
const knownColumns = new Set([...columnsOf.values()].flat());

/** Ids stand between any separators, addresses and labels, which may hold some, between semicolons and lines. */
const separators: Record<string, RegExp> = {
  cweIds: /[,;|\s]+/,
  cveIds: /[,;|\s]+/,
  vulnerabilityIds: /[,;|\s]+/,
  references: /[;\s]+/,
  tags: /[;\n]+/,
};

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  const checkColumns = (columns: readonly string[]) => {
    for (const needed of ['title', 'severity'])
      if (!columns.includes(needed)) throw reportError(`has no column ${needed}`, { line: 1 });
    for (const name of columns)
      if (!knownColumns.has(name)) warn(notes, `ignored the unknown column ${name.slice(0, 100)}`, '1:1');
  };
  return readCsvItems(source, notes, checkColumns, (row, place) => {
    const line = Number.parseInt(place, 10);
    return genericDraft(fieldsOf(row), () => ({ line }));
  });
}

function fieldsOf(row: CsvRow): Record<string, unknown> {
  const cellOf = (field: string) => {
    const name = columnsOf.get(field)?.find((column) => (row.get(column) ?? '') !== '');
    return name === undefined ? null : (row.get(name) ?? null);
  };
  const fields = Object.fromEntries(
    resultFields.map((field) => {
      const value = cellOf(field);
      const separator = separators[field];
      return [field, separator === undefined || value === null ? value : labelsOf(value, separator)];
    }),
  );
  return {
    ...fields,
    location: Object.fromEntries(locationFields.map((field) => [field, cellOf(field)])),
  };
}
