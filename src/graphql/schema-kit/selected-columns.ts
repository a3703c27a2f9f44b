// Finds the columns that an operation selects, so that lists need not fetch the rest.
import {
  type FieldNode,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  getNamedType,
  isAbstractType,
  isObjectType,
  Kind,
  type SelectionNode,
} from 'graphql';
import type { Columns, Wanted } from '../../infra/postgres/sql.js';
import { propertyOf } from '../execution/plan.js';

/** Put into `extensions` of a field whose resolver looks at these columns of its row and no others. */
export interface ReadsColumns {
  columns: readonly string[];
}

/** By the nodes of a field: plans hand out the same list every time. */
const known = new WeakMap<readonly FieldNode[], { columns: Columns }>();

/**
 * Columns that the answer needs of the row, or of each row of the page, that a field gives. A field that shows a
 * property needs that one; one with a resolver needs what its `extensions.columns` say, and everything without them.
 * @returns undefined for all columns
 */
export function columnsFor({ fieldNodes, returnType, schema, fragments }: GraphQLResolveInfo): Columns {
  const before = known.get(fieldNodes);
  if (before !== undefined) return before.columns;
  const found = new Set<string>();

  /** @returns whether the columns are known */
  function takeAll(type: GraphQLObjectType, nodes: readonly FieldNode[]): boolean {
    return nodes.every(({ selectionSet }) =>
      (selectionSet?.selections ?? []).every((selection) => take(type, selection)),
    );
  }

  function take(type: GraphQLObjectType, selection: SelectionNode): boolean {
    if (selection.kind !== Kind.FIELD) {
      const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments[selection.name.value];
      const condition = fragment?.typeCondition?.name.value;
      if (fragment === undefined || (condition !== undefined && !applies(type, condition))) return true;
      return fragment.selectionSet.selections.every((inner) => take(type, inner));
    }
    const field = type.getFields()[selection.name.value];
    if (field === undefined) return true; // __typename
    const inner = getNamedType(field.type);
    // A list's own parts: the rows are below them.
    if (isObjectType(inner) && isPart(type, field.name)) return takeAll(inner, [selection]);
    const property = propertyOf(field);
    const { columns } = field.extensions as Partial<ReadsColumns>;
    if (property === undefined && columns === undefined) return false;
    for (const column of columns ?? [property as string]) found.add(column);
    return true;
  }

  function applies(type: GraphQLObjectType, condition: string): boolean {
    const named = schema.getType(condition);
    return named === type || (isAbstractType(named) && schema.isSubType(named, type));
  }

  const type = getNamedType(returnType);
  const isKnown = isObjectType(type) && takeAll(type, fieldNodes);
  const columns = isKnown ? [...found].sort() : undefined;
  known.set(fieldNodes, { columns });
  return columns;
}

/** By the nodes of a field, as {@link known}. */
const wanted = new WeakMap<readonly FieldNode[], Wanted>();

/** The parts of a page that the answer shows. */
export function wantedOf(info: GraphQLResolveInfo): Wanted {
  const before = wanted.get(info.fieldNodes);
  if (before !== undefined) return before;
  const shown = new Set(info.fieldNodes.flatMap((node) => fieldsOf(node.selectionSet?.selections, info)));
  const total = shown.delete('totalCount');
  const found = { columns: columnsFor(info), total, hasRows: !total || shown.size > 0 };
  wanted.set(info.fieldNodes, found);
  return found;
}

/** Names of the fields that selections show, also through fragments; without `__typename`. */
function fieldsOf(selections: readonly SelectionNode[] = [], info: GraphQLResolveInfo): string[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD)
      return selection.name.value === '__typename' ? [] : [selection.name.value];
    const fragment =
      selection.kind === Kind.INLINE_FRAGMENT ? selection : info.fragments[selection.name.value];
    return fieldsOf(fragment?.selectionSet.selections, info);
  });
}

/** Fields of connections and edges that lead to the rows. */
function isPart({ name }: GraphQLObjectType, field: string): boolean {
  return (
    (name.endsWith('Connection') && (field === 'nodes' || field === 'edges')) ||
    (name.endsWith('Edge') && field === 'node')
  );
}
