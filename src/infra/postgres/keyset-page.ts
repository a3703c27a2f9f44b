// Keyset pages in SQL: a page is found by the position of its first row, so page 500 costs as much as page 1.
import {
  encodeCursor,
  type Page,
  type PageArgs,
  type PageRequest,
  parsePage,
  toPage,
} from '../../core/pagination.js';
import { join, raw, type Sql, sql, where } from './sql.js';

/** A total, indexable order: by an expression and then by id, both in one direction. */
export interface KeysetOrder<Row> {
  /** The name of the order in cursors. */
  name: string;
  isDescending: boolean;
  /** The key before the id; absent when the order is by id alone. `is` tells whether a client's text can be a key. */
  key?: { expression: Sql; type: Sql; of: (row: Row) => string; is: (text: string) => boolean };
}

/** The rows that a page is cut from. */
export interface PageSource<Row> {
  /** `SELECT … FROM …` without a condition. */
  select: Sql;
  conditions: Sql[];
  order: KeysetOrder<Row>;
}

/** Conditions, order and limit. The limit is one row more than the page, to tell whether another page follows. */
export function pageClauses<Row>(
  { conditions, order }: Omit<PageSource<Row>, 'select'>,
  request: PageRequest,
): Sql {
  const isDescending = order.isDescending !== request.isBackward;
  const direction = isDescending ? raw('DESC') : raw('ASC');
  const beyond = (position: PageRequest['after'], isLess: boolean): Sql[] => {
    if (position === null) return [];
    const operator = raw(isLess ? '<' : '>');
    if (order.key === undefined) return [sql`id ${operator} ${position.id}::uuid`];
    const { expression, type } = order.key;
    return [sql`(${expression}, id) ${operator} (${position.key}::${type}, ${position.id}::uuid)`];
  };
  const bounds = [
    ...beyond(request.after, order.isDescending),
    ...beyond(request.before, !order.isDescending),
  ];
  const by =
    order.key === undefined
      ? sql`id ${direction}`
      : sql`${order.key.expression} ${direction}, id ${direction}`;
  return sql`${where([...conditions, ...bounds])} ORDER BY ${by} LIMIT ${request.limit + 1}`;
}

/** Whether a text is a time in the form of rows: RFC 3339 in UTC with milliseconds. */
export function isMoment(text: string): boolean {
  const date = new Date(text);
  return !Number.isNaN(date.getTime()) && date.toISOString() === text;
}

/** Makes the function that encodes the cursor of a row in an order. */
export function cursorIn<Row extends { id: string }>(order: KeysetOrder<Row>): (row: Row) => string {
  const { name, key } = order;
  return (row) => encodeCursor(name, key === undefined ? { id: row.id } : { id: row.id, key: key.of(row) });
}

/** The rows that a page is cut from, where several sources hold them. */
export interface MergedSource<Row> {
  /** Select list, the same for all sources. */
  list: Sql;
  /** The FROM clause of each source, under the names that list and conditions use. No row is in two of them. */
  sources: readonly Sql[];
  conditions: Sql[];
  order: KeysetOrder<Row>;
}

/**
 * The statement of one page of several sources. Each source is ordered and limited by itself, so that PostgreSQL merges them
 * row by row where indexes have the order, and stops at the limit.
 */
export function mergedPage<Row>(
  { list, sources, conditions, order }: MergedSource<Row>,
  request: PageRequest,
): Sql {
  const [only] = sources;
  const clauses = pageClauses({ conditions, order }, request);
  if (sources.length === 1) return sql`SELECT ${list} FROM ${only} ${clauses}`;
  const key = order.key === undefined ? sql`` : sql`, ${order.key.expression} AS sort_key`;
  const parts = sources.map((source) => sql`(SELECT ${list}${key} FROM ${source} ${clauses})`);
  const direction = raw(order.isDescending !== request.isBackward ? 'DESC' : 'ASC');
  const by = order.key === undefined ? sql`id ${direction}` : sql`sort_key ${direction}, id ${direction}`;
  return sql`SELECT * FROM (${join(parts, ' UNION ALL ')}) AS part ORDER BY ${by} LIMIT ${request.limit + 1}`;
}

/**
 * Reads one keyset page: one statement for the rows, and another for the count, only when the caller reads it.
 * @param isTotalWanted whether the caller will read the total count
 * @throws VALIDATION_FAILED for page arguments out of range or cursors of another order
 */
export async function fetchPage<Row extends { id: string }>(
  query: (statement: Sql) => Promise<Row[]>,
  source: PageSource<Row> | MergedSource<Row>,
  args: PageArgs,
  totalCount: () => Promise<number>,
  isTotalWanted = false,
): Promise<Page<Row>> {
  const request = parsePage(args, source.order.name, source.order.key?.is);
  const statement =
    'list' in source ? mergedPage(source, request) : sql`${source.select} ${pageClauses(source, request)}`;
  const fetching = query(statement);
  const counting = isTotalWanted ? totalCount() : undefined;
  counting?.catch(() => {}); // reported to the caller that reads the count
  const rows = await fetching;
  return toPage(request, rows, cursorIn(source.order), counting === undefined ? totalCount : () => counting);
}
