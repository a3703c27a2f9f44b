// Writes rows as CSV (RFC 4180) whose cells no spreadsheet takes for a formula.
import { toPublicId } from '../../../core/ids.js';
import { copyNull, listOf, textOf, timeOf } from '../../../infra/postgres/bulk/copy-text.js';
import { severities } from '../../finding/finding.input.js';
import type { ExportRow } from '../export.rows.js';

const places = ['path', 'startLine', 'url', 'method', 'parameter', 'component', 'host'] as const;
const header = [
  ...[
    'resultId',
    'findingId',
    'severity',
    'reportedSeverity',
    'title',
    'triage',
    'triageReason',
    'triageComment',
  ],
  ...[
    'acceptedUntil',
    'target',
    'tool',
    'category',
    'ruleId',
    'cweIds',
    'cveIds',
    'vulnerabilityIds',
    'cvssVector',
  ],
  ...['cvssScore', 'firstSeenAt', 'dueAt', 'description', 'evidence', 'remediation', 'references', 'tags'],
  ...places,
  'baselineState',
].join(',');

/** Writes a header and a line for each row. A header stands also where there are no rows. */
export async function* csvOf(batches: AsyncIterable<ExportRow[]>): AsyncGenerator<string> {
  yield `${header}\r\n`;
  for await (const rows of batches) {
    let text = '';
    for (const row of rows) text += lineOf(row);
    yield text;
  }
}

function lineOf(row: ExportRow): string {
  const { id, findingId, cvssScore } = row;
  const finding = findingId === copyNull ? '' : toPublicId('Finding', findingId);
  let line = `${toPublicId('TestResult', id)},${finding},${severities[Number(row.severity)]},${severities[Number(row.reported)]}`;
  for (const field of [row.title, row.triage, row.triageReason, row.triageComment])
    line += `,${cellOf(field)}`;
  line += `,${timeOf(row.acceptedUntil) ?? ''}`;
  for (const field of [row.target, row.tool, row.category, row.ruleId]) line += `,${cellOf(field)}`;
  line += `,${row.cweIds.slice(1, -1).replaceAll(',', ' ')},${listCellOf(row.cveIds)},${listCellOf(row.vulnerabilityIds)}`;
  line += `,${cellOf(row.cvssVector)},${cvssScore === copyNull ? '' : cvssScore}`;
  line += `,${timeOf(row.firstSeenAt) ?? ''},${timeOf(row.dueAt) ?? ''}`;
  for (const field of [row.description, row.evidence, row.remediation]) line += `,${cellOf(field)}`;
  line += `,${listCellOf(row.references)},${listCellOf(row.tags)}`;
  return `${line}${placeCells(row.location)},${cellOf(row.baseline)}\r\n`;
}

function placeCells(field: string): string {
  const json = textOf(field);
  if (json === null) return ','.repeat(places.length);
  const location = JSON.parse(json) as Record<string, string | number | undefined>;
  let cells = '';
  for (const name of places) {
    const value = location[name];
    cells += typeof value === 'string' ? `,${quoted(value)}` : `,${value ?? ''}`;
  }
  return cells;
}

function listCellOf(field: string): string {
  return field === '{}' ? '' : quoted(listOf(field).join(' '));
}

/** A field of COPY as a cell; most have nothing that needs a quote, an apostrophe or decoding. */
function cellOf(field: string): string {
  if (field === copyNull) return '';
  return plain.test(field) ? field : quoted(textOf(field) ?? '');
}

/** Begins with a letter or digit, and has no escape of COPY, no separator and no quotation mark. */
const plain = /^[A-Za-z0-9][^\\",;\r\n]*$/;

/** Spreadsheets take a cell that begins so for a formula (OWASP: CSV injection); an apostrophe makes it text. */
const formulaStart = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;

/**
 * A spreadsheet whose separator is a semicolon or a tab honours no quotation marks behind a comma: cells of its own begin
 * after separators and line breaks within the text.
 */
const innerStart = /([;\t\r\n][\s"]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

function quoted(text: string): string {
  const harmless = (formulaStart.test(text) ? `'${text}` : text).replace(innerStart, "$1'");
  return /[",;\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
