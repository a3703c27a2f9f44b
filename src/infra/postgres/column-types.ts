// Turns PostgreSQL's text of a column into the value that services see: timestamps stay text, short arrays are shared.
import pg from 'pg';

/** Reads one value from PostgreSQL's text of it. */
export type ParseText = (text: string) => unknown;

const textOid = 25;
const asIs = pg.types.getTypeParser(textOid);

/** Types that hot reads return, by their oid. */
const ownParsers = new Map<number, ParseText>([
  [23, Number], // integer
  [1184, toRfc3339], // timestamptz
  [1007, arrayParser(1007, Number)], // integer[]
  [1009, arrayParser(1009, String)], // text[]
  [2951, arrayParser(2951, String)], // uuid[]
]);

/**
 * The parser of a column type.
 * @param oid the type's number in pg_type
 * @returns undefined where PostgreSQL's text is the value
 */
export function parserOf(oid: number): ParseText | undefined {
  const parse = ownParsers.get(oid) ?? (pg.types.getTypeParser(oid) as ParseText);
  return parse === asIs ? undefined : parse;
}

/** Arrays that are remembered by their text: tags and the like repeat from row to row. */
const maxSharedArrays = 1000;
const maxSharedLength = 100;

/**
 * Splits arrays of plain items, and leaves quoted, nested and null items to pg's parser, which reads letter by letter.
 * Equal texts share one array, so it is frozen.
 */
function arrayParser(oid: number, parse: (item: string) => unknown): ParseText {
  const parseAny = pg.types.getTypeParser(oid);
  const shared = new Map<string, unknown>();
  const read = (text: string): unknown =>
    /^\{[^"{}\\]+\}$/.test(text) && !/\bnull\b/i.test(text)
      ? text.slice(1, -1).split(',').map(parse)
      : parseAny(text);
  return (text) => {
    const cached = shared.get(text);
    if (cached !== undefined) return cached;
    const array = Object.freeze(text === '{}' ? [] : read(text));
    if (shared.size >= maxSharedArrays) shared.clear();
    if (text.length <= maxSharedLength) shared.set(text, array);
    return array;
  };
}

/**
 * Converts PostgreSQL's text of a timestamptz(3) to RFC 3339 in UTC with milliseconds. Infinity and years beyond 9999, which no
 * column holds, stay as they are.
 */
export function toRfc3339(text: string): string {
  if (text.length < 22 || text.length > 29 || !text.endsWith('+00')) return fromOtherZone(text);
  const fraction = text.length > 22 ? text.slice(20, -3) : '';
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.padEnd(3, '0').slice(0, 3)}Z`;
}

/** Sessions are in UTC; should one not be, the moment is still right. */
function fromOtherZone(text: string): string {
  const [, date, time, zone = ''] = /^(\d{4}-\d\d-\d\d) ([\d:.]+)([+-][\d:]+)$/.exec(text) ?? [];
  if (date === undefined) return text;
  return new Date(`${date}T${time}${zone.length === 3 ? `${zone}:00` : zone}`).toISOString();
}
