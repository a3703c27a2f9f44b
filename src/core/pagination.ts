// Relay cursor paging without SQL: reading page arguments, cursors, and cutting fetched rows to a page.
import { invalid } from './errors.js';
import { isUuid } from './ids.js';

/** Page arguments as Relay has them. */
export interface PageArgs {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

/** Where a page starts or ends: the order's key of a row (text; absent when the id is the order) and its id. */
export interface Position {
  key?: string;
  id: string;
}

/** Checked page arguments. */
export interface PageRequest {
  /** 1..100 */
  limit: number;
  /** `last`/`before` paging: rows are fetched against the order and turned round. */
  isBackward: boolean;
  after: Position | null;
  before: Position | null;
}

/** One page of rows; `totalCount` costs a query only when it is called. */
export interface Page<Row> {
  rows: Row[];
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  cursorOf: (row: Row) => string;
  totalCount: () => Promise<number>;
}

export const pageLimits = { default: 20, max: 100 } as const;

/**
 * Checks page arguments.
 * @param order names the order that the cursors must belong to, for example `NAME`.
 * @param isKey whether a text can be the order's key of a row; absent where the id itself is the order
 * @throws VALIDATION_FAILED with the argument's name
 */
export function parsePage(args: PageArgs, order: string, isKey?: (text: string) => boolean): PageRequest {
  const { first, last, after, before } = args;
  if (first != null && last != null) throw invalid('last', 'give either first or last, not both');
  for (const [name, size] of [
    ['first', first],
    ['last', last],
  ] as const) {
    if (size != null && (!Number.isInteger(size) || size < 1 || size > pageLimits.max)) {
      throw invalid(name, `must be between 1 and ${pageLimits.max}`);
    }
  }
  const position = (cursor: string | null | undefined, argument: string) =>
    cursor == null ? null : decodeCursor(cursor, order, isKey, argument);
  return {
    limit: first ?? last ?? pageLimits.default,
    isBackward: last != null,
    after: position(after, 'after'),
    before: position(before, 'before'),
  };
}

/** An opaque cursor: order, id and the order's key, in base64url. */
export function encodeCursor(order: string, position: Position): string {
  const text = `${order}:${position.id}${position.key === undefined ? '' : `:${position.key}`}`;
  return Buffer.from(text, 'utf8').toString('base64url');
}

function decodeCursor(
  cursor: string,
  order: string,
  isKey: ((text: string) => boolean) | undefined,
  argument: string,
): Position {
  if (cursor.length > 2000 || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw invalid(argument, 'is not a cursor');
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const match = /^([A-Z_]+):([^:]*)(?::(.*))?$/s.exec(text);
  if (match === null || !isUuid(match[2] ?? '')) throw invalid(argument, 'is not a cursor');
  if (match[1] !== order) throw invalid(argument, 'belongs to a list in another order');
  const [id, key] = [match[2] as string, match[3]];
  if (key === undefined ? isKey !== undefined : isKey?.(key) !== true)
    throw invalid(argument, 'is not a cursor');
  return key === undefined ? { id } : { key, id };
}

/**
 * Cuts fetched rows to a page.
 * @param fetched up to `limit + 1` rows in the direction of fetching
 */
export function toPage<Row>(
  request: PageRequest,
  fetched: Row[],
  cursorOf: (row: Row) => string,
  totalCount: () => Promise<number>,
): Page<Row> {
  const hasMore = fetched.length > request.limit;
  const rows = fetched.slice(0, request.limit);
  if (request.isBackward) rows.reverse();
  return {
    rows,
    hasNextPage: request.isBackward ? request.before !== null : hasMore,
    hasPreviousPage: request.isBackward ? hasMore : request.after !== null,
    cursorOf,
    totalCount,
  };
}
