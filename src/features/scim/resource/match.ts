// Decides in memory which values of a multi-valued attribute a filter selects. Lists of resources are filtered in SQL.

import type { Complex, Document } from './document.js';
import type { Filter, FilterValue } from './filter.js';
import { invalidFilter } from './filter-sql.js';
import { type Attribute, attributeOf } from './schemas.js';

/** The values of a multi-valued attribute. */
export const valuesOf = (holder: Document, name: string): Complex[] =>
  (holder[name] as Complex[] | undefined) ?? [];

/** @throws VALIDATION_FAILED (invalidFilter) for an unknown attribute, and for an order of flags */
export function matchesFilter(attribute: Attribute, value: Complex, filter: Filter): boolean {
  if (filter.op === 'and') return filter.of.every((part) => matchesFilter(attribute, value, part));
  if (filter.op === 'or') return filter.of.some((part) => matchesFilter(attribute, value, part));
  if (filter.op === 'not') return !matchesFilter(attribute, value, filter.of);
  if (filter.op === 'some') throw invalidFilter(`${filter.path}: has no values to filter`);
  const sub = attributeOf(attribute.subs ?? [], filter.path);
  if (sub === undefined) throw invalidFilter(`${filter.path}: is no known attribute`);
  const found = value[sub.name];
  if (filter.op === 'pr') return found !== undefined;
  const fold = (text: FilterValue | undefined) =>
    typeof text === 'string' && sub.isCaseExact !== true ? text.toLowerCase() : text;
  return compare(filter.op, fold(found), fold(asStored(sub, filter.value)));
}

/** Directories write flags of filters as text too. */
function asStored({ type }: Attribute, value: FilterValue): FilterValue {
  return type === 'boolean' && typeof value === 'string' ? value.toLowerCase() === 'true' : value;
}

function compare(
  op: Exclude<Filter['op'], 'and' | 'or' | 'not' | 'some' | 'pr'>,
  found: FilterValue | undefined,
  wanted: FilterValue | undefined,
): boolean {
  if (op === 'eq') return (found ?? null) === wanted;
  if (op === 'ne') return (found ?? null) !== wanted;
  if (typeof found !== 'string' || typeof wanted !== 'string') return false;
  if (op === 'co') return found.includes(wanted);
  if (op === 'sw') return found.startsWith(wanted);
  if (op === 'ew') return found.endsWith(wanted);
  if (op === 'gt') return found > wanted;
  if (op === 'ge') return found >= wanted;
  return op === 'lt' ? found < wanted : found <= wanted;
}
