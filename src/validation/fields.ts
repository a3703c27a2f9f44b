// Building blocks of the input shapes (text, ids, enums, JSON), shared by GraphQL, REST and the docs. No entity.
import { z } from 'zod';
import { type FieldError, validationFailed } from '../core/errors.js';
import { type IdType, parsePublicId } from '../core/ids.js';
import { keeping } from './compiled-schema.js';
import { isSearchable } from './search-text.js';

export { quickly } from './compiled-schema.js';

const wellFormed = 'must be well-formed Unicode without NUL';
/** Control characters, line and paragraph separators, as the complement of all others: C0, DEL, C1, U+2028 and U+2029. */
const controlCharacters = /[^ -~\u00a0-\u2027\u202a-\uffff]/;
/** Bidirectional controls (UAX #9): marks, embeddings, overrides and isolates, which make a name look like another one. */
const bidiControls = /\p{Bidi_Control}/u;

/** Whether PostgreSQL and JSON can carry the text: no NUL, no lone surrogates. */
function isWellFormed(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** Matches most one-line texts, which need no other check: ASCII without spaces at its ends. */
const plainLine = /^[!-~](?:[ -~]*[!-~])?$/;

/** A one-line identifier or name: trimmed, NFC, no control characters. */
export function line(min: number, max: number) {
  const tooShort = min === 1 ? 'must not be empty' : `must have at least ${min} characters`;
  const isValid = (given: string) => given.length >= min && given.length <= max && plainLine.test(given);
  return textWith({ minimum: min, maximum: max }, isValid, (given, refuse) => {
    if (!isWellFormed(given)) return refuse(wellFormed);
    const text = given.trim().normalize('NFC');
    if (text.length < min) refuse(tooShort);
    if (text.length > max) refuse(`must have at most ${max} characters`);
    if (controlCharacters.test(text)) refuse('must not contain control characters');
    if (bidiControls.test(text)) refuse('must not contain bidirectional control characters');
    return text;
  });
}

/** A term to search large tables for: one that no index serves would read all of them. */
export const searchTerm = line(1, 200).refine(
  isSearchable,
  'must have at least three letters or digits in a row, or a character beyond ASCII',
);

/** Longer text, kept as it is: line breaks and tabs are welcome. */
export function text(max: number) {
  const isValid = (given: string) => given.length <= max && isWellFormed(given);
  return textWith({ maximum: max }, isValid, (given, refuse) => {
    if (!isWellFormed(given)) refuse(wellFormed);
    if (given.length > max) refuse(`must have at most ${max} characters`);
    return given;
  });
}

/**
 * Checks all rules of a text at once: in zod each rule has a cost of its own, and a batch of results has thousands.
 * @param bounds for the documentation
 * @param isValid whether the text is stored as it is
 * @param read returns the text as it is stored, or refuses it with a message
 */
function textWith(
  bounds: { minimum?: number; maximum: number },
  isValid: (given: string) => boolean,
  read: (given: string, refuse: (message: string) => string) => string,
) {
  const check = z.check<string>((payload) => {
    if (isValid(payload.value)) return;
    payload.value = read(payload.value, (message) => {
      payload.issues.push({ code: 'custom', message, input: payload.value, path: [] });
      return payload.value;
    });
  });
  check._zod.onattach.push((shape) => void Object.assign(shape._zod.bag, bounds));
  return keeping(z.string().check(check), (value) => typeof value === 'string' && isValid(value));
}

/** A public id of one of these types; gives type and UUID. */
export function anyIdOf(...types: IdType[]) {
  const wanted = types.join(' or ');
  return z
    .string()
    .max(100, 'is not an id')
    .transform((id, check) => {
      const parsed = parsePublicId(id);
      if (parsed !== null && types.includes(parsed.type)) return parsed;
      const message = parsed === null ? 'is not an id' : `is the id of a ${parsed.type}, not of a ${wanted}`;
      check.addIssue({ code: 'custom', message });
      return z.NEVER;
    })
    .meta({ graphql: 'ID' });
}

/** A public id of one of these types; gives the row's UUID. */
export function idOf(...types: IdType[]) {
  return anyIdOf(...types)
    .transform(({ uuid }) => uuid)
    .meta({ graphql: 'ID' });
}

/** A whole number; GraphQL's Int. */
export function int(min: number, max: number) {
  const shape = z.int().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`);
  return keeping(
    shape,
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  );
}

/** A moment, RFC 3339; GraphQL's DateTime. Gives a Date. */
export const dateTime = z
  .union([z.date(), z.iso.datetime({ offset: true }).transform((value) => new Date(value))])
  .meta({ graphql: 'DateTime' });

const maxJsonBytes = 65_536;
const maxJsonDepth = 32;

/** A JSON object of at most 64 KiB and 32 levels, whose integers keep their digits. */
export const jsonObject = z
  .custom<Record<string, unknown>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    { message: 'must be a JSON object', abort: true },
  )
  .superRefine((value, check) => {
    const message = jsonFault(value);
    if (message !== undefined) check.addIssue({ code: 'custom', message });
  })
  .meta({ graphql: 'JSON' });

/** The depth comes first: what is too deep could not be printed either. */
function jsonFault(value: object): string | undefined {
  if (!isShallow(value, maxJsonDepth)) return `must be nested at most ${maxJsonDepth} deep`;
  if (!everyNumber(value, Number.isFinite)) return 'must not have numbers beyond the range of doubles';
  if (!everyNumber(value, keepsItsDigits))
    return 'must not have integers beyond ±9007199254740991 (2^53 - 1), which lose digits: send them as strings';
  const json = JSON.stringify(value);
  if (Buffer.byteLength(json) > maxJsonBytes) return 'must be at most 64 KiB of JSON';
  if (/\\u0000|\\ud[89a-f]/i.test(json.replaceAll('\\\\', ''))) return wellFormed;
  return undefined;
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((child) => isShallow(child, levels - 1));
}

/** Whether each number at any depth passes: JSON.parse reads 1e999 as Infinity, and rounds integers to doubles. */
function everyNumber(value: unknown, passes: (number: number) => boolean): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'number' || passes(value);
  return Object.values(value).every((child) => everyNumber(child, passes));
}

/** Beyond 2^53 - 1 an integer may be another one, rounded. */
const keepsItsDigits = (number: number) => !Number.isInteger(number) || Number.isSafeInteger(number);

/** A GraphQL enum as a zod shape, with what each value means. */
export function enumOf<const Name extends string>(
  name: string,
  description: string,
  values: Record<Name, string>,
) {
  const names = Object.keys(values) as [Name, ...Name[]];
  const known = new Set<unknown>(names);
  const shape = z.enum(names).meta({ graphql: name, description, values });
  return keeping(shape, (value) => known.has(value));
}

/** An input object with nothing but these fields. */
export function objectOf<Shape extends z.ZodRawShape>(description: string, fields: Shape) {
  return z.strictObject(fields).describe(description);
}

const direction = enumOf('OrderDirection', 'Direction of an order.', {
  ASC: 'Ascending: lowest or oldest first.',
  DESC: 'Descending: highest or newest first.',
}).describe('Direction.');

/** The order of a list: one of these keys, and a direction. */
export function orderInput<const Key extends string>(
  name: string,
  plural: string,
  keys: Record<Key, string>,
) {
  const field = enumOf(`${name}OrderField`, `Keys that ${plural} are ordered by.`, keys);
  return objectOf(`Order of ${plural}.`, { field: field.describe('Sort key.'), direction });
}

/** Faults of a zod or other Standard Schema check, as the API reports them. */
export function toFieldErrors(
  issues: readonly {
    path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined;
    message: string;
    keys?: string[];
  }[],
): FieldError[] {
  return issues.flatMap(({ path = [], message, keys }) => {
    const base = path.map((part) => String(typeof part === 'object' ? part.key : part));
    if (keys === undefined) return [{ path: base.join('.'), message: ofType(message) }];
    return keys.map((key) => ({ path: [...base, key].join('.'), message: 'is not a known field' }));
  });
}

/** What zod says of a missing value, or of one of another type, in the words of the other faults. */
function ofType(message: string): string {
  const [, expected, received] = /^Invalid input: expected (\w+), received (\w+)$/.exec(message) ?? [];
  if (expected === undefined) return message;
  return received === 'undefined' ? 'must be given' : `must be of the type ${expected}, not ${received}`;
}

/**
 * Checks a value against its shape.
 * @throws VALIDATION_FAILED with every fault's path
 */
export function parseInput<Shape extends z.ZodType>(shape: Shape, value: unknown): z.output<Shape> {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  throw validationFailed(toFieldErrors(parsed.error.issues));
}
