// The life of a finding in GraphQL: decisions of people, and the presence that runs report.
import { builder } from '../../../graphql/schema-kit/builder.js';
import { pageArgs } from '../../../graphql/schema-kit/connection.js';
import { textOrNull, time, timeOrNull } from '../../../graphql/schema-kit/field-options.js';
import { columnsFor, type ReadsColumns } from '../../../graphql/schema-kit/selected-columns.js';
import { enumType, optionalArg } from '../../../graphql/schema-kit/zod-inputs.js';
import { line } from '../../../validation/fields.js';
import { executionOrNull } from '../../execution/execution.ref.js';
import { ResultConnection } from '../../result/result.schema.js';
import { userOrNull } from '../../user/user.schema.js';
import type { FindingBranchRow } from '../finding.details.js';
import { presence, triageState } from '../finding.input.js';
import { FindingType } from '../finding.ref.js';
import { TriageEventType } from './triage-event.schema.js';

const presenceName = (isPresent: boolean) => (isPresent ? ('PRESENT' as const) : ('ABSENT' as const));
const presenceOn = (branches: readonly FindingBranchRow[], branch: string) =>
  presenceName(branches.some(({ name, isPresent }) => name === branch && isPresent));

const FindingBranch = builder.objectRef<FindingBranchRow>('FindingBranch').implement({
  description: 'What the runs of one branch saw of a finding.',
  fields: (t) => ({
    branch: t.string({
      nullable: true,
      description: 'Branch; null for executions that name none.',
      resolve: ({ name }) => (name === '' ? null : name),
    }),
    presence: t.field({
      type: enumType(presence),
      description: 'Whether its last complete run saw the finding.',
      resolve: ({ isPresent }) => presenceName(isPresent),
    }),
    firstSeenAt: t.expose('firstSeenAt', time('Time of the first run that saw it.')),
    lastSeenAt: t.expose('lastSeenAt', time('Time of the last run that saw it.')),
  }),
});

builder.objectFields(FindingType, (t) => ({
  triage: t.expose('triage', { type: enumType(triageState), description: 'Decision.' }),
  triageReason: t.exposeString('triageReason', textOrNull(2000, 'Reason of the decision.')),
  triageComment: t.exposeString('triageComment', textOrNull(20_000, 'Comment on the decision.')),
  acceptedUntil: t.expose('acceptedUntil', timeOrNull('End of a RISK_ACCEPTED; the finding opens then.')),
  assignee: t.field(userOrNull('assigneeId', 'The assigned user.')),
  dueAt: t.expose(
    'dueAt',
    timeOrNull('Due date, from the project’s limits by severity; null when there is none.'),
  ),
}));

builder.objectFields(FindingType, (t) => ({
  presence: t.field({
    type: enumType(presence),
    description:
      'Whether the last complete run on a branch saw it; on the default branch where none is given.',
    args: { branch: optionalArg(t.arg, line(1, 255).nullish(), 'Branch.') },
    extensions: { columns: ['id', 'isPresent'] } satisfies ReadsColumns,
    resolve: ({ id, isPresent }, { branch }, { loaders }) =>
      branch == null
        ? presenceName(isPresent)
        : loaders.findingBranches.load(id).then((all) => presenceOn(all, branch)),
  }),
  branches: t.field({
    type: [FindingBranch],
    description: 'Branches whose runs have seen it, by name.',
    extensions: { columns: ['id'] } satisfies ReadsColumns,
    resolve: ({ id }, _args, { loaders }) => loaders.findingBranches.load(id),
  }),
  firstSeenAt: t.expose('firstSeenAt', time('Time of the first run that saw it.')),
  lastSeenAt: t.expose('lastSeenAt', time('Time of the last run that saw it.')),
  firstSeenIn: t.field(
    executionOrNull('firstSeenInId', 'The first execution that saw it; null once it is deleted.'),
  ),
  lastSeenIn: t.field(
    executionOrNull('lastSeenInId', 'The last execution that saw it; null once it is deleted.'),
  ),
  occurrences: t.field({
    type: ResultConnection,
    authScopes: { can: 'result:read' },
    description: 'Its results, newest first. A result that later runs repeat unchanged is there once.',
    args: pageArgs(t.arg),
    extensions: { columns: ['id'] } satisfies ReadsColumns,
    resolve: ({ id }, args, { loaders }, info) =>
      loaders.occurrencePages.load({ findingId: id, args, columns: columnsFor(info) }),
  }),
  history: t.field({
    type: [TriageEventType],
    description: 'Decisions, newest first, at most 100.',
    extensions: { columns: ['id'] } satisfies ReadsColumns,
    resolve: ({ id }, _args, { loaders }) => loaders.findingHistories.load(id),
  }),
}));
