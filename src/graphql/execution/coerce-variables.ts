// Converts the variables of planned operations by their types: valid values as graphql-js does, many times as fast. graphql-js
// converts invalid ones and words the error.
import {
  GraphQLBoolean,
  GraphQLFloat,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  GraphQLInt,
  type GraphQLSchema,
  GraphQLString,
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  type OperationDefinitionNode,
  typeFromAST,
  valueFromAST,
} from 'graphql';

type Values = Record<string, unknown>;
/** @throws Error for what is no value of its type */
type Coerce = (value: unknown) => unknown;

/** A variable, or a field of an input object. */
interface Part {
  name: string;
  coerce: Coerce;
  /** Its default value; undefined where it has none. */
  fallback: unknown;
  isNonNull: boolean;
}

function invalid(): never {
  throw new Error('no value of its type');
}

/**
 * @returns what converts the variables of an operation (to undefined, where one is no value of its type), or undefined
 * where graphql-js has to
 */
export function variablesOf(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
): ((given: Values) => Values | undefined) | undefined {
  const known = new Map<GraphQLInputObjectType, Coerce>();
  const parts: Part[] = [];
  for (const { variable, type: node, defaultValue } of variableDefinitions) {
    const type = typeFromAST(schema, node);
    if (!isInputType(type)) return undefined;
    const fallback = defaultValue && valueFromAST(defaultValue, type);
    parts.push({ name: variable.name.value, ...coercerOf(type, known), fallback });
  }
  return (given) => {
    try {
      return take(parts, given);
    } catch {
      return undefined;
    }
  };
}

function take(parts: readonly Part[], given: Values): Values {
  const taken: Values = {};
  for (const { name, coerce, fallback, isNonNull } of parts) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined) {
      if (fallback !== undefined) taken[name] = fallback;
      else if (isNonNull) invalid();
    } else if (value !== null) taken[name] = coerce(value);
    else if (isNonNull) invalid();
    else taken[name] = null;
  }
  return taken;
}

function coercerOf(
  given: GraphQLInputType,
  known: Map<GraphQLInputObjectType, Coerce>,
): { coerce: Coerce; isNonNull: boolean } {
  const isNonNull = isNonNullType(given);
  const type = isNonNull ? (given.ofType as GraphQLInputType) : given;
  if (isListType(type))
    return { coerce: listCoercer(coercerOf(type.ofType as GraphQLInputType, known)), isNonNull };
  if (isInputObjectType(type)) return { coerce: known.get(type) ?? objectCoercer(type, known), isNonNull };
  switch (type) {
    case GraphQLString:
      return { coerce: (value) => (typeof value === 'string' ? value : invalid()), isNonNull };
    case GraphQLBoolean:
      return { coerce: (value) => (typeof value === 'boolean' ? value : invalid()), isNonNull };
    case GraphQLInt:
      return { coerce: (value) => (value === ((value as number) | 0) ? value : invalid()), isNonNull };
    case GraphQLFloat:
      return { coerce: (value) => (Number.isFinite(value) ? value : invalid()), isNonNull };
    default:
      return { coerce: (value) => type.parseValue(value) ?? invalid(), isNonNull };
  }
}

/** One value stands for a list of one. */
function listCoercer({ coerce, isNonNull }: { coerce: Coerce; isNonNull: boolean }): Coerce {
  const item: Coerce = (value) => {
    if (value !== null && value !== undefined) return coerce(value);
    return isNonNull ? invalid() : null;
  };
  return (value) => (Array.isArray(value) ? value.map(item) : [item(value)]);
}

function objectCoercer(type: GraphQLInputObjectType, known: Map<GraphQLInputObjectType, Coerce>): Coerce {
  if (type.isOneOf) return invalid;
  const parts: Part[] = [];
  const names = new Set(Object.keys(type.getFields()));
  const coerce: Coerce = (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return invalid();
    for (const name in value) if (!names.has(name)) invalid();
    return take(parts, value as Values);
  };
  known.set(type, coerce); // before its fields, which may be of the same type
  for (const { name, type: fieldType, defaultValue } of Object.values(type.getFields()))
    parts.push({ name, ...coercerOf(fieldType, known), fallback: defaultValue });
  return coerce;
}
