// The orders of the list of findings: their keys in SQL, in rows and in cursors. Each order is total, as it ends with the id.
import type { Position } from '../../../core/pagination.js';
import { isMoment } from '../../../infra/postgres/keyset-page.js';
import { join, raw, type Sql, sql } from '../../../infra/postgres/sql.js';
import type { FindingFilter, FindingOrder } from '../finding.input.js';
import type { FindingRow } from '../finding.rows.js';
import type { Scope } from './filter.js';

/** A key of an order, before the id. */
export interface OrderKey {
  /** On `findings`. */
  expression: Sql;
  type: Sql;
  of: (row: FindingRow) => string;
  /** Whether a client's text can be the key. */
  is: (text: string) => boolean;
}

/** An order: by its keys and then by the id, all in one direction. */
export interface KeysetPlan {
  name: 'SEVERITY' | 'FIRST_SEEN' | 'LAST_SEEN' | 'DUE';
  isDescending: boolean;
  keys: readonly OrderKey[];
}

/** The source of a page of findings. */
export interface PageSource {
  plan: KeysetPlan;
  filter: FindingFilter;
  scope: Scope;
  now: Date;
}

const isMomentOrLatest = (text: string) => text === 'infinity' || isMoment(text);
const severityKey: OrderKey = {
  expression: sql`severity`,
  type: sql`smallint`,
  of: (row) => String(row.severity),
  is: (text) => /^[0-4]$/.test(text),
};
const firstSeenKey: OrderKey = {
  expression: sql`first_seen_at`,
  type: sql`timestamptz`,
  of: (row) => row.firstSeenAt,
  is: isMoment,
};
const lastSeenKey: OrderKey = {
  expression: sql`COALESCE(last_seen_at, 'infinity'::timestamptz)`,
  type: sql`timestamptz`,
  of: (row) => row.seenKey,
  is: isMomentOrLatest,
};
const dueKey: OrderKey = {
  expression: sql`COALESCE(due_at, 'infinity'::timestamptz)`,
  type: sql`timestamptz`,
  of: (row) => row.dueKey,
  is: isMomentOrLatest,
};
const keysOf: Record<KeysetPlan['name'], readonly OrderKey[]> = {
  SEVERITY: [severityKey, firstSeenKey],
  FIRST_SEEN: [firstSeenKey],
  LAST_SEEN: [lastSeenKey, severityKey, firstSeenKey],
  DUE: [dueKey],
};

/** The keyset order of a list; the latest found first by default. */
export function planOf(order: FindingOrder | null | undefined): KeysetPlan {
  const name = order?.field ?? 'FIRST_SEEN';
  return { name, isDescending: order?.direction !== 'ASC', keys: keysOf[name] };
}

/** The keys of a row as one text for its cursor. */
export const cursorKeyOf =
  ({ keys }: KeysetPlan) =>
  (row: FindingRow) =>
    keys.map((key) => key.of(row)).join('|');

/** Whether a client's text can be the keys of a row. */
export const isCursorKey =
  ({ keys }: KeysetPlan) =>
  (text: string): boolean => {
    const parts = text.split('|');
    return parts.length === keys.length && keys.every((key, at) => key.is(parts[at] as string));
  };

/** `key1, key2, id` with these expressions, for a row comparison. */
const rowOf = (expressions: readonly Sql[]) => sql`(${join([...expressions, sql`id`])})`;

/**
 * The condition that a row lies beyond a position.
 * @param from the first of the order's keys that are compared; those before it are equal
 */
export function beyond({ keys }: KeysetPlan, position: Position, isLess: boolean, from = 0): Sql {
  const parts = (position.key ?? '').split('|');
  const values = keys.slice(from).map(({ type }, at) => sql`${parts[at + from]}::${type}`);
  const left = rowOf(keys.slice(from).map(({ expression }) => expression));
  return sql`${left} ${raw(isLess ? '<' : '>')} (${join([...values, sql`${position.id}::uuid`])})`;
}

/** Select list of a candidate: its id and keys as `k0`, `k1`, … */
export function candidateColumns({ keys }: KeysetPlan): Sql {
  return join([sql`id`, ...keys.map(({ expression }, at) => sql`${expression} AS ${raw(`k${at}`)}`)]);
}

/** `k0 DESC, k1 DESC, id DESC`, for candidates. */
export function candidateOrder({ keys }: KeysetPlan, isDescending: boolean, alias = ''): Sql {
  const direction = isDescending ? 'DESC' : 'ASC';
  return raw(
    [...keys.map((_key, at) => `k${at}`), 'id'].map((name) => `${alias}${name} ${direction}`).join(', '),
  );
}
