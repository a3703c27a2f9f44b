// Pieces of SQL that hot lists share: select lists, conditions and reads for many parents. It names no entity.
import sqlTag, { empty, join, raw, type Sql } from 'sql-template-tag';

export { join, raw, type Sql } from 'sql-template-tag';
/** Tagged template: values become parameters, and nested pieces are inserted. */
export const sql = sqlTag;

/**
 * The select list of a model: snake_case columns under Prisma's field names.
 * @param fields Prisma's scalar field enum of the model
 * @param derived SQL of fields that are no plain columns
 */
export function columnsOf(
  fields: Record<string, string>,
  alias?: string,
  derived: Readonly<Record<string, string>> = {},
): Sql {
  const prefix = alias === undefined ? '' : `${alias}.`;
  return raw(
    Object.keys(fields)
      .map((field) => {
        if (derived[field] !== undefined) return `${derived[field]} AS "${field}"`;
        const column = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
        return `${prefix}"${column}"${column === field ? '' : ` AS "${field}"`}`;
      })
      .join(', '),
  );
}

/** Prisma's names of the columns that the caller reads; undefined for all. */
export type Columns = readonly string[] | undefined;

/** The parts of a page that the caller reads. */
export interface Wanted {
  columns?: Columns;
  /** Whether the caller reads the total count; it is then counted at the same time. */
  total?: boolean;
  /** False when the caller reads nothing but the total count. */
  hasRows?: boolean;
}

/** Combinations of columns that get a select list, and so a prepared statement, of their own. */
const maxSelectLists = 50;

/**
 * Makes select lists of a model by the columns that the caller reads. PostgreSQL keeps each statement, so their number is
 * bounded: further combinations get all columns.
 * @param always columns that are always selected
 * @param derived SQL of fields that are no plain columns
 */
export function selectLists(
  fields: Record<string, string>,
  always: readonly string[],
  derived?: Readonly<Record<string, string>>,
): (wanted: Columns) => Sql {
  const all = columnsOf(fields, undefined, derived);
  const lists = new Map<string, Sql>();
  return (wanted) => {
    if (wanted === undefined) return all;
    const name = wanted.join();
    const cached = lists.get(name);
    if (cached !== undefined || lists.size >= maxSelectLists) return cached ?? all;
    const names = Object.keys(fields).filter((field) => wanted.includes(field) || always.includes(field));
    const list = columnsOf(Object.fromEntries(names.map((field) => [field, field])), undefined, derived);
    lists.set(name, list);
    return list;
  };
}

/** `WHERE a AND b`; empty without conditions. */
export function where(conditions: Sql[]): Sql {
  return conditions.length === 0 ? empty : sql`WHERE ${join(conditions, ' AND ')}`;
}

/**
 * Reads the rows of many parents in one statement.
 * @param select runs for each parent, available as `parent.id`, so that order and limit apply per parent
 * @returns the rows of each parent by its id; an empty list where there are none
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
