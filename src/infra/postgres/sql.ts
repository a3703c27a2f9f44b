// Pieces of SQL that every hot list shares: column lists and keyset pages. No entity is named here.
import sqlTag, { empty, join, raw, type Sql } from 'sql-template-tag';
import {
  encodeCursor,
  type Page,
  type PageArgs,
  type PageRequest,
  parsePage,
  toPage,
} from '../../core/pagination.js';

export { join, raw, type Sql } from 'sql-template-tag';
/** Tagged template: values become parameters, nested pieces are spliced in. */
export const sql = sqlTag;

/**
 * Select list of a model: Prisma's field names over their snake_case columns.
 * @param fields Prisma's scalar field enum of the model
 */
export function columnsOf(fields: Record<string, string>, alias?: string): Sql {
  const prefix = alias === undefined ? '' : `${alias}.`;
  return raw(
    Object.keys(fields)
      .map((field) => {
        const column = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
        return `${prefix}"${column}"${column === field ? '' : ` AS "${field}"`}`;
      })
      .join(', '),
  );
}

/** Prisma's names of the columns that are wanted; undefined for all. */
export type Columns = readonly string[] | undefined;

/** What will be looked at of a page. */
export interface Wanted {
  columns?: Columns;
  /** Whether its length in all; it is counted at the same time then. */
  total?: boolean;
}

/** Different wishes that get a select list, and so statements, of their own. */
const maxSelectLists = 50;

/**
 * Select lists of a model by what is wanted of it. As statements are kept by the server, their number is bounded:
 * who asks for yet another combination gets all columns.
 * @param always columns that are selected in any case
 */
export function selectLists(
  fields: Record<string, string>,
  always: readonly string[],
): (wanted: Columns) => Sql {
  const all = columnsOf(fields);
  const lists = new Map<string, Sql>();
  return (wanted) => {
    if (wanted === undefined) return all;
    const name = wanted.join();
    const known = lists.get(name);
    if (known !== undefined || lists.size >= maxSelectLists) return known ?? all;
    const names = Object.keys(fields).filter((field) => wanted.includes(field) || always.includes(field));
    const list = columnsOf(Object.fromEntries(names.map((field) => [field, field])));
    lists.set(name, list);
    return list;
  };
}

/** `WHERE a AND b`, or nothing. */
export function where(conditions: Sql[]): Sql {
  return conditions.length === 0 ? empty : sql`WHERE ${join(conditions, ' AND ')}`;
}

/** ILIKE pattern for "contains", with its wildcards taken literally. */
export function containing(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}

/** An order with a total, indexable key: the expression and then the id, both in one direction. */
export interface KeysetOrder<Row> {
  /** Names the order in cursors. */
  name: string;
  isDescending: boolean;
  /** What comes before the id; absent when the id itself is the order. `is` tells a key from what a client made up. */
  key?: { expression: Sql; type: Sql; of: (row: Row) => string; is: (text: string) => boolean };
}

/** What a page is cut from. */
export interface PageSource<Row> {
  /** `SELECT … FROM …` without a condition. */
  select: Sql;
  conditions: Sql[];
  order: KeysetOrder<Row>;
}

/** Conditions, order and limit (one row more than the page, which tells whether there is another). */
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

/** Whether a text is a moment as rows carry it: RFC 3339 in UTC with milliseconds. */
export function isMoment(text: string): boolean {
  const date = new Date(text);
  return !Number.isNaN(date.getTime()) && date.toISOString() === text;
}

/** The cursor of a row in an order. */
export function cursorIn<Row extends { id: string }>(order: KeysetOrder<Row>): (row: Row) => string {
  const { name, key } = order;
  return (row) => encodeCursor(name, key === undefined ? { id: row.id } : { id: row.id, key: key.of(row) });
}

/**
 * One keyset page: a statement for the rows; the count is another, only when asked for.
 * @param isTotalWanted whether the count will be asked for
 * @throws VALIDATION_FAILED for page arguments out of range or cursors of another order
 */
export async function fetchPage<Row extends { id: string }>(
  query: (statement: Sql) => Promise<Row[]>,
  source: PageSource<Row>,
  args: PageArgs,
  totalCount: () => Promise<number>,
  isTotalWanted = false,
): Promise<Page<Row>> {
  const request = parsePage(args, source.order.name, source.order.key?.is);
  const fetching = query(sql`${source.select} ${pageClauses(source, request)}`);
  const counting = isTotalWanted ? totalCount() : undefined;
  counting?.catch(() => {}); // told by whoever asks for it
  const rows = await fetching;
  return toPage(request, rows, cursorIn(source.order), counting === undefined ? totalCount : () => counting);
}

/**
 * Rows of many parents in one statement.
 * @param select run for each parent, which it knows as `parent.id`: order and limit are per parent
 * @returns the rows of every parent asked for, by its id
 */
export async function fetchOfEach<Row>(
  query: (statement: Sql) => Promise<Row[]>,
  parentIds: readonly string[],
  select: Sql,
  parentOf: (row: Row) => string,
): Promise<Map<string, Row[]>> {
  const byParent = new Map<string, Row[]>(parentIds.map((id) => [id, []]));
  const rows = await query(sql`
    SELECT found.* FROM unnest(${[...byParent.keys()]}::uuid[]) AS parent(id) CROSS JOIN LATERAL (${select}) AS found`);
  for (const row of rows) byParent.get(parentOf(row))?.push(row);
  return byParent;
}
