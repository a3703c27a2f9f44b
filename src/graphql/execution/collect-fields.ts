// The fields that selections take of a type: fragments by their types, and the outcome of @skip and @include.
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  visit,
} from 'graphql';

/** The selections of one entry, which have its name in common. */
export type Nodes = [FieldNode, ...FieldNode[]];

/** There is no plan for it: another executor must run it. */
export const unplanned = Symbol('unplanned');

/** Lists the nodes of an object type by their names in the answer, in the order of the document. */
export type CollectFields = (
  type: GraphQLObjectType,
  sets: readonly SelectionSetNode[],
) => Map<string, Nodes>;

/**
 * Collects fields (GraphQL specification, 6.3.2).
 * @param values of the variables in `@skip` and `@include`
 * @throws unplanned from the function that it returns, for a condition that is no boolean: graphql-js words the error
 */
export function createCollector(
  schema: GraphQLSchema,
  fragments: Record<string, FragmentDefinitionNode>,
  values: Readonly<Record<string, unknown>>,
): CollectFields {
  function applies(fragmentType: string | undefined, type: GraphQLObjectType): boolean {
    if (fragmentType === undefined || fragmentType === type.name) return true;
    const condition = schema.getType(fragmentType);
    return isAbstractType(condition) && schema.isSubType(condition, type);
  }

  return (type, sets) => {
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
  };
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

/** Whether a document has directives other than `@skip` and `@include`. */
export function hasOtherDirectives(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Directive: ({ name }) => {
      if (name.value !== 'skip' && name.value !== 'include') found = true;
    },
  });
  return found;
}

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
