// Declares the GraphQL type of executions by name, so that types can refer to each other, and the fields that do.
import { builder } from '../../graphql/schema-kit/builder.js';
import type { GraphQLContext } from '../../graphql/schema-kit/context.js';
import type { ReadsColumns } from '../../graphql/schema-kit/selected-columns.js';
import { countBySeverity, type counters } from '../result/counts.js';
import type { ExecutionRow } from './execution.rows.js';

/** The type; execution.schema.ts implements it. */
export const ExecutionType = builder.objectRef<ExecutionRow>('TestExecution');

type Counts = Pick<ExecutionRow, (typeof counters)[number]>;

export const SeverityCounts = builder.objectRef<Counts>('SeverityCounts').implement({
  description: 'Number of results by severity.',
  fields: (t) => ({
    info: t.exposeInt('infoCount', { description: 'Results of severity INFO.' }),
    low: t.exposeInt('lowCount', { description: 'Results of severity LOW.' }),
    medium: t.exposeInt('mediumCount', { description: 'Results of severity MEDIUM.' }),
    high: t.exposeInt('highCount', { description: 'Results of severity HIGH.' }),
    critical: t.exposeInt('criticalCount', { description: 'Results of severity CRITICAL.' }),
    total: t.int({ description: 'All results.', resolve: (counted) => countBySeverity(counted) }),
  }),
});

const access = { type: ExecutionType, authScopes: { can: 'execution:read' } } as const;
type Context = Pick<GraphQLContext, 'loaders'>;

/** The field `execution` of rows that belong to one. */
export function executionField(description: string) {
  return {
    ...access,
    description,
    extensions: { columns: ['executionId'] } satisfies ReadsColumns,
    resolve: async ({ executionId }: { executionId: string }, _args: object, { loaders }: Context) =>
      (await loaders.executions.load(executionId)) as ExecutionRow,
  };
}

/** A field that shows the execution whose id the column has, if any. */
export function executionOrNull<Column extends string>(column: Column, description: string) {
  return {
    ...access,
    nullable: true as const,
    description,
    extensions: { columns: [column] } satisfies ReadsColumns,
    resolve: ({ [column]: id }: Record<Column, string | null>, _args: object, { loaders }: Context) =>
      id === null ? null : loaders.executions.load(id),
  };
}
