// Executions in GraphQL: types and queries. Mutations are in execution-mutations.schema.ts.
import { AppError } from '../../core/errors.js';
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType, pageArgs } from '../../graphql/schema-kit/connection.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { columnsFor, type ReadsColumns, wantedOf } from '../../graphql/schema-kit/selected-columns.js';
import { enumType, filterArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { ProjectType } from '../project/project.ref.js';
import { counters } from '../result/counts.js';
import { resultFilter } from '../result/result.input.js';
import { ResultConnection } from '../result/result.schema.js';
import { sharing } from '../result/shared.reads.js';

import { UserType } from '../user/user.schema.js';
import { executionFilter, executionOrder, executionStatus, testKind } from './execution.input.js';
import { ExecutionType, SeverityCounts } from './execution.ref.js';
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
    target: t.exposeString('target', {
      extensions: { weight: { bytes: 2000 } },
      description: 'Tested URL, repository, image or host.',
    }),
    kind: t.expose('kind', { type: enumType(testKind), description: 'Kind of test.' }),
    status: t.expose('status', { type: enumType(executionStatus), description: 'State.' }),
    progress: t.exposeInt('progress', { description: 'Progress in per cent, 0 to 100; it never decreases.' }),
    phase: t.exposeString('phase', { nullable: true, description: 'Current phase.' }),
    parameters: t.expose('parameters', { type: 'JSON', description: 'Settings for the runner.' }),
    category: t.exposeString('category', {
      nullable: true,
      description: 'Distinguishes runs of the same tool on the same target.',
    }),
    tool: t.exposeString('tool', { nullable: true, description: 'Tool.' }),
    toolVersion: t.exposeString('toolVersion', { nullable: true, description: 'Version of the tool.' }),
    branch: t.exposeString('branch', { nullable: true, description: 'Tested branch.' }),
    commitSha: t.exposeString('commitSha', { nullable: true, description: 'Tested commit.' }),
    errorMessage: t.exposeString('errorMessage', {
      extensions: { weight: { bytes: 10_000 } },
      nullable: true,
      description: 'Reason of the failure.',
    }),
    severityCounts: t.field({
      type: SeverityCounts,
      description: 'Number of results by severity: exact, and read without counting.',
      extensions: { columns: counters } satisfies ReadsColumns,
      resolve: (execution) => execution,
    }),
    heldAt: t.expose('heldAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'Time at which it was put under a legal hold. Until an admin releases it, neither users nor retention can delete it.',
    }),
    holdReason: t.exposeString('holdReason', {
      extensions: { weight: { bytes: 1000 } },
      nullable: true,
      description: 'Reason of the legal hold.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'Time of creation.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Time at which it started.',
    }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Time at which it finished.',
    }),
  }),
});

/** Its edges. */
builder.objectFields(ExecutionType, (t) => ({
  project: t.field({
    type: ProjectType,
    authScopes: { can: 'project:read' },
    description: 'The project that it belongs to.',
    extensions: { columns: ['projectId'] } satisfies ReadsColumns,
    resolve: async ({ projectId }, _args, { loaders }) => {
      const project = await loaders.projects.load(projectId);
      if (project === null) throw new AppError('NOT_FOUND'); // made private in between
      return project;
    },
  }),
  createdBy: t.field({
    type: UserType,
    nullable: true,
    description: 'Creator; null once that user is deleted.',
    extensions: { columns: ['createdById'] } satisfies ReadsColumns,
    resolve: ({ createdById }, _args, { services, loaders }) =>
      createdById === null ? null : (services.users.recall(createdById) ?? loaders.users.load(createdById)),
  }),
  rerunOf: t.field({
    type: ExecutionType,
    authScopes: { can: 'execution:read' },
    nullable: true,
    description: 'The execution that this one repeats.',
    extensions: { columns: ['rerunOfId'] } satisfies ReadsColumns,
    resolve: ({ rerunOfId }, _args, { loaders }) =>
      rerunOfId === null ? null : loaders.executions.load(rerunOfId),
  }),
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
export const ExecutionPayload = builder.objectRef<{ execution: ExecutionRow }>('ExecutionPayload').implement({
  description: 'An execution after a change.',
  fields: (t) => ({
    execution: t.field({
      type: ExecutionType,
      description: 'The execution.',
      resolve: ({ execution }) => execution,
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

builder.queryFields((t) => ({
  execution: t.field({
    type: ExecutionType,
    nullable: true,
    authScopes: { can: 'execution:read' },
    description: 'One execution. Error NOT_FOUND when it does not exist.',
    args: { id: simpleArg(t.arg, idOf('TestExecution'), 'Id of the execution.') },
    resolve: (_root, { id }, context, info) =>
      context.services.executions.get(viewerOf(context), id, columnsFor(info)),
  }),
  executions: t.field({
    type: ExecutionConnection,
    authScopes: { can: 'execution:read' },
    description: 'Executions, newest first by default.',
    args: {
      ...pageArgs(t.arg),
      filter: filterArg(t.arg, 'ExecutionFilter', executionFilter),
      orderBy: filterArg(t.arg, 'ExecutionOrder', executionOrder),
    },
    resolve: (_root, { filter, orderBy, ...page }, context, info) =>
      context.services.executions.list(viewerOf(context), filter ?? {}, orderBy, page, wantedOf(info)),
  }),
}));
