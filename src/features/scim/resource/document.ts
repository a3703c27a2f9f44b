// Reads resources as directories send them: names in any case, flags as text, unknown attributes left out.
import { AppError } from '../../../core/errors.js';
import { type Attribute, attributeOf, type Schema } from './schemas.js';

/** A value of an attribute that is kept. */
export type Value = string | boolean | Complex | Complex[];
/** A complex value, by the names of its attributes. */
export interface Complex {
  [name: string]: string | boolean;
}
/** A resource without id and meta, by the names of its attributes; an extension stands under its URN. */
export type Document = Record<string, unknown>;

/** Longest text of an attribute. */
const maxText = 1000;
/** Values of a multi-valued attribute; members of groups have a limit of their own. */
const maxValues = 50;

/** invalidValue for an attribute. */
export function invalidValue(name: string, message: string): AppError {
  return new AppError('VALIDATION_FAILED', {
    message: `${name}: ${message}`,
    fields: [{ path: name, message }],
    scimType: 'invalidValue',
  });
}

/** @throws VALIDATION_FAILED (invalidSyntax) for what is no JSON object */
export function assertObject(given: unknown): asserts given is Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new AppError('VALIDATION_FAILED', {
      message: 'The body must be a JSON object.',
      scimType: 'invalidSyntax',
    });
}

/**
 * Reads a whole resource, as POST and PUT have it. Read-only, unknown and empty attributes are left out.
 * @throws VALIDATION_FAILED (invalidSyntax, invalidValue)
 */
export function readDocument(schema: Schema, given: unknown): Document {
  assertObject(given);
  const document: Document = {};
  for (const [name, value] of Object.entries(given)) {
    const attribute = attributeOf(schema.attributes, name);
    if (attribute !== undefined && attribute.isReadOnly !== true && attribute.isRows !== true) {
      const read = readValue(attribute, value);
      if (read !== undefined) document[attribute.name] = read;
    } else if (schema.extension?.urn.toLowerCase() === name.toLowerCase()) {
      const extension = readDocument(schema.extension, value);
      if (Object.keys(extension).length > 0) document[schema.extension.urn] = extension;
    }
  }
  return document;
}

/**
 * Reads the value of an attribute.
 * @returns undefined for one that unassigns it: null, an empty text or list
 * @throws VALIDATION_FAILED (invalidValue)
 */
export function readValue(attribute: Attribute, given: unknown): Value | undefined {
  if (given === null || given === undefined || given === '') return undefined;
  if (attribute.isMultiValued !== true) return readOne(attribute, given);
  const items = Array.isArray(given) ? given : [given];
  if (items.length > maxValues) throw invalidValue(attribute.name, `has more than ${maxValues} values`);
  const values = items.map((item) => readOne(attribute, item)).filter((item) => typeof item === 'object');
  return values.length === 0 ? undefined : onePrimary(values as Complex[]);
}

function readOne(attribute: Attribute, given: unknown): string | boolean | Complex | undefined {
  if (attribute.type === 'boolean') return readFlag(attribute, given);
  if (attribute.type === 'string') return readText(attribute, given);
  // Entra sends the id of a manager as text.
  if (typeof given === 'string') return given === '' ? undefined : readOne(attribute, { value: given });
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalidValue(attribute.name, 'must be an object');
  const value: Complex = {};
  for (const [name, part] of Object.entries(given)) {
    const sub = attributeOf(attribute.subs ?? [], name);
    const read = sub && readValue(sub, part);
    if (sub !== undefined && (typeof read === 'string' || typeof read === 'boolean')) value[sub.name] = read;
  }
  return Object.keys(value).length === 0 ? undefined : value;
}

function readFlag({ name }: Attribute, given: unknown): boolean {
  if (typeof given === 'boolean') return given;
  // Entra sends flags as text.
  const text = typeof given === 'string' ? given.toLowerCase() : '';
  if (text !== 'true' && text !== 'false') throw invalidValue(name, 'must be true or false');
  return text === 'true';
}

function readText({ name }: Attribute, given: unknown): string {
  if (typeof given !== 'string' && typeof given !== 'number') throw invalidValue(name, 'must be a text');
  const text = String(given);
  if (text.length > maxText) throw invalidValue(name, `has more than ${maxText} characters`);
  if (text.includes('\0') || !text.isWellFormed())
    throw invalidValue(name, 'must be well-formed Unicode without NUL');
  return text;
}

/** Of several primary values the last stays primary, as the newest one. */
export function onePrimary(values: Complex[]): Complex[] {
  const last = values.findLastIndex(({ primary }) => primary === true);
  return values.map((value, index) =>
    value.primary === true && index !== last ? { ...value, primary: false } : value,
  );
}
