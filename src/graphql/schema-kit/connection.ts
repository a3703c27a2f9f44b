// Relay connections over the services' pages: edges, nodes, pageInfo and a count that is only made when asked for.
import type { ArgBuilder, ObjectRef, OutputRef, SchemaTypes } from '@pothos/core';
import type { z } from 'zod';
import type { Page } from '../../core/pagination.js';
import { builder } from './builder.js';
import type { ReadsColumns } from './selected-columns.js';
import { filterArg } from './zod-inputs.js';

type Types = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer T> ? T : SchemaTypes;

/** Cursors need no column but the keys, which each row has. */
const fromKeys = { columns: [] } satisfies ReadsColumns;

/**
 * The types `<name>Connection` and `<name>Edge` for pages of a node type.
 * @param plural what the nodes are called in descriptions
 */
export function connectionType<Row>(
  name: string,
  node: OutputRef<Row>,
  plural: string,
): ObjectRef<Types, Page<Row>, Page<Row>> {
  const edge = builder.objectRef<{ page: Page<Row>; row: Row }>(`${name}Edge`).implement({
    description: `An entry of a list of ${plural}.`,
    fields: (t) => ({
      cursor: t.string({
        description: 'Cursor of the entry.',
        extensions: fromKeys,
        resolve: ({ page, row }) => page.cursorOf(row),
      }),
      // A row may be of any type, so Pothos' type asks whether it is a list.
      node: t.field({ type: node, description: 'The entry itself.', resolve: ({ row }) => row as never }),
    }),
  });
  return builder.objectRef<Page<Row>>(`${name}Connection`).implement({
    description: `A page of ${plural} (Relay cursor connection).`,
    fields: (t) => ({
      edges: t.field({
        type: [edge],
        description: 'The entries with their cursors.',
        resolve: (page) => page.rows.map((row) => ({ page, row })),
      }),
      nodes: t.field({
        type: [node],
        description: 'The entries without cursors.',
        resolve: (page) => page.rows,
      }),
      pageInfo: t.field({
        type: builder.pageInfoRef(),
        description: 'Position of the page in the list.',
        extensions: fromKeys,
        resolve: ({ rows, cursorOf, hasNextPage, hasPreviousPage }) => {
          const [first, last] = [rows[0], rows.at(-1)];
          return {
            hasNextPage,
            hasPreviousPage,
            startCursor: first === undefined ? null : cursorOf(first),
            endCursor: last === undefined ? null : cursorOf(last),
          };
        },
      }),
      totalCount: t.int({
        description: 'Number of all entries; counted only when it is selected.',
        extensions: fromKeys,
        resolve: (page) => page.totalCount(),
      }),
    }),
  });
}

/** Relay's page arguments, 1 to 100 entries, 20 when nothing is said. */
export function pageArgs(arg: ArgBuilder<Types>) {
  return {
    first: arg.int({
      description: 'How many entries from the start (or after `after`): 1 to 100, default 20.',
    }),
    after: arg.string({ description: 'Cursor: only entries after it.' }),
    last: arg.int({ description: 'How many entries from the end (or before `before`): 1 to 100.' }),
    before: arg.string({ description: 'Cursor: only entries before it.' }),
  };
}

/** Arguments of a list with a filter and an order: `<name>Filter` and `<name>Order`. */
export function listArgs<Filter extends z.ZodObject, Order extends z.ZodObject>(
  arg: ArgBuilder<Types>,
  name: string,
  filter: Filter,
  order: Order,
) {
  return {
    ...pageArgs(arg),
    filter: filterArg(arg, `${name}Filter`, filter),
    orderBy: filterArg(arg, `${name}Order`, order),
  };
}
