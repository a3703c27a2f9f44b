// Executions in GraphQL: types and queries. Mutations are in execution-mutations.schema.ts.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType, listArgs, pageArgs } from '../../graphql/schema-kit/connection.js';
import { orNull, text, textOrNull, time, timeOrNull } from '../../graphql/schema-kit/field-options.js';
import { query } from '../../graphql/schema-kit/root-fields.js';
import { columnsFor, type ReadsColumns, wantedOf } from '../../graphql/schema-kit/selected-columns.js';
import { enumType, filterArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { projectField } from '../project/project.ref.js';
import { counters } from '../result/counts.js';
import { resultFilter } from '../result/result.input.js';
import { ResultConnection } from '../result/result.schema.js';
import { sharing } from '../result/shared.reads.js';

import { userOrNull } from '../user/user.schema.js';
import { executionFilter, executionOrder, executionStatus, testKind } from './execution.input.js';
import { ExecutionType, executionOrNull, SeverityCounts } from './execution.ref.js';
import type { ExecutionRow } from './execution.rows.js';

ExecutionType.implement({
  description: 'One run of a test module against a target.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description: 'Id of the execution.',
      extensions: { columns: ['id'] } satisfies ReadsColumns,
      resolve: ({ id }) => toPublicId('TestExecution', id),
    }),
    name: t.exposeString('name', { description: 'Name.' }),
    target: t.exposeString('target', text(2000, 'Tested URL, repository, image or host.')),
    kind: t.expose('kind', { type: enumType(testKind), description: 'Kind of test.' }),
    status: t.expose('status', { type: enumType(executionStatus), description: 'State.' }),
    progress: t.exposeInt('progress', { description: 'Progress in per cent, 0 to 100; it never decreases.' }),
    phase: t.exposeString('phase', orNull('Current phase.')),
    parameters: t.expose('parameters', { type: 'JSON', description: 'Settings for the runner.' }),
    category: t.exposeString('category', orNull('Distinguishes runs of the same tool on the same target.')),
    tool: t.exposeString('tool', orNull('Tool.')),
    toolVersion: t.exposeString('toolVersion', orNull('Version of the tool.')),
    branch: t.exposeString('branch', orNull('Tested branch.')),
    commitSha: t.exposeString('commitSha', orNull('Tested commit.')),
    errorMessage: t.exposeString('errorMessage', textOrNull(10_000, 'Reason of the failure.')),
    severityCounts: t.field({
      type: SeverityCounts,
      description: 'Number of results by severity: exact, and read without counting.',
      extensions: { columns: counters } satisfies ReadsColumns,
      resolve: (execution) => execution,
    }),
    heldAt: t.expose(
      'heldAt',
      timeOrNull(
        'Time at which it was put under a legal hold. Until an admin releases it, neither users nor retention can delete it.',
      ),
    ),
    holdReason: t.exposeString('holdReason', textOrNull(1000, 'Reason of the legal hold.')),
    createdAt: t.expose('createdAt', time('Time of creation.')),
    startedAt: t.expose('startedAt', timeOrNull('Time at which it started.')),
    finishedAt: t.expose('finishedAt', timeOrNull('Time at which it finished.')),
  }),
});

/** Its edges. */
builder.objectFields(ExecutionType, (t) => ({
  project: t.field(projectField('The project that it belongs to.')),
  createdBy: t.field(userOrNull('createdById', 'Creator; null once that user is deleted.')),
  rerunOf: t.field(executionOrNull('rerunOfId', 'The execution that this one repeats.')),
  results: t.field({
    type: ResultConnection,
    authScopes: { can: 'result:read' },
    description: 'Results, newest first.',
    args: { ...pageArgs(t.arg), filter: filterArg(t.arg, 'ResultFilter', resultFilter) },
    extensions: { columns: ['id', ...counters, ...sharing] } satisfies ReadsColumns,
    resolve: (execution, args, { loaders }, info) =>
      loaders.resultPages.load({ execution, args, columns: columnsFor(info) }),
  }),
}));

const ExecutionConnection = connectionType('Execution', ExecutionType, 'executions');

/** Payload of mutations that change one execution. */
export const ExecutionPayload = builder.objectRef<ExecutionRow>('ExecutionPayload').implement({
  description: 'An execution after a change.',
  fields: (t) => ({
    execution: t.field({
      type: ExecutionType,
      description: 'The execution.',
      resolve: (execution) => execution,
    }),
  }),
});

/** Payload of claimExecution. */
export const ClaimPayload = builder.objectRef<{ execution: ExecutionRow | null }>('ClaimPayload').implement({
  description: 'Outcome of a claim.',
  fields: (t) => ({
    execution: t.field({
      type: ExecutionType,
      nullable: true,
      description: 'The claimed execution; null when none waits.',
      resolve: ({ execution }) => execution,
    }),
  }),
});

query('execution', ExecutionType, 'execution:read', {
  nullable: true,
  description: 'One execution. Error NOT_FOUND when it does not exist.',
  args: (arg) => ({ id: simpleArg(arg, idOf('TestExecution'), 'Id of the execution.') }),
  run: ({ executions }, viewer, { id }, info) => executions.get(viewer, id, columnsFor(info)),
});

query('executions', ExecutionConnection, 'execution:read', {
  description: 'Executions, newest first by default.',
  args: (arg) => listArgs(arg, 'Execution', executionFilter, executionOrder),
  run: ({ executions }, viewer, { filter, orderBy, ...page }, info) =>
    executions.list(viewer, filter ?? {}, orderBy, page, wantedOf(info)),
});
