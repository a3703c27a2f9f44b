// Reads CSV as a stream, row by row, with the line of each row.
import { pipeline, Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { finishItem } from '../finish-item.js';
import type { ReportSource } from '../format.js';
import type { DraftItem, ReportItem } from '../item.js';
import type { ReportNotes } from '../notes.js';
import { reportError } from '../report-error.js';

/** A row by the names of its columns, which are in lower case and without blanks, hyphens and underscores. */
export type CsvRow = ReadonlyMap<string, string>;

const maxRowLength = 1024 * 1024;
const maxColumns = 500;
const rowsPerBatch = 500;

/**
 * Reads a source whose `draftOf` makes a draft of a row, or null of a row that is no result.
 * @param checkColumns called with the names of the columns, for example to refuse a report without a needed one
 * @throws VALIDATION_FAILED with the line of a fault
 */
export async function* readCsvItems(
  source: ReportSource,
  notes: ReportNotes,
  checkColumns: (columns: readonly string[]) => void,
  draftOf: (row: CsvRow, place: string) => DraftItem | null,
): AsyncGenerator<ReportItem[]> {
  let columns: string[] | undefined;
  let items: ReportItem[] = [];
  for await (const { record, line } of recordsOf(source)) {
    if (columns === undefined) {
      columns = namesOf(record, line);
      checkColumns(columns);
      continue;
    }
    if (record.length > columns.length)
      throw reportError(`has a row of ${record.length} cells under ${columns.length} columns`, { line });
    const row = new Map(columns.map((name, index) => [name, record[index] ?? '']));
    const place = `${line}:1`;
    const draft = draftOf(row, place);
    if (draft === null) continue;
    notes.read += 1;
    items.push(finishItem(draft, notes, place));
    if (items.length < rowsPerBatch) continue;
    yield items;
    items = [];
  }
  if (columns === undefined) throw reportError('is empty', { line: 1 });
  if (items.length > 0) yield items;
}

/** The name of a column as rows are asked for it: `Rule ID`, `rule_id` and `ruleId` are one. */
export function columnName(cell: string): string {
  return cell.toLowerCase().replace(/[\s_-]+/g, '');
}

function namesOf(cells: readonly string[], line: number): string[] {
  const names = cells.map(columnName);
  if (names.length > maxColumns) throw reportError(`has more than ${maxColumns} columns`, { line });
  const repeated = names.find((name, index) => name !== '' && names.indexOf(name) !== index);
  if (repeated !== undefined) throw reportError(`has the column ${repeated.slice(0, 80)} twice`, { line });
  return names;
}

/** The delimiter of a CSV line: a comma, a semicolon (Excel in many countries) or a tab, the most frequent one. */
export function delimiterOf(line: string): string {
  const counts = [',', ';', '\t'].map((delimiter) => ({ delimiter, count: line.split(delimiter).length }));
  return counts.sort((a, b) => b.count - a.count)[0]?.delimiter ?? ',';
}

async function* recordsOf(source: ReportSource): AsyncGenerator<{ record: string[]; line: number }> {
  const delimiter = await firstDelimiter(source);
  const parser = parse({
    delimiter,
    info: true,
    max_record_size: maxRowLength,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
  });
  // A fault of either stream reaches the reader of the last one.
  const records = pipeline(Readable.from(source.open()), parser, () => {});
  try {
    for await (const { record, info } of records as AsyncIterable<{
      record: string[];
      info: { lines: number };
    }>)
      yield { record, line: info.lines };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error.lines === 'number' ? error.lines : 1;
    throw reportError(`is no valid CSV: ${csvFaults[error.code] ?? 'its quotes are broken'}`, { line });
  }
}

const csvFaults: Partial<Record<string, string>> = {
  CSV_MAX_RECORD_SIZE: `it has a row of more than ${maxRowLength} characters, or an open quote`,
  CSV_QUOTE_NOT_CLOSED: 'it ends within a quoted cell',
};

async function firstDelimiter(source: ReportSource): Promise<string> {
  let text = '';
  for await (const chunk of source.open()) {
    text += Buffer.from(chunk).toString('latin1');
    if (text.trimStart().includes('\n') || text.length > 65_536) break;
  }
  return delimiterOf(text.trimStart().split(/\r?\n/, 1)[0] ?? '');
}
