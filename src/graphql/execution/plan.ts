// Operations made ready once and run many times: which fields to take of which type, and how each value is completed.
// Running them is in execute.ts.
import {
  type DocumentNode,
  defaultFieldResolver,
  defaultTypeResolver,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLFieldResolver,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  type GraphQLTypeResolver,
  getArgumentValues,
  getNullableType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef,
  TypeNameMetaFieldDef,
  visit,
} from 'graphql';
import { variablesOf } from './coerce-variables.js';
import {
  type CollectFields,
  createCollector,
  hasOtherDirectives,
  type Nodes,
  unplanned,
} from './collect-fields.js';
import { type FieldRule, ruleOf } from './pothos-field.js';
import { type Serialize, serializerOf } from './serialize-leaf.js';

type Args = Record<string, unknown>;

/** An operation that is ready to run. */
export interface Plan {
  schema: GraphQLSchema;
  operation: OperationDefinitionNode;
  fragments: Record<string, FragmentDefinitionNode>;
  root: ObjectPlan;
  /** Fields in all: fragments count wherever they are used. */
  size: number;
  /** Converts the given variables; undefined where they are invalid. */
  variables: (given: Record<string, unknown>) => Record<string, unknown> | undefined;
  /** Mutations run one after another. */
  isSerial: boolean;
  /** Whether fields below the root take variables. */
  keepsVariables: boolean;
}

/** The fields that are taken of an object. */
export interface ObjectPlan {
  type: GraphQLObjectType;
  fields: FieldPlan[];
  /** An answer without values: a copy of it is filled, which is made faster than one that grows. */
  blank: Record<string, unknown>;
}

/** One entry of the answer. */
export interface FieldPlan {
  /** Its name in the answer. */
  key: string;
  parentType: GraphQLObjectType;
  definition: GraphQLField<unknown, unknown>;
  nodes: Nodes;
  /** The property that is the value, where nothing has to be called for it. */
  property: string | undefined;
  resolve: GraphQLFieldResolver<unknown, unknown>;
  /** The steps of `resolve`, where they are known. */
  rule: FieldRule | undefined;
  /** The arguments, where no variable is among them. */
  args: Args | undefined;
  /** These arguments as the rule's check left them, once it has passed. */
  checkedArgs?: Args;
  /** Whether its resolver has ever given a promise. */
  waits?: boolean;
  value: ValuePlan;
}

/** The completion of a value. */
export type ValuePlan = { isNonNull: boolean } & (
  | { kind: 'leaf'; serialize: Serialize }
  | { kind: 'object'; plan: ObjectPlan }
  | AbstractPlan
  | { kind: 'list'; item: ValuePlan }
  | { kind: 'name' }
);

/** The completion of an object of an interface or a union. */
export interface AbstractPlan {
  kind: 'abstract';
  type: GraphQLAbstractType;
  typeOf: GraphQLTypeResolver<unknown, unknown>;
  /** By the names of the types that it may be of. */
  plans: ReadonlyMap<string, ObjectPlan>;
}

/** Fields of the largest plan: they are kept, and a small document may stand for very many. */
const maxFields = 1000;

/**
 * Plans an operation of a document that passed validation.
 * @param values of the variables in `@skip` and `@include` (see `conditionVariablesOf`): the plan is valid for these only
 * @returns undefined for other directives than `@skip` and `@include`, a condition that is no boolean, and a very large
 *   operation
 */
export function planOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  values: Readonly<Record<string, unknown>> = {},
): Plan | undefined {
  const type = schema.getRootType(operation.operation);
  if (type == null || hasOtherDirectives(document)) return undefined;
  const fragments: Record<string, FragmentDefinitionNode> = Object.create(null);
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments[definition.name.value] = definition;
  const planner = createPlanner(schema, createCollector(schema, fragments, values));
  try {
    const root = planner.planObject(type, [operation.selectionSet]);
    const isSerial = operation.operation === 'mutation';
    const variables = variablesOf(schema, operation);
    if (variables === undefined) return undefined;
    return { schema, operation, fragments, root, variables, isSerial, ...planner.found() };
  } catch (error) {
    if (error === unplanned) return undefined;
    throw error;
  }
}

function createPlanner(schema: GraphQLSchema, collect: CollectFields) {
  let size = 0;
  let keepsVariables = false;
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];

  function planObject(type: GraphQLObjectType, sets: readonly SelectionSetNode[]): ObjectPlan {
    const fields = [...collect(type, sets)].map(([key, nodes]) => planField(type, key, nodes));
    return { type, fields, blank: blankOf(fields) };
  }

  function planField(parentType: GraphQLObjectType, key: string, nodes: Nodes): FieldPlan {
    const [node] = nodes;
    const name = node.name.value;
    size += 1;
    if (size > maxFields) throw unplanned;
    const base = { key, parentType, nodes, resolve: defaultFieldResolver, rule: undefined };
    if (name === '__typename') {
      const value = { kind: 'name', isNonNull: true } as const;
      return { ...base, definition: TypeNameMetaFieldDef, property: undefined, args: undefined, value };
    }
    const definition = definitionOf(schema, parentType, name);
    // A key __proto__ would be no key of a plain object.
    if (definition === undefined || key === '__proto__') throw unplanned;
    const hasVariables = node.arguments?.some(usesVariable) === true;
    if (hasVariables && !roots.includes(parentType)) keepsVariables = true;
    return {
      ...base,
      definition,
      property: propertyOf(definition),
      resolve: definition.resolve ?? defaultFieldResolver,
      rule: ruleOf(parentType, definition),
      args: hasVariables ? undefined : getArgumentValues(definition, node),
      value: planValue(definition.type, nodes),
    };
  }

  function planValue(given: GraphQLOutputType, nodes: Nodes): ValuePlan {
    const isNonNull = isNonNullType(given);
    const type = getNullableType(given) as GraphQLOutputType;
    if (isListType(type)) return { kind: 'list', isNonNull, item: planValue(type.ofType, nodes) };
    if (isLeafType(type)) return { kind: 'leaf', isNonNull, serialize: serializerOf(type) };
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
    if (isObjectType(type)) return { kind: 'object', isNonNull, plan: planObject(type, sets) };
    const plans = schema.getPossibleTypes(type).map((one) => [one.name, planObject(one, sets)] as const);
    const typeOf = type.resolveType ?? defaultTypeResolver;
    return { kind: 'abstract', isNonNull, type, typeOf, plans: new Map(plans) };
  }

  return { planObject, found: () => ({ size, keepsVariables }) };
}

/** The definition of a field, also of one that every schema has. */
function definitionOf(
  schema: GraphQLSchema,
  parentType: GraphQLObjectType,
  name: string,
): FieldPlan['definition'] | undefined {
  if (parentType === schema.getQueryType()) {
    if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef;
    if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef;
  }
  return parentType.getFields()[name];
}

/** Each key has held a number and null: V8 then expects anything there, and no object has to change its layout later. */
function blankOf(fields: readonly FieldPlan[]): Record<string, unknown> {
  const blank: Record<string, unknown> = {};
  for (const { key } of fields) blank[key] = 0;
  for (const { key } of fields) blank[key] = null;
  return blank;
}

function usesVariable(node: NonNullable<FieldNode['arguments']>[number]): boolean {
  let found = false;
  visit(node, {
    Variable: () => {
      found = true;
    },
  });
  return found;
}

/** The property that a field shows as it is: there is no resolver, or only the one that Pothos makes of `expose`. */
export function propertyOf({
  name,
  resolve,
  extensions,
}: GraphQLField<unknown, unknown>): string | undefined {
  if (resolve === undefined) return name;
  const { pothosExposedField, pothosResolveWrapped } = extensions as {
    pothosExposedField?: string;
    pothosResolveWrapped?: boolean;
  };
  return pothosResolveWrapped === false ? pothosExposedField : undefined;
}
