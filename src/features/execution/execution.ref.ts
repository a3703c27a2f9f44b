// Declares the GraphQL type of executions by name, so that types can refer to each other.
import { builder } from '../../graphql/schema-kit/builder.js';
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
