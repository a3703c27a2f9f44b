// Writes rows as CSV (RFC 4180) and as NDJSON.
import { toPublicId } from '../../core/ids.js';
import type { ExportRow } from './export.rows.js';

const severities = ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];

/** Fields of a row as clients know them, in the order of the columns. */
function fieldsOf(row: ExportRow): Record<string, unknown> {
  const { location, findingId } = row;
  return {
    resultId: toPublicId('TestResult', row.id),
    findingId: findingId === null ? null : toPublicId('Finding', findingId),
    severity: severities[row.severity],
    reportedSeverity: severities[row.reportedSeverity],
    title: row.title,
    triage: row.triage,
    triageReason: row.triageReason,
    triageComment: row.triageComment,
    acceptedUntil: row.acceptedUntil,
    target: row.target,
    tool: row.tool,
    category: row.category,
    ruleId: row.ruleId,
    cweIds: row.cweIds,
    cveIds: row.cveIds,
    vulnerabilityIds: row.vulnerabilityIds,
    cvssVector: row.cvssVector,
    cvssScore: row.cvssScore,
    location,
    firstSeenAt: row.firstSeenAt,
    dueAt: row.dueAt,
    description: row.description,
    evidence: row.evidence,
    remediation: row.remediation,
    references: row.references,
    tags: row.tags,
  };
}

/** Writes a JSON object on each line. */
export async function* ndjsonOf(rows: AsyncIterable<ExportRow>): AsyncGenerator<string> {
  for await (const row of rows) yield `${JSON.stringify(fieldsOf(row))}\n`;
}

const places = ['path', 'startLine', 'url', 'method', 'parameter', 'component', 'host'] as const;

function cellsOf(row: ExportRow): Record<string, unknown> {
  const { location: _location, ...fields } = fieldsOf(row);
  const place = Object.fromEntries(places.map((name) => [name, row.location?.[name]]));
  return { ...fields, ...place };
}

/** Writes a header and a line for each row. A header stands also where there are no rows. */
export async function* csvOf(rows: AsyncIterable<ExportRow>): AsyncGenerator<string> {
  yield `${csvHeader}\r\n`;
  for await (const row of rows) yield `${Object.values(cellsOf(row)).map(cellOf).join(',')}\r\n`;
}

/** Spreadsheets take a cell that begins so for a formula (OWASP: CSV injection); an apostrophe makes it text. */
const formulaStart = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;

function cellOf(value: unknown): string {
  if (value == null) return '';
  if (typeof value === 'number') return String(value);
  const text =
    value instanceof Date ? value.toISOString() : Array.isArray(value) ? value.join(' ') : String(value);
  const harmless = formulaStart.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

const csvHeader = Object.keys(
  cellsOf({ id: '', findingId: null, severity: 0, reportedSeverity: 0, location: null } as ExportRow),
).join(',');
