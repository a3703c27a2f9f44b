// Recognises the format of a report by its content, never by its name.
import { parse } from 'csv-parse/sync';
import sax from 'sax';
import { AppError } from '../core/errors.js';
import type { ReportFormat, ReportHead, ReportSource } from './format.js';
import { looksLike } from './looks-like.js';
import { columnName, delimiterOf } from './read/csv-reader.js';
import type { JsonPath } from './read/json-handler.js';
import { createJsonReader } from './read/json-reader.js';
import { reportError } from './report-error.js';

const headBytes = 64 * 1024;
const maxLevels = 3;

/**
 * Finds the format of a report among `formats`, the first one that recognises it.
 * @throws VALIDATION_FAILED that names what the report looks like
 */
export async function detectFormat(
  source: ReportSource,
  formats: readonly ReportFormat[],
): Promise<ReportFormat> {
  const { head, fault } = headOf(await readHead(source));
  const found = formats.find(({ detect }) => detect(head));
  if (found !== undefined) return found;
  if (fault !== undefined) throw fault;
  throw reportError(`has no format that can be recognised: ${looksLike(head)}`);
}

/**
 * Refuses a report that another format than the named one recognises: read as the named one it would seem clean.
 * @throws VALIDATION_FAILED that names both formats
 */
export async function refuseOtherFormat(
  source: ReportSource,
  named: ReportFormat,
  formats: readonly ReportFormat[],
): Promise<void> {
  const { head } = headOf(await readHead(source));
  if (named.detect(head)) return;
  const other = formats.find(({ detect }) => detect(head));
  if (other !== undefined) throw reportError(`is of the format ${other.format}, not ${named.format}`);
}

async function readHead(source: ReportSource): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source.open()) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= headBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, headBytes);
}

/** Builds the head of a report; `fault` is the error that stopped a reader of JSON or XML within it. */
export function headOf(bytes: Buffer): { head: ReportHead; fault: AppError | undefined } {
  const text = bytes.toString();
  const base = {
    text,
    keys: new Set<string>(),
    values: new Map<string, unknown>(),
    isArray: false,
    xmlRoot: undefined,
    xmlAttributes: {},
    columns: [],
  };
  const first = text.trimStart()[0];
  if (first === '<') return xmlHead(text, base);
  if (first === '{' || first === '[' || /^\s*(?:null|true|false|"|-?\d)/.test(text)) {
    const json = jsonHead(bytes, base);
    // A line of CSV may begin with a quoted cell.
    if (json.fault === undefined || first !== '"') return json;
  }
  return { head: { ...base, kind: 'text', columns: columnsOf(text) }, fault: undefined };
}

type Base = Omit<ReportHead, 'kind'>;

function jsonHead(bytes: Buffer, base: Base) {
  const keys = new Set<string>();
  const values = new Map<string, unknown>();
  const nameOf = (path: JsonPath) => path.filter((part) => typeof part === 'string').join('.');
  let isArray = false;
  const reader = createJsonReader({
    isNdjson: true,
    select: (path, kind) => {
      if (path.length === 0) isArray ||= kind === 'array';
      const name = nameOf(path);
      if (name !== '') keys.add(name);
      if (kind === 'scalar') return 'value';
      return path.filter((part) => typeof part === 'string').length < maxLevels ? 'enter' : 'skip';
    },
    onValue: (value, path) => {
      const name = nameOf(path);
      if (!values.has(name)) values.set(name, value);
    },
  });
  let fault: AppError | undefined;
  try {
    reader.write(bytes);
    if (bytes.length < headBytes) reader.end();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    fault = error;
  }
  const head: ReportHead = { ...base, kind: 'json', keys, values, isArray };
  return { head, fault };
}

function xmlHead(text: string, base: Base) {
  const parser = sax.parser(true);
  let root: sax.Tag | undefined;
  let fault: AppError | undefined;
  parser.onopentag = (tag) => {
    root ??= tag as sax.Tag;
  };
  parser.onerror = ({ message }) => {
    fault ??= reportError(`is no valid XML: ${(message.split('\n')[0] ?? '').slice(0, 120)}`, {
      line: parser.line + 1,
      column: parser.column + 1,
    });
    parser.resume();
  };
  // Tag by tag: the root is enough, and a broken rest is for the format's reader to report.
  for (let at = 0; at < text.length && root === undefined && fault === undefined; ) {
    const next = text.indexOf('>', at);
    const end = next === -1 ? text.length : next + 1;
    parser.write(text.slice(at, end));
    at = end;
  }
  const head: ReportHead = {
    ...base,
    kind: 'xml',
    xmlRoot: root?.name,
    xmlAttributes: { ...root?.attributes },
  };
  return { head, fault };
}

function columnsOf(text: string): string[] {
  const line = text.trimStart().split(/\r?\n/, 1)[0] ?? '';
  try {
    const [cells = []] = parse(line, { delimiter: delimiterOf(line), to: 1 }) as string[][];
    return cells.map((cell) => columnName(cell.trim()));
  } catch {
    return [];
  }
}
