// Executions in GraphQL: types and root fields.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType, pageArgs } from '../../graphql/schema-kit/connection.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { columnsFor, type ReadsColumns, wantedOf } from '../../graphql/schema-kit/selected-columns.js';
import { enumType, filterArg, inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { countBySeverity, counters } from '../result/counts.js';
import { resultFilter } from '../result/result.input.js';
import { ResultConnection } from '../result/result.schema.js';

import { DeletePayload, UserType } from '../user/user.schema.js';
import {
  claimExecutionInput,
  createExecutionInput,
  errorMessage,
  executionFilter,
  executionOrder,
  executionStatus,
  reportProgressInput,
  testKind,
} from './execution.input.js';
import type { ExecutionRow } from './execution.reads.js';
import { ExecutionType } from './execution.ref.js';

const SeverityCounts = builder.objectRef<ExecutionRow>('SeverityCounts').implement({
  description: 'How many results there are of each severity.',
  fields: (t) => ({
    info: t.exposeInt('infoCount', { description: 'INFO results.' }),
    low: t.exposeInt('lowCount', { description: 'LOW results.' }),
    medium: t.exposeInt('mediumCount', { description: 'MEDIUM results.' }),
    high: t.exposeInt('highCount', { description: 'HIGH results.' }),
    critical: t.exposeInt('criticalCount', { description: 'CRITICAL results.' }),
    total: t.int({ description: 'All results.', resolve: (execution) => countBySeverity(execution) }),
  }),
});

ExecutionType.implement({
  description: 'One run of a test module against a target.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description: 'Id of the execution.',
      extensions: { columns: ['id'] } satisfies ReadsColumns,
      resolve: ({ id }) => toPublicId('TestExecution', id),
    }),
    name: t.exposeString('name', { description: 'What it is called.' }),
    target: t.exposeString('target', {
      description: 'What is tested: a URL, a repository, an image, a host.',
    }),
    kind: t.expose('kind', { type: enumType(testKind), description: 'What kind of test it is.' }),
    status: t.expose('status', { type: enumType(executionStatus), description: 'Where it stands.' }),
    progress: t.exposeInt('progress', { description: 'Per cent done, 0 to 100; never goes back.' }),
    phase: t.exposeString('phase', { nullable: true, description: 'What it is doing now.' }),
    parameters: t.expose('parameters', { type: 'JSON', description: 'Settings for the runner.' }),
    tool: t.exposeString('tool', { nullable: true, description: 'The tool that runs.' }),
    toolVersion: t.exposeString('toolVersion', { nullable: true, description: 'Its version.' }),
    branch: t.exposeString('branch', { nullable: true, description: 'The branch that is tested.' }),
    commitSha: t.exposeString('commitSha', { nullable: true, description: 'The commit that is tested.' }),
    errorMessage: t.exposeString('errorMessage', { nullable: true, description: 'Why it failed.' }),
    severityCounts: t.field({
      type: SeverityCounts,
      description: 'How many results of each severity; exact, and free of cost.',
      extensions: { columns: counters } satisfies ReadsColumns,
      resolve: (execution) => execution,
    }),
    createdBy: t.field({
      type: UserType,
      nullable: true,
      description: 'Who created it; null once that user is deleted.',
      extensions: { columns: ['createdById'] } satisfies ReadsColumns,
      resolve: ({ createdById }, _args, { services, loaders }) =>
        createdById === null ? null : (services.users.recall(createdById) ?? loaders.users.load(createdById)),
    }),
    rerunOf: t.field({
      type: ExecutionType,
      nullable: true,
      description: 'The execution that this one repeats.',
      extensions: { columns: ['rerunOfId'] } satisfies ReadsColumns,
      resolve: ({ rerunOfId }, _args, { loaders }) =>
        rerunOfId === null ? null : loaders.executions.load(rerunOfId),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it began to run.',
    }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended.' }),
    results: t.field({
      type: ResultConnection,
      authScopes: { can: 'result:read' },
      description: 'Its results, newest first.',
      args: { ...pageArgs(t.arg), filter: filterArg(t.arg, 'ResultFilter', resultFilter) },
      extensions: { columns: ['id', ...counters] } satisfies ReadsColumns,
      resolve: (execution, args, { loaders }, info) =>
        loaders.resultPages.load({ execution, args, columns: columnsFor(info) }),
    }),
  }),
});

const ExecutionConnection = connectionType('Execution', ExecutionType, 'executions');

const ExecutionPayload = builder.objectRef<{ execution: ExecutionRow }>('ExecutionPayload').implement({
  description: 'An execution after a change.',
  fields: (t) => ({
    execution: t.field({
      type: ExecutionType,
      description: 'The execution.',
      resolve: ({ execution }) => execution,
    }),
  }),
});

const ClaimPayload = builder.objectRef<{ execution: ExecutionRow | null }>('ClaimPayload').implement({
  description: 'What a runner got.',
  fields: (t) => ({
    execution: t.field({
      type: ExecutionType,
      nullable: true,
      description: 'The execution to run; null when nothing waits.',
      resolve: ({ execution }) => execution,
    }),
  }),
});

builder.queryFields((t) => ({
  execution: t.field({
    type: ExecutionType,
    nullable: true,
    authScopes: { can: 'execution:read' },
    description: 'One execution. Error NOT_FOUND when there is none.',
    args: { id: simpleArg(t.arg, idOf('TestExecution'), 'Id of the execution.') },
    resolve: (_root, { id }, context, info) =>
      context.services.executions.get(viewerOf(context), id, columnsFor(info)),
  }),
  executions: t.field({
    type: ExecutionConnection,
    authScopes: { can: 'execution:read' },
    description: 'Executions, newest first unless ordered otherwise.',
    args: {
      ...pageArgs(t.arg),
      filter: filterArg(t.arg, 'ExecutionFilter', executionFilter),
      orderBy: filterArg(t.arg, 'ExecutionOrder', executionOrder),
    },
    resolve: (_root, { filter, orderBy, ...page }, context, info) =>
      context.services.executions.list(viewerOf(context), filter ?? {}, orderBy, page, wantedOf(info)),
  }),
}));

const idArg = idOf('TestExecution');
const idText = 'Id of the execution.';

builder.mutationFields((t) => ({
  createExecution: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:create' },
    description: 'Makes an execution that waits for a runner.',
    args: { input: inputArg(t.arg, 'CreateExecutionInput', createExecutionInput) },
    resolve: async (_root, { input }, context) => ({
      execution: await context.services.executions.create(viewerOf(context), input),
    }),
  }),
  claimExecution: t.field({
    type: ClaimPayload,
    authScopes: { can: 'execution:run' },
    description:
      'Hands the oldest waiting execution of these kinds to the caller alone and starts it under a lease, which ' +
      'reportProgress and addResults renew. When the lease runs out the run is INTERRUPTED.',
    args: { input: inputArg(t.arg, 'ClaimExecutionInput', claimExecutionInput) },
    resolve: async (_root, { input }, context) => ({
      execution: await context.services.runners.claim(viewerOf(context), input),
    }),
  }),
  startExecution: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:run' },
    description: 'QUEUED → RUNNING, by hand and without a lease.',
    args: { id: simpleArg(t.arg, idArg, idText) },
    resolve: async (_root, { id }, context) => ({
      execution: await context.services.executions.start(viewerOf(context), id),
    }),
  }),
  reportProgress: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:run' },
    description:
      'Raises the progress and sets the phase; the answer tells whether cancellation was asked for.',
    args: { input: inputArg(t.arg, 'ReportProgressInput', reportProgressInput) },
    resolve: async (_root, { input }, context) => ({
      execution: await context.services.executions.reportProgress(viewerOf(context), input),
    }),
  }),
  completeExecution: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:run' },
    description: 'Ends a run that went well.',
    args: { id: simpleArg(t.arg, idArg, idText) },
    resolve: async (_root, { id }, context) => ({
      execution: await context.services.executions.complete(viewerOf(context), id),
    }),
  }),
  failExecution: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:run' },
    description: 'Ends an unfinished execution with an error.',
    args: { id: simpleArg(t.arg, idArg, idText), errorMessage: simpleArg(t.arg, errorMessage) },
    resolve: async (_root, args, context) => ({
      execution: await context.services.executions.fail(viewerOf(context), args.id, args.errorMessage),
    }),
  }),
  cancelExecution: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:run' },
    description:
      'Calls an execution off: a waiting one at once, a running one by asking its runner (CANCEL_REQUESTED). ' +
      'Calling it again, as the runner does to acknowledge, makes it CANCELLED.',
    args: { id: simpleArg(t.arg, idArg, idText) },
    resolve: async (_root, { id }, context) => ({
      execution: await context.services.executions.cancel(viewerOf(context), id),
    }),
  }),
  rerunExecution: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:create' },
    description: 'Makes a new execution with the settings of another.',
    args: { id: simpleArg(t.arg, idArg, 'Id of the execution to repeat.') },
    resolve: async (_root, { id }, context) => ({
      execution: await context.services.executions.rerun(viewerOf(context), id),
    }),
  }),
  deleteExecution: t.field({
    type: DeletePayload,
    authScopes: { can: 'execution:delete' },
    description: 'Deletes an execution with its results.',
    args: { id: simpleArg(t.arg, idArg, idText) },
    resolve: async (_root, { id }, context) => {
      await context.services.executions.remove(viewerOf(context), id);
      return { deletedId: toPublicId('TestExecution', id) };
    },
  }),
}));
