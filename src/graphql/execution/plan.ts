// Operations made ready once and run many times: which fields to take of which type, and how each value is completed.
// Running them is in execute.ts. Introspection, interfaces and unions have no plan.
import {
  type DocumentNode,
  defaultFieldResolver,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLFieldResolver,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getArgumentValues,
  getNullableType,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  TypeNameMetaFieldDef,
  visit,
} from 'graphql';
import { variablesOf } from './coerce-variables.js';
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

/** The selections of one entry, which have its name in common. */
export type Nodes = [FieldNode, ...FieldNode[]];

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
  /** What `resolve` does, step by step, where that is known. */
  rule: FieldRule | undefined;
  /** The arguments, where no variable is among them. */
  args: Args | undefined;
  /** These arguments as the rule's check left them, once it has passed. */
  checkedArgs?: Args;
  /** Whether its resolver has ever given a promise. */
  waits?: boolean;
  value: ValuePlan;
}

/** How a value becomes a part of the answer. */
export type ValuePlan = { isNonNull: boolean } & (
  | { kind: 'leaf'; serialize: Serialize }
  | { kind: 'object'; plan: ObjectPlan }
  | { kind: 'list'; item: ValuePlan }
  | { kind: 'name' }
);

/** Fields of the largest plan: they are kept, and a small document may stand for very many. */
const maxFields = 1000;

/** There is no plan for it: another executor must run it. */
const unplanned = Symbol('unplanned');

/**
 * Plans an operation of a document that passed validation.
 * @param values of the variables in `@skip` and `@include` (see `conditionVariablesOf`): the plan is valid for these only
 * @returns undefined for subscriptions, introspection, interfaces and unions, other directives than `@skip` and `@include`,
 *   a condition that is no boolean, and a very large operation
 */
export function planOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  values: Readonly<Record<string, unknown>> = {},
): Plan | undefined {
  if (operation.operation === 'subscription') return undefined;
  const type = schema.getRootType(operation.operation);
  if (type == null || hasOtherDirectives(document)) return undefined;
  const fragments: Record<string, FragmentDefinitionNode> = Object.create(null);
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments[definition.name.value] = definition;
  const planner = createPlanner(schema, fragments, values);
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

/** Names of the variables of an operation that decide which fields it has, by `@skip` and `@include`. */
export function conditionVariablesOf(document: DocumentNode, operation: OperationDefinitionNode): string[] {
  const names = new Set<string>();
  visit(document, {
    Directive: ({ arguments: args = [] }) => {
      for (const { value } of args) if (value.kind === Kind.VARIABLE) names.add(value.name.value);
    },
  });
  const declared = operation.variableDefinitions?.map(({ variable }) => variable.name.value) ?? [];
  return declared.filter((name) => names.has(name));
}

function hasOtherDirectives(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Directive: ({ name }) => {
      if (name.value !== 'skip' && name.value !== 'include') found = true;
    },
  });
  return found;
}

/** @throws unplanned for a condition that is no boolean: graphql-js words the error */
function isIncluded({ directives = [] }: SelectionNode, values: Readonly<Record<string, unknown>>): boolean {
  return directives.every(({ name, arguments: args = [] }) => {
    const condition = args[0]?.value;
    const value =
      condition?.kind === Kind.VARIABLE
        ? values[condition.name.value]
        : condition?.kind === Kind.BOOLEAN && condition.value;
    if (typeof value !== 'boolean') throw unplanned;
    return value === (name.value === 'include');
  });
}

function createPlanner(
  schema: GraphQLSchema,
  fragments: Record<string, FragmentDefinitionNode>,
  values: Readonly<Record<string, unknown>>,
) {
  let size = 0;
  let keepsVariables = false;

  const isRoot = (type: GraphQLObjectType) =>
    type === schema.getQueryType() || type === schema.getMutationType();

  function applies(fragmentType: string | undefined, type: GraphQLObjectType): boolean {
    if (fragmentType === undefined || fragmentType === type.name) return true;
    const condition = schema.getType(fragmentType);
    return isAbstractType(condition) && schema.isSubType(condition, type);
  }

  /** Nodes by their name in the answer, in the order of the document. */
  function collect(type: GraphQLObjectType, sets: readonly SelectionSetNode[]): Map<string, Nodes> {
    const found = new Map<string, Nodes>();
    const seen = new Set<string>();
    const take = (selection: SelectionNode): void => {
      if (!isIncluded(selection, values)) return;
      if (selection.kind === Kind.FIELD) {
        const key = selection.alias?.value ?? selection.name.value;
        const nodes = found.get(key);
        if (nodes === undefined) found.set(key, [selection]);
        else nodes.push(selection);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        if (applies(selection.typeCondition?.name.value, type))
          selection.selectionSet.selections.forEach(take);
      } else if (!seen.has(selection.name.value)) {
        seen.add(selection.name.value);
        const fragment = fragments[selection.name.value];
        if (fragment !== undefined && applies(fragment.typeCondition.name.value, type))
          fragment.selectionSet.selections.forEach(take);
      }
    };
    for (const { selections } of sets) selections.forEach(take);
    return found;
  }

  function planObject(type: GraphQLObjectType, sets: readonly SelectionSetNode[]): ObjectPlan {
    if (type.isTypeOf != null) throw unplanned;
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
    const definition = parentType.getFields()[name] as FieldPlan['definition'] | undefined;
    // A key __proto__ would be no key of a plain object.
    if (definition === undefined || key === '__proto__') throw unplanned;
    const hasVariables = node.arguments?.some(usesVariable) === true;
    if (hasVariables && !isRoot(parentType)) keepsVariables = true;
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
    if (!isObjectType(type)) throw unplanned;
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
    return { kind: 'object', isNonNull, plan: planObject(type, sets) };
  }

  return { planObject, found: () => ({ size, keepsVariables }) };
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
