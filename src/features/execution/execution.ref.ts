// Declares the GraphQL type of executions by name, so that types can refer to each other.
import { builder } from '../../graphql/schema-kit/builder.js';
import type { ExecutionRow } from './execution.rows.js';

/** The type; execution.schema.ts implements it. */
export const ExecutionType = builder.objectRef<ExecutionRow>('TestExecution');
