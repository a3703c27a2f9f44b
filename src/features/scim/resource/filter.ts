// Parses filters and the paths of PATCH (RFC 7644, sections 3.4.2.2 and 3.5.2). It knows no attribute and no SQL.
import { AppError, type ScimType } from '../../../core/errors.js';

const comparisons = ['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le'] as const;
/** An operator with a value. */
export type Comparison = (typeof comparisons)[number];

/** A value of a filter: any JSON but objects and lists. */
export type FilterValue = string | number | boolean | null;

/** A filter as a tree. Paths are as they were written: names in any case, perhaps behind the URN of a schema. */
export type Filter =
  | { op: 'and'; of: Filter[] }
  | { op: 'or'; of: Filter[] }
  | { op: 'not'; of: Filter }
  /** One value of a multi-valued attribute matches; paths within are relative to it. */
  | { op: 'some'; path: string; of: Filter }
  | { op: 'pr'; path: string }
  | { op: Comparison; path: string; value: FilterValue };

/** The target of a PATCH operation. */
export interface PatchPath {
  path: string;
  /** Selects values of a multi-valued attribute. */
  filter?: Filter;
  /** Attribute of the selected values. */
  sub?: string;
}

/** Longest filter or path, in characters. */
const maxLength = 2000;
/** Deepest nesting of parentheses, brackets and `not`. */
const maxDepth = 20;

const token =
  /\s*(?:([()[\]])|("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w$:.-]))|([A-Za-z$][\w$:.-]*)|(\.[A-Za-z$][\w$-]*))/y;

type Kind = 'bracket' | 'string' | 'number' | 'word' | 'sub';
interface Token {
  kind: Kind;
  text: string;
}

interface Reader {
  tokens: Token[];
  at: number;
  depth: number;
  fail: (message: string) => AppError;
}

/** @throws VALIDATION_FAILED (invalidFilter) */
export function parseFilter(text: string): Filter {
  const reader = readerOf(text, 'invalidFilter', 'The filter');
  const filter = readOr(reader);
  if (reader.at < reader.tokens.length) throw unexpected(reader);
  return filter;
}

/** @throws VALIDATION_FAILED (invalidPath) */
export function parsePath(text: string): PatchPath {
  const reader = readerOf(text, 'invalidPath', 'The path');
  const path = take(reader, 'word').text;
  const result: PatchPath = { path };
  if (isNext(reader, '[')) {
    result.filter = readBracketed(reader, ']');
    const sub = peek(reader);
    if (sub?.kind === 'sub') {
      reader.at += 1;
      result.sub = sub.text.slice(1);
    }
  }
  if (reader.at < reader.tokens.length) throw unexpected(reader);
  return result;
}

function readerOf(text: string, scimType: ScimType, what: string): Reader {
  const fail = (message: string) =>
    new AppError('VALIDATION_FAILED', { message: `${what} ${message}`, scimType });
  if (text.length > maxLength) throw fail(`has more than ${maxLength} characters.`);
  const tokens: Token[] = [];
  const trimmed = text.trimEnd();
  for (token.lastIndex = 0; token.lastIndex < trimmed.length; ) {
    const from = token.lastIndex;
    const found = token.exec(trimmed);
    if (found === null) throw fail(`cannot be read from character ${from + 1} on.`);
    const kinds: Kind[] = ['bracket', 'string', 'number', 'word', 'sub'];
    const index = found.slice(1).findIndex((part) => part !== undefined);
    tokens.push({ kind: kinds[index] as Kind, text: found[index + 1] as string });
  }
  return { tokens, at: 0, depth: 0, fail };
}

const peek = (reader: Reader): Token | undefined => reader.tokens[reader.at];

function isNext(reader: Reader, text: string): boolean {
  return peek(reader)?.kind !== 'string' && peek(reader)?.text.toLowerCase() === text;
}

function take(reader: Reader, kind: Kind): Token {
  const next = peek(reader);
  if (next?.kind !== kind) throw unexpected(reader);
  reader.at += 1;
  return next;
}

function unexpected(reader: Reader): AppError {
  const next = peek(reader);
  return reader.fail(next === undefined ? 'ends too early.' : `has an unexpected ${next.text}.`);
}

const readOr = (reader: Reader): Filter => readList(reader, 'or', readAnd);
const readAnd = (reader: Reader): Filter => readList(reader, 'and', readTerm);

function readList(reader: Reader, op: 'and' | 'or', read: (reader: Reader) => Filter): Filter {
  const of = [read(reader)];
  while (isNext(reader, op)) {
    reader.at += 1;
    of.push(read(reader));
  }
  return of.length === 1 ? (of[0] as Filter) : { op, of };
}

function readTerm(reader: Reader): Filter {
  if (isNext(reader, '(')) return readBracketed(reader, ')');
  if (isNext(reader, 'not') && reader.tokens[reader.at + 1]?.text === '(') {
    reader.at += 1;
    return { op: 'not', of: readBracketed(reader, ')') };
  }
  const path = take(reader, 'word').text;
  if (!isNext(reader, '[')) return readComparison(reader, path);
  const of = readBracketed(reader, ']');
  const sub = peek(reader);
  if (sub?.kind !== 'sub') return { op: 'some', path, of };
  // Not in the grammar, but Entra asks so: emails[type eq "work"].value eq "a@b.c"
  reader.at += 1;
  return { op: 'some', path, of: { op: 'and', of: [of, readComparison(reader, sub.text.slice(1))] } };
}

/** Reads what stands in brackets, with the brackets. */
function readBracketed(reader: Reader, end: ')' | ']'): Filter {
  reader.at += 1;
  reader.depth += 1;
  if (reader.depth > maxDepth) throw reader.fail(`is nested more than ${maxDepth} deep.`);
  const filter = readOr(reader);
  if (!isNext(reader, end)) throw unexpected(reader);
  reader.at += 1;
  reader.depth -= 1;
  return filter;
}

function readComparison(reader: Reader, path: string): Filter {
  const word = take(reader, 'word').text;
  const op = word.toLowerCase();
  if (op === 'pr') return { op, path };
  const comparison = comparisons.find((name) => name === op);
  if (comparison === undefined) throw reader.fail(`has an unknown operator ${word}.`);
  return { op: comparison, path, value: readValue(reader) };
}

function readValue(reader: Reader): FilterValue {
  const next = peek(reader);
  if (next === undefined) throw unexpected(reader);
  if (next.kind === 'word' && !['true', 'false', 'null'].includes(next.text.toLowerCase()))
    throw unexpected(reader);
  if (next.kind === 'bracket' || next.kind === 'sub') throw unexpected(reader);
  reader.at += 1;
  try {
    return JSON.parse(next.kind === 'word' ? next.text.toLowerCase() : next.text) as FilterValue;
  } catch {
    throw reader.fail(`has a text that JSON does not allow: ${next.text}.`);
  }
}
