// Fields of COPY's text format as text, JSON and lists, for exports. Most fields need no decoding, so none is decoded twice.
import pg from 'pg';
import { toRfc3339 } from '../column-types.js';

/** NULL in COPY's text format. */
export const copyNull = '\\N';

const escapes: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** The text of a field; null for NULL. */
export function textOf(field: string): string | null {
  if (field === copyNull) return null;
  if (!field.includes('\\')) return field;
  return field.replace(/\\(.)/g, (_escape, letter: string) => escapes[letter] ?? letter);
}

/** Characters that COPY leaves as they are and JSON escapes, and the one escape of COPY that JSON lacks. */
const differsInJson = /["\p{Cc}]|\\v/u;

/** A text field as JSON; null for NULL. All escapes of COPY but `\v` are those of JSON. */
export function jsonOfText(field: string): string {
  if (field === copyNull) return 'null';
  return differsInJson.test(field) ? JSON.stringify(textOf(field)) : `"${field}"`;
}

/** A time in UTC as RFC 3339; null for NULL. */
export function timeOf(field: string): string | null {
  return field === copyNull ? null : toRfc3339(field);
}

/** Lists that are remembered by their text: tags and references repeat from row to row. */
const maxCached = 1000;
const maxCachedLength = 2000;
const cachedLists = new Map<string, readonly string[]>();
const cachedJson = new Map<string, string>();
const textArrayOid = 1009 as number;
const parseTextArray = pg.types.getTypeParser(textArrayOid, 'text') as (text: string) => string[];
const noItems: readonly string[] = Object.freeze([]);

/** The items of a field of an array type, as texts; none for NULL. */
export function listOf(field: string): readonly string[] {
  if (field === '{}' || field === copyNull) return noItems;
  const cached = cachedLists.get(field);
  if (cached !== undefined) return cached;
  const list = Object.freeze(
    /["\\]/.test(field) ? parseTextArray(textOf(field) ?? '{}') : field.slice(1, -1).split(','),
  );
  if (field.length <= maxCachedLength) remember(cachedLists, field, list);
  return list;
}

/** A field of an array of texts as JSON. */
export function jsonOfList(field: string): string {
  if (field === '{}' || field === copyNull) return '[]';
  const cached = cachedJson.get(field);
  if (cached !== undefined) return cached;
  const json = JSON.stringify(listOf(field));
  if (field.length <= maxCachedLength) remember(cachedJson, field, json);
  return json;
}

/** A field of an array of numbers as JSON. */
export function jsonOfNumbers(field: string): string {
  return field === copyNull ? '[]' : `[${field.slice(1, -1)}]`;
}

function remember<Value>(cache: Map<string, Value>, key: string, value: Value): void {
  if (cache.size >= maxCached) cache.clear();
  cache.set(key, value);
}
