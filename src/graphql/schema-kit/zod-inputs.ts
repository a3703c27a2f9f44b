// zod shapes as GraphQL inputs: fields, enums, descriptions and checks from the one source. No entity is named here.
import type { ArgBuilder, EnumRef, InputRef, SchemaTypes } from '@pothos/core';
import type { z } from 'zod';
import { quickly } from '../../validation/fields.js';
import { builder } from './builder.js';

type Types = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer T> ? T : SchemaTypes;
type Zod = z.core.$ZodType;
interface Meta {
  graphql?: string;
  description?: string;
  values?: Record<string, string>;
}

const enums = new Map<string, unknown>();
const inputs = new Map<string, unknown>();

/** The GraphQL enum of a zod enum made with `enumOf`; the same one every time. */
export function enumType<Name extends string>(shape: z.ZodType<Name>): EnumRef<Types, Name> {
  const { graphql: name = '', description, values = {} } = metaOf(shape);
  if (!enums.has(name)) {
    enums.set(
      name,
      builder.enumType(name, {
        ...(description !== undefined && { description }),
        values: Object.fromEntries(
          Object.entries(values).map(([value, text]) => [value, { value, description: text }]),
        ),
      }),
    );
  }
  return enums.get(name) as EnumRef<Types, Name>;
}

/**
 * An argument that takes this shape as an input object of this name, checked and converted by it.
 * @param check a check (Standard Schema) of the same shape that does more than the shape itself
 */
export function inputArg<Shape extends z.ZodObject>(
  arg: ArgBuilder<Types>,
  name: string,
  shape: Shape,
  check: Shape = quickly(shape),
) {
  return arg({ type: inputType(name, shape), required: true, ...described(shape) }).validate<z.output<Shape>>(
    check,
  );
}

/** As {@link inputArg}, for one that may be left out; gives an empty object then. */
export function filterArg<Shape extends z.ZodObject>(arg: ArgBuilder<Types>, name: string, shape: Shape) {
  return arg({ type: inputType(name, shape), ...described(shape) }).validate<
    z.output<Shape> | null | undefined
  >(quickly(shape.nullish()));
}

/** An argument of a simple shape (id, text, number), checked and converted by it. */
export function simpleArg<Shape extends z.ZodType>(
  arg: ArgBuilder<Types>,
  shape: Shape,
  description?: string,
) {
  const { type } = convert(shape, '');
  const text = description ?? metaOf(shape).description;
  return arg({
    type: type as 'String',
    required: true,
    ...(text !== undefined && { description: text }),
  }).validate<z.output<Shape>>(quickly(shape));
}

/** As {@link simpleArg}, for an argument that may be absent or null. */
export function optionalArg<Shape extends z.ZodType>(
  arg: ArgBuilder<Types>,
  shape: Shape,
  description: string,
) {
  const { type } = convert(shape, '');
  return arg({ type: type as 'String', description }).validate<z.output<Shape>>(quickly(shape));
}

function inputType<Shape extends z.ZodObject>(name: string, shape: Shape): InputRef<z.output<Shape>> {
  if (!inputs.has(name)) {
    const ref = builder.inputRef<object>(name);
    inputs.set(name, ref);
    ref.implement({
      ...described(shape),
      fields: (t) =>
        Object.fromEntries(
          Object.entries(shape.shape).map(([field, fieldShape]) => {
            const { type, isRequired } = convert(fieldShape as Zod, name);
            return [
              field,
              t.field({
                type: type as 'String',
                required: isRequired as false,
                ...described(fieldShape as Zod),
              }),
            ];
          }),
        ),
    });
  }
  return inputs.get(name) as InputRef<z.output<Shape>>;
}

/** GraphQL type of a shape; objects are named after their description's owner: Location → LocationInput. */
function convert(shape: Zod, owner: string): { type: unknown; isRequired: boolean } {
  const meta = metaOf(shape);
  const def = shape._zod.def as { type: string; innerType?: Zod; in?: Zod; element?: Zod; format?: string };
  if (def.type === 'optional' || def.type === 'nullable') {
    return { type: convert(def.innerType as Zod, owner).type, isRequired: false };
  }
  if (meta.values !== undefined) return { type: enumType(shape as z.ZodType<string>), isRequired: true };
  if (meta.graphql !== undefined && (def.type !== 'object' || meta.graphql === 'JSON'))
    return { type: meta.graphql, isRequired: true };
  switch (def.type) {
    case 'string':
      return { type: 'String', isRequired: true };
    case 'boolean':
      return { type: 'Boolean', isRequired: true };
    case 'number':
      return { type: def.format === undefined ? 'Float' : 'Int', isRequired: true };
    case 'array':
      return { type: [convert(def.element as Zod, owner).type], isRequired: true };
    case 'object':
      return { type: inputType(meta.graphql ?? owner, shape as z.ZodObject), isRequired: true };
    case 'pipe':
      return convert(def.in as Zod, owner);
    default:
      throw new Error(`${owner}: GraphQL has no input for zod's ${def.type}`);
  }
}

/** Metadata of a shape, or of what it wraps. */
function metaOf(shape: Zod): Meta {
  const own = ((shape as z.ZodType).meta?.() ?? {}) as Meta;
  const inner = (shape._zod.def as { innerType?: Zod }).innerType;
  return inner === undefined ? own : { ...metaOf(inner), ...own };
}

function described(shape: Zod): { description?: string } {
  const { description } = metaOf(shape);
  return description === undefined ? {} : { description };
}
