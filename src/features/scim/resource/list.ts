// The common parts of list requests: their parameters, pages by index, and the attributes to send.
import { join, type Sql, sql } from '../../../infra/postgres/sql.js';
import type { ListQuery } from '../scim.input.js';
import { type Document, invalidValue } from './document.js';
import { parseFilter } from './filter.js';
import { type ColumnOf, conditionOf } from './filter-sql.js';
import type { Resource } from './user-row.js';

/** Resources of a page. */
export const maxPage = 200;
const defaultPage = 100;

/** A page as it is sent (RFC 7644, section 3.4.2). */
export interface ListResponse {
  schemas: string[];
  totalResults: number;
  startIndex: number;
  itemsPerPage: number;
  Resources: Document[];
}

/** A request of a list in SQL. */
export interface ListRequest {
  where: Sql;
  order: Sql;
  startIndex: number;
  count: number;
}

/**
 * Reads the parameters of a list.
 * @param id column that orders what is equal otherwise
 * @throws VALIDATION_FAILED (invalidFilter, invalidValue)
 */
export function listRequestOf(query: ListQuery, columnOf: ColumnOf, id: Sql): ListRequest {
  const { filter, sortBy, sortOrder } = query;
  return {
    where: filter === undefined ? sql`true` : conditionOf(parseFilter(filter), columnOf),
    order: orderOf(sortBy, sortOrder?.toLowerCase() === 'descending', columnOf, id),
    startIndex: Math.max(1, query.startIndex ?? 1),
    count: Math.min(maxPage, Math.max(0, query.count ?? defaultPage)),
  };
}

function orderOf(sortBy: string | undefined, isDescending: boolean, columnOf: ColumnOf, id: Sql): Sql {
  if (sortBy === undefined) return id;
  const column = columnOf(sortBy);
  if (column === undefined || column.kind === 'many') throw invalidValue('sortBy', 'cannot be sorted by');
  const key = column.kind === 'text' ? sql`lower(${column.of})` : column.of;
  const direction = isDescending ? sql`DESC` : sql`ASC`;
  return join([sql`${key} ${direction} NULLS LAST`, sql`${id} ${direction}`]);
}

/** A page of these resources. */
export function listResponse(
  resources: readonly Document[],
  totalResults: number,
  startIndex: number,
): ListResponse {
  return {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
    totalResults,
    startIndex,
    itemsPerPage: resources.length,
    Resources: [...resources],
  };
}

/** Paths in any case, as `attributes` and `excludedAttributes` list them. */
export function pathsOf(list: string | undefined): Set<string> | undefined {
  if (list === undefined || list.trim() === '') return undefined;
  return new Set(
    list.split(',').map((path) =>
      path
        .trim()
        .toLowerCase()
        .replace(/^urn:ietf:params:scim:schemas:core:2\.0:(user|group):/, ''),
    ),
  );
}

/** The attributes that a request asks for. `id` and `schemas` are always sent (RFC 7643, section 7). */
export function shownOf(
  resource: Resource,
  { attributes, excludedAttributes }: Pick<ListQuery, 'attributes' | 'excludedAttributes'>,
): Document {
  const wanted = pathsOf(attributes);
  const unwanted = pathsOf(excludedAttributes);
  if (wanted === undefined && unwanted === undefined) return resource;
  const shown: Document = {};
  for (const [name, value] of Object.entries(resource)) {
    const path = name.toLowerCase();
    if (path === 'id' || path === 'schemas') shown[name] = value;
    else if (wanted !== undefined) {
      const part = pick(path, value, wanted);
      if (part !== undefined) shown[name] = part;
    } else if (unwanted?.has(path) !== true) shown[name] = value;
  }
  return shown;
}

/** An attribute, or those of its own attributes that are wanted: after a dot, or after a colon in an extension. */
function pick(path: string, value: unknown, wanted: ReadonlySet<string>): unknown {
  if (wanted.has(path)) return value;
  const isWanted = (sub: string) =>
    wanted.has(`${path}.${sub.toLowerCase()}`) || wanted.has(`${path}:${sub.toLowerCase()}`);
  const partOf = (one: unknown) => {
    if (typeof one !== 'object' || one === null) return undefined;
    const parts = Object.entries(one).filter(([sub]) => isWanted(sub));
    return parts.length === 0 ? undefined : Object.fromEntries(parts);
  };
  if (!Array.isArray(value)) return partOf(value);
  const items = value.map(partOf).filter((item) => item !== undefined);
  return items.length === 0 ? undefined : items;
}
