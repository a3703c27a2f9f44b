// The execution's GraphQL type by name alone, so that types which point to each other can do so.
import { builder } from '../../graphql/schema-kit/builder.js';
import type { ExecutionRow } from './execution.reads.js';

export const ExecutionType = builder.objectRef<ExecutionRow>('TestExecution');
