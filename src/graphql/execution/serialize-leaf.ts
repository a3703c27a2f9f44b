// Scalars and enums as values of the answer. What each type takes is graphql-js's to say; the common cases only pass sooner.
import {
  GraphQLBoolean,
  GraphQLFloat,
  GraphQLID,
  GraphQLInt,
  type GraphQLLeafType,
  GraphQLString,
  isEnumType,
} from 'graphql';

/**
 * A value as it stands in the answer.
 * @throws Error when it is no value of the type
 */
export type Serialize = (value: unknown) => unknown;

/** Creates the function that converts values of a type for an answer. */
export function serializerOf(type: GraphQLLeafType): Serialize {
  const serialize = (value: unknown) => {
    const serialized = type.serialize(value);
    if (serialized === null || serialized === undefined)
      throw new Error(`A ${type.name} was completed to nothing.`);
    return serialized;
  };
  switch (type) {
    case GraphQLString:
    case GraphQLID:
      return (value) => (typeof value === 'string' ? value : serialize(value));
    case GraphQLInt:
      return (value) => (value === ((value as number) | 0) ? value : serialize(value));
    case GraphQLFloat:
      return (value) => (Number.isFinite(value) ? value : serialize(value));
    case GraphQLBoolean:
      return (value) => (typeof value === 'boolean' ? value : serialize(value));
    default:
      return isEnumType(type)
        ? enumSerializer(new Map(type.getValues().map(({ name, value }) => [value, name])), serialize)
        : serialize;
  }
}

function enumSerializer(names: ReadonlyMap<unknown, string>, serialize: Serialize): Serialize {
  return (value) => names.get(value) ?? serialize(value);
}
