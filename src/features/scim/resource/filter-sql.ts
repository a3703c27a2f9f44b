// Turns filters into SQL conditions. Which attribute is which column, the resource says.
import { AppError } from '../../../core/errors.js';
import { join, type Sql, sql } from '../../../infra/postgres/sql.js';
import type { Comparison, Filter, FilterValue } from './filter.js';

/** An attribute in SQL. */
export type Column =
  /** Text, compared without regard to case. */
  | { kind: 'text'; of: Sql }
  /** Text, compared exactly. */
  | { kind: 'exact'; of: Sql }
  /** Text that is compared as the resource writes it; ids only by eq, ne and pr. */
  | { kind: 'key'; of: Sql; read: (text: string) => string | null; type: 'uuid' | 'text' }
  | { kind: 'flag'; of: Sql }
  | { kind: 'time'; of: Sql }
  /** Values of a multi-valued attribute: a condition on one of them becomes a condition on the row. */
  | { kind: 'many'; exists: (condition: Sql) => Sql; columnOf: (path: string) => Column | undefined };

/** Finds the column of a path; undefined for what cannot be filtered by. */
export type ColumnOf = (path: string) => Column | undefined;

/** invalidFilter with a message. */
export function invalidFilter(message: string): AppError {
  return new AppError('VALIDATION_FAILED', { message, scimType: 'invalidFilter' });
}

/** @throws VALIDATION_FAILED (invalidFilter) */
export function conditionOf(filter: Filter, columnOf: ColumnOf): Sql {
  if (filter.op === 'and' || filter.op === 'or') {
    const parts = filter.of.map((part) => conditionOf(part, columnOf));
    return sql`(${join(parts, filter.op === 'and' ? ' AND ' : ' OR ')})`;
  }
  // A comparison with an unassigned attribute is false, so that its opposite is true.
  if (filter.op === 'not') return sql`NOT COALESCE(${conditionOf(filter.of, columnOf)}, false)`;
  const column = columnOf(filter.path);
  if (column === undefined) throw invalidFilter(`${filter.path}: cannot be filtered by`);
  if (filter.op === 'some') {
    if (column.kind !== 'many') throw invalidFilter(`${filter.path}: has no values to filter`);
    return column.exists(conditionOf(filter.of, column.columnOf));
  }
  if (column.kind === 'many') {
    // `emails eq "a"` asks for the attribute's value.
    const part: Filter = filter.op === 'pr' ? { op: 'pr', path: 'value' } : { ...filter, path: 'value' };
    return column.exists(conditionOf(part, column.columnOf));
  }
  if (filter.op === 'pr')
    return column.kind === 'text' || column.kind === 'exact'
      ? sql`${column.of} <> ''`
      : sql`${column.of} IS NOT NULL`;
  if (filter.value === null) return isNull(filter, column.of);
  return compare(filter, column);
}

type Compared = Extract<Filter, { op: Comparison }>;

function isNull({ op, path }: Compared, of: Sql): Sql {
  if (op === 'eq') return sql`${of} IS NULL`;
  if (op === 'ne') return sql`${of} IS NOT NULL`;
  throw invalidFilter(`${path}: null can only be compared with eq and ne`);
}

function compare({ op, path, value }: Compared, column: Exclude<Column, { kind: 'many' }>): Sql {
  const { of } = column;
  if (column.kind === 'flag') {
    const flag = flagOf(value);
    if (flag === undefined || (op !== 'eq' && op !== 'ne'))
      throw invalidFilter(`${path}: can only be compared with true and false, by eq and ne`);
    return sql`${of} IS ${flag === (op === 'eq') ? sql`TRUE` : sql`FALSE`}`;
  }
  if (typeof value !== 'string') throw invalidFilter(`${path}: must be compared with a text`);
  if (value.includes('\0')) throw invalidFilter(`${path}: must be compared with a text without NUL`);
  if (column.kind === 'time') return compareTimes(op, path, of, value);
  if (column.kind === 'key') return compareKeys(op, path, column, value);
  const isFolded = column.kind === 'text';
  const wanted = isFolded ? sql`lower(${value}::text)` : sql`${value}::text`;
  return compareTexts(op, isFolded ? sql`lower(${of})` : of, wanted);
}

function compareKeys(
  op: Comparison,
  path: string,
  column: Extract<Column, { kind: 'key' }>,
  value: string,
): Sql {
  const { of, read, type } = column;
  const key = read(value);
  if (type === 'text' && key !== null) return compareTexts(op, of, sql`${key}::text`);
  if (op !== 'eq' && op !== 'ne') throw invalidFilter(`${path}: can only be compared by eq, ne and pr`);
  if (key === null) return op === 'eq' ? sql`false` : sql`true`;
  return op === 'eq' ? sql`${of} = ${key}::uuid` : sql`${of} <> ${key}::uuid`;
}

function flagOf(value: FilterValue): boolean | undefined {
  if (typeof value === 'boolean') return value;
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

function compareTexts(op: Comparison, of: Sql, wanted: Sql): Sql {
  if (op === 'eq') return sql`${of} = ${wanted}`;
  if (op === 'ne') return sql`${of} IS DISTINCT FROM ${wanted}`;
  if (op === 'co') return sql`position(${wanted} IN ${of}) > 0`;
  if (op === 'sw') return sql`starts_with(${of}, ${wanted})`;
  if (op === 'ew') return sql`right(${of}, char_length(${wanted})) = ${wanted}`;
  return sql`${of} COLLATE "C" ${order[op]} ${wanted}`;
}

const order = { gt: sql`>`, ge: sql`>=`, lt: sql`<`, le: sql`<=` };

function compareTimes(op: Comparison, path: string, of: Sql, value: string): Sql {
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) throw invalidFilter(`${path}: must be compared with a time (RFC 3339)`);
  if (op === 'eq') return sql`${of} = ${at}::timestamptz`;
  if (op === 'ne') return sql`${of} <> ${at}::timestamptz`;
  if (op === 'co' || op === 'sw' || op === 'ew')
    throw invalidFilter(`${path}: is a time, which has no parts`);
  return sql`${of} ${order[op]} ${at}::timestamptz`;
}
