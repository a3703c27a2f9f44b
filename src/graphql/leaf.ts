// Scalars and enums as JSON text. What each type takes is graphql-js's to say; the common cases are only written sooner.
import {
  GraphQLBoolean,
  GraphQLFloat,
  GraphQLID,
  GraphQLInt,
  type GraphQLLeafType,
  GraphQLString,
  isEnumType,
} from 'graphql';
import { quote } from '../core/json-text.js';

/**
 * A value as JSON text.
 * @throws Error when it is no value of the type
 */
export type LeafWriter = (value: unknown) => string;

/** How values of a type are written. */
export function leafWriterOf(type: GraphQLLeafType): LeafWriter {
  const write = (value: unknown) => {
    const serialized = type.serialize(value);
    if (typeof serialized === 'string') return quote(serialized);
    const text = serialized === null ? undefined : JSON.stringify(serialized);
    if (text === undefined) throw new Error(`A ${type.name} was completed to nothing.`);
    return text;
  };
  switch (type) {
    case GraphQLString:
    case GraphQLID:
      return (value) => (typeof value === 'string' ? quote(value) : write(value));
    case GraphQLInt:
      return (value) =>
        Number.isInteger(value) && (value as number) === ((value as number) | 0) ? `${value}` : write(value);
    case GraphQLFloat:
      return (value) => (typeof value === 'number' && Number.isFinite(value) ? `${value}` : write(value));
    case GraphQLBoolean:
      return (value) => (typeof value === 'boolean' ? `${value}` : write(value));
    default:
      return isEnumType(type)
        ? enumWriter(new Map(type.getValues().map(({ name, value }) => [value, `"${name}"`])), write)
        : write;
  }
}

function enumWriter(texts: ReadonlyMap<unknown, string>, write: LeafWriter): LeafWriter {
  return (value) => texts.get(value) ?? write(value);
}
