// Applies PATCH operations (RFC 7644, section 3.5.2) to a resource. Members of groups are not in it: they are rows.
import { AppError, type ScimType } from '../../../core/errors.js';
import {
  assertObject,
  type Complex,
  type Document,
  invalidValue,
  onePrimary,
  readValue,
  type Value,
} from './document.js';
import { parsePath } from './filter.js';
import { matchesFilter, valuesOf } from './match.js';
import { type Attribute, attributeOf, type Located, locate, type Schema } from './schemas.js';

/** One operation, its name in lower case. */
export interface Operation {
  op: 'add' | 'replace' | 'remove';
  path?: string;
  value?: unknown;
}

/** Operations of one request. */
const maxOperations = 200;
const patchUrn = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

function refusal(scimType: ScimType, message: string): AppError {
  return new AppError('VALIDATION_FAILED', { message, scimType });
}

/**
 * Reads the body of a PATCH. Entra begins the names of operations with a capital.
 * @throws VALIDATION_FAILED (invalidSyntax, invalidValue, noTarget)
 */
export function readOperations(given: unknown): Operation[] {
  assertObject(given);
  const { schemas, Operations: list } = given;
  if (!Array.isArray(schemas) || !schemas.includes(patchUrn))
    throw refusal('invalidSyntax', `schemas: must have ${patchUrn}`);
  if (!Array.isArray(list) || list.length === 0 || list.length > maxOperations)
    throw refusal('invalidSyntax', `Operations: must have 1 to ${maxOperations} operations`);
  return list.map((item: unknown) => {
    assertObject(item);
    const op = typeof item.op === 'string' ? item.op.toLowerCase() : '';
    if (op !== 'add' && op !== 'replace' && op !== 'remove')
      throw refusal('invalidSyntax', 'op: must be add, replace or remove');
    const { path = undefined, value } = item;
    if (path != null && typeof path !== 'string') throw refusal('invalidPath', 'path: must be a text');
    if (op === 'remove' && (path == null || path === ''))
      throw refusal('noTarget', 'path: must be given for remove');
    return { op, value, ...(path != null && path !== '' && { path }) };
  });
}

/** An operation for each path: without a path, the value names several, also with dots, URNs and filters, as Entra does. */
export function spread(schema: Schema, { op, path, value }: Operation): (Operation & { path: string })[] {
  if (path !== undefined && path.toLowerCase() !== schema.extension?.urn.toLowerCase())
    return [{ op, path, value }];
  if (path !== undefined && op === 'remove') return [{ op, path, value }];
  assertObject(value);
  // Okta sends the id along.
  const entries = Object.entries(value).filter(
    ([name]) => path !== undefined || !/^(id|meta|schemas)$/i.test(name),
  );
  return entries.flatMap(([name, part]) => {
    const prefix = path === undefined ? '' : `${path}:`;
    if (name.toLowerCase() !== schema.extension?.urn.toLowerCase())
      return [{ op, path: prefix + name, value: part }];
    return spread(schema, { op, path: name, value: part });
  });
}

/**
 * Applies one operation of {@link spread} to a resource, which it changes.
 * @throws VALIDATION_FAILED (invalidPath, noTarget, mutability, invalidValue)
 */
export function applyOperation(
  schema: Schema,
  document: Document,
  operation: Operation & { path: string },
): void {
  const { op, value } = operation;
  if (operation.path.toLowerCase() === schema.extension?.urn.toLowerCase()) {
    delete document[schema.extension?.urn ?? ''];
    return;
  }
  const parsed = parsePath(operation.path);
  const located = locate(schema, parsed.path);
  if (located === 'ignored') return;
  if (/^(id|meta)$/i.test(parsed.path) || (located !== undefined && located.attribute.isReadOnly === true))
    throw refusal('mutability', `${parsed.path}: is read-only`);
  if (located === undefined) throw refusal('invalidPath', `${operation.path}: is no known attribute`);
  const { attribute, extension } = located;
  const holder = holderOf(document, extension);
  if (parsed.filter === undefined) applyPlain(holder, located, op, value);
  else applyFiltered(holder, attribute, parsed as Selected, op, value);
  if (extension !== undefined) {
    if (Object.keys(holder).length === 0) delete document[extension];
    else document[extension] = holder;
  }
}

const holderOf = (document: Document, extension: string | undefined): Document =>
  extension === undefined ? document : { ...(document[extension] as Document | undefined) };

function put(holder: Document, name: string, value: Value | undefined): void {
  const isEmpty = typeof value === 'object' && Object.keys(value).length === 0;
  if (value === undefined || isEmpty) delete holder[name];
  else holder[name] = value;
}

function applyPlain(
  holder: Document,
  { attribute, sub }: Located,
  op: Operation['op'],
  given: unknown,
): void {
  const { name } = attribute;
  if (attribute.isMultiValued === true) {
    applyToList(holder, attribute, sub, op, given);
    return;
  }
  if (sub !== undefined) {
    const value = { ...(holder[name] as Complex | undefined) };
    const read = op === 'remove' ? undefined : readValue(sub, given);
    if (typeof read === 'string' || typeof read === 'boolean') value[sub.name] = read;
    else delete value[sub.name];
    put(holder, name, value);
    return;
  }
  const read = op === 'remove' ? undefined : readValue(attribute, given);
  const isMerged = attribute.type === 'complex' && typeof read === 'object' && !Array.isArray(read);
  put(holder, name, isMerged ? { ...(holder[name] as Complex | undefined), ...read } : read);
}

function applyToList(
  holder: Document,
  attribute: Attribute,
  sub: Attribute | undefined,
  op: Operation['op'],
  given: unknown,
): void {
  const { name } = attribute;
  const present = valuesOf(holder, name);
  if (sub !== undefined) {
    const read = op === 'remove' ? undefined : readValue(sub, given);
    const targets = present.length === 0 && read !== undefined ? [{}] : present;
    put(holder, name, onePrimary(targets.map((value) => withSub(value, sub, read))));
    return;
  }
  const read = given === undefined ? undefined : (readValue(attribute, given) as Complex[] | undefined);
  if (op === 'replace') put(holder, name, read);
  else if (op === 'remove') put(holder, name, read && present.filter((value) => !read.some(sameAs(value))));
  else
    put(
      holder,
      name,
      onePrimary([...present, ...(read ?? []).filter((value) => !present.some(sameAs(value)))]),
    );
}

const sameAs = (one: Complex) => (other: Complex) => one.value === other.value && one.type === other.type;

function withSub(value: Complex, sub: Attribute, read: Value | undefined): Complex {
  const { [sub.name]: _before, ...rest } = value;
  return typeof read === 'string' || typeof read === 'boolean' ? { ...rest, [sub.name]: read } : rest;
}

type Selected = Required<Pick<ReturnType<typeof parsePath>, 'filter' | 'path'>> & { sub?: string };

/** Changes the values that a filter selects; `add` makes one that has what the filter asks for where there is none. */
function applyFiltered(
  holder: Document,
  attribute: Attribute,
  { path, filter, sub: subName }: Selected,
  op: Operation['op'],
  given: unknown,
): void {
  const { name, subs = [] } = attribute;
  if (attribute.isMultiValued !== true) throw refusal('invalidPath', `${path}: has no values to filter`);
  const sub = subName === undefined ? undefined : attributeOf(subs, subName);
  if (subName !== undefined && sub === undefined)
    throw refusal('invalidPath', `${path}.${subName}: is no known attribute`);
  const present = valuesOf(holder, name);
  const isSelected = (value: Complex) => matchesFilter(attribute, value, filter);
  if (op === 'remove') {
    const kept =
      sub === undefined
        ? present.filter((value) => !isSelected(value))
        : present.map((value) => (isSelected(value) ? withSub(value, sub, undefined) : value));
    put(holder, name, kept);
    return;
  }
  const read = readValue(sub ?? { ...attribute, isMultiValued: false }, given);
  const change = (value: Complex): Complex =>
    sub === undefined ? { ...value, ...(read as Complex | undefined) } : withSub(value, sub, read);
  if (present.some(isSelected)) {
    const changed = present.map((value) => (isSelected(value) ? change(value) : value));
    const isNew = (index: number) => isSelected(present[index] as Complex);
    const hasNew = changed.some(({ primary }, index) => primary === true && isNew(index));
    const others = (value: Complex, index: number) =>
      hasNew && value.primary === true && !isNew(index) ? { ...value, primary: false } : value;
    put(holder, name, onePrimary(changed.map(others)));
    return;
  }
  const seed = op === 'add' ? equalsOf(attribute, filter) : undefined;
  if (seed === undefined) throw refusal('noTarget', `${path}: no value matches the filter`);
  put(holder, name, onePrimary([...present, change(seed)]));
}

/** The values that a filter of equalities requires; undefined for any other filter. */
function equalsOf(attribute: Attribute, filter: Selected['filter']): Complex | undefined {
  if (filter.op === 'and') {
    const parts = filter.of.map((part) => equalsOf(attribute, part));
    return parts.includes(undefined) ? undefined : Object.assign({}, ...parts);
  }
  if (filter.op !== 'eq') return undefined;
  const sub = attributeOf(attribute.subs ?? [], filter.path);
  const read = sub && readValue(sub, filter.value);
  return sub !== undefined && (typeof read === 'string' || typeof read === 'boolean')
    ? { [sub.name]: read }
    : undefined;
}

/** @throws VALIDATION_FAILED (invalidValue) when a required attribute is missing */
export function assertComplete({ attributes }: Schema, document: Document): void {
  for (const { name, isRequired } of attributes)
    if (isRequired === true && document[name] === undefined) throw invalidValue(name, 'must be given');
}
