// Weighs a document before it runs: its depth, the objects that may come back, and the bytes that they may hold.
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isCompositeType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';
import { weightOf } from '../schema-kit/field-weight.js';
import { documentLimits, tooComplex, tooMany } from './document-limits.js';

const defaultPageSize = 20;
const maxPageSize = 100;
const valueCost = 0.1;
/** A leaf of this many bytes counts as an object. */
const objectBytes = 100_000;
/** Bytes that may come back at most, where every value is as large as it may be. */
export const maxBytes = 512 * 2 ** 20;

/** Weight of a selection. */
interface Weight {
  depth: number;
  cost: number;
  bytes: number;
  /** Response name → number of fields of the selection that have it; empty for a field, which its parent counts. */
  names: ReadonlyMap<string, number>;
}

/** Facts about a document that is within the limits. */
export interface DocumentWeight {
  /** Whether page sizes come from variables, so that each call has to be weighed. */
  dependsOnVariables: boolean;
  /** Objects that may come back, by the measure of {@link documentLimits}. */
  cost: number;
  /** Bytes of the largest response. */
  bytes: number;
}

type Variables = Readonly<Record<string, unknown>>;

interface Scale {
  schema: GraphQLSchema;
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Fragments that are weighed: each once per operation, however often it is used. */
  weighed: Map<string, Weight>;
  /** Variables that are given; undefined before they are known. */
  given: Variables | undefined;
  /** Default values of the operation's variables. */
  defaults: ReadonlyMap<string, ValueNode>;
  dependsOnVariables: boolean;
}

const nothing: Weight = { depth: 0, cost: 0, bytes: 0, names: new Map() };

/**
 * Refuses a document that is too deep or may return too much.
 * @param given variables: page sizes may come from them, or else from their defaults. Undefined before they are known:
 *   sizes from variables then count as one, and the document is to be weighed again
 * @param operationName weighs this operation only; all of them when it is absent
 * @throws QUERY_TOO_COMPLEX
 */
export function checkWeight(
  schema: GraphQLSchema,
  document: DocumentNode,
  given?: Variables,
  operationName?: string | null,
): DocumentWeight {
  const fragments = new Map<string, FragmentDefinitionNode>();
  const operations: OperationDefinitionNode[] = [];
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
    else if (definition.kind === Kind.OPERATION_DEFINITION) operations.push(definition);
  }
  const total: DocumentWeight = { dependsOnVariables: false, cost: 0, bytes: 0 };
  for (const operation of operations) {
    if (operationName != null && operation.name?.value !== operationName) continue;
    const { dependsOnVariables, cost, bytes } = weighOperation(schema, fragments, operation, given);
    total.dependsOnVariables ||= dependsOnVariables;
    total.cost = Math.max(total.cost, cost);
    total.bytes = Math.max(total.bytes, bytes);
  }
  return total;
}

function weighOperation(
  schema: GraphQLSchema,
  fragments: Scale['fragments'],
  operation: OperationDefinitionNode,
  given: Variables | undefined,
): DocumentWeight {
  const defaults = new Map<string, ValueNode>();
  for (const { variable, defaultValue } of operation.variableDefinitions ?? [])
    if (defaultValue !== undefined) defaults.set(variable.name.value, defaultValue);
  const scale: Scale = {
    schema,
    fragments,
    weighed: new Map(),
    given,
    defaults,
    dependsOnVariables: false,
  };
  const root = schema.getRootType(operation.operation) ?? undefined;
  const { depth, cost, bytes } = weighSelections(scale, operation.selectionSet, root);
  const limits = documentLimits;
  if (depth > limits.depth) throw tooComplex(`The document is deeper than ${limits.depth} fields.`);
  if (cost > limits.cost)
    throw tooComplex(
      `The document may bring back ${Math.round(cost).toLocaleString('en')} objects, more than ${limits.cost.toLocaleString('en')}. Ask for smaller pages.`,
    );
  if (bytes > maxBytes)
    throw tooComplex(
      `The document may bring back ${Math.round(bytes / 2 ** 20).toLocaleString('en')} MiB, more than ${maxBytes / 2 ** 20}. Ask for smaller pages or fewer long texts.`,
    );
  return { dependsOnVariables: scale.dependsOnVariables, cost, bytes };
}

function weighSelections(
  scale: Scale,
  { selections }: SelectionSetNode,
  parent: GraphQLNamedType | undefined,
): Weight {
  const names = new Map<string, number>();
  const sum = { depth: 0, cost: 0, bytes: 0, names };
  for (const selection of selections) {
    const weight = weighSelection(scale, selection, parent);
    sum.depth = Math.max(sum.depth, weight.depth);
    sum.cost += weight.cost;
    sum.bytes += weight.bytes;
    const added: Iterable<readonly [string, number]> =
      selection.kind === Kind.FIELD ? [[selection.alias?.value ?? selection.name.value, 1]] : weight.names;
    for (const [name, count] of added) {
      const together = (names.get(name) ?? 0) + count;
      if (together > documentLimits.repeats)
        throw tooMany('fields of one name side by side', documentLimits.repeats);
      names.set(name, together);
    }
  }
  return sum;
}

function weighSelection(
  scale: Scale,
  selection: SelectionNode,
  parent: GraphQLNamedType | undefined,
): Weight {
  if (selection.kind === Kind.FIELD) return weighField(scale, selection, parent);
  if (selection.kind === Kind.FRAGMENT_SPREAD) return weighFragment(scale, selection.name.value);
  const type = typeNamed(scale, selection.typeCondition?.name.value) ?? parent;
  return weighSelections(scale, selection.selectionSet, type);
}

function weighField(scale: Scale, node: FieldNode, parent: GraphQLNamedType | undefined): Weight {
  const name = node.name.value;
  const value = { ...nothing, depth: 1, cost: valueCost, bytes: 100 };
  // Introspection has a rule of its own on its depth, and reads nothing.
  if (name.startsWith('__') || !(isObjectType(parent) || isInterfaceType(parent))) return value;
  const field = parent.getFields()[name];
  if (field === undefined) return value;
  const type = getNamedType(field.type);
  const own = weightOf(field, type.name);
  if (node.selectionSet === undefined) {
    const cost = Math.max(valueCost, own.bytes / objectBytes);
    return { ...value, cost, bytes: own.bytes + (node.alias ?? node.name).value.length + 4 };
  }
  const inner = weighSelections(scale, node.selectionSet, isCompositeType(type) ? type : undefined);
  const times = timesOf(scale, node, field, parent, own.entries);
  return {
    depth: inner.depth + 1,
    cost: 1 + times * inner.cost,
    bytes: 100 + times * inner.bytes,
    names: nothing.names,
  };
}

/** Upper bound of the objects that a field returns: for a page the number that it requests; the lists of a connection are the page's. */
function timesOf(
  scale: Scale,
  node: FieldNode,
  field: GraphQLField<unknown, unknown>,
  parent: GraphQLNamedType,
  entries: number,
): number {
  if (field.args.some((arg) => arg.name === 'first')) return pageSize(scale, node);
  if (!isListType(getNullableType(field.type)) || parent.name.endsWith('Connection')) return 1;
  return entries;
}

function pageSize(scale: Scale, node: FieldNode): number {
  let size: number | undefined;
  for (const { name, value } of node.arguments ?? []) {
    if (name.value !== 'first' && name.value !== 'last') continue;
    const given = numberOf(scale, value);
    if (given !== undefined) size = Math.max(size ?? 1, Math.min(given, maxPageSize));
  }
  return size ?? defaultPageSize;
}

/** The number that an argument has in this call: a literal, a variable that is given, or its default. */
function numberOf(scale: Scale, node: ValueNode): number | undefined {
  let value: unknown = node;
  if (node.kind === Kind.VARIABLE) {
    const name = node.name.value;
    scale.dependsOnVariables = true;
    if (scale.given === undefined) return 1;
    // A variable that is null is no page size; one that is undefined is absent.
    value = scale.given[name] === undefined ? scale.defaults.get(name) : scale.given[name];
  }
  if (typeof value === 'number') return value;
  const literal = value as ValueNode | undefined | null;
  return literal?.kind === Kind.INT ? Number(literal.value) : undefined;
}

function weighFragment(scale: Scale, name: string): Weight {
  const cached = scale.weighed.get(name);
  if (cached !== undefined) return cached;
  scale.weighed.set(name, nothing); // a cycle is refused by a rule of its own
  const fragment = scale.fragments.get(name);
  const weight =
    fragment === undefined
      ? nothing
      : weighSelections(scale, fragment.selectionSet, typeNamed(scale, fragment.typeCondition.name.value));
  scale.weighed.set(name, weight);
  return weight;
}

function typeNamed({ schema }: Scale, name: string | undefined): GraphQLNamedType | undefined {
  return name === undefined ? undefined : schema.getType(name);
}
