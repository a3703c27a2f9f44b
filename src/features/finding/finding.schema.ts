// Findings in GraphQL: types and queries. Decisions about them are in triage.schema.ts.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType, pageArgs } from '../../graphql/schema-kit/connection.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { columnsFor, type ReadsColumns, wantedOf } from '../../graphql/schema-kit/selected-columns.js';
import { enumType, filterArg, optionalArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf, line } from '../../validation/fields.js';
import { ExecutionType } from '../execution/execution.ref.js';
import { type LocationInput, severities, severity } from '../result/result.input.js';
import { Location, ResultConnection } from '../result/result.schema.js';
import { UserType } from '../user/user.schema.js';
import type { FindingBranchRow } from './finding.details.js';
import { findingFilter, findingOrder, presence, triageState } from './finding.input.js';
import { FindingType } from './finding.ref.js';
import { TriageEventType } from './triage-event.schema.js';

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
      resolve: ({ isPresent }) => (isPresent ? ('PRESENT' as const) : ('ABSENT' as const)),
    }),
    firstSeenAt: t.expose('firstSeenAt', {
      type: 'DateTime',
      description: 'Time of the first run that saw it.',
    }),
    lastSeenAt: t.expose('lastSeenAt', {
      type: 'DateTime',
      description: 'Time of the last run that saw it.',
    }),
  }),
});

const rank = (value: number) => severities[value] as (typeof severities)[number];

FindingType.implement({
  description:
    'A weakness that lives across the executions of one project, target, tool and category. Runs decide about its ' +
    'presence, people about its triage.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description: 'Id of the finding.',
      extensions: { columns: ['id'] } satisfies ReadsColumns,
      resolve: ({ id }) => toPublicId('Finding', id),
    }),
    target: t.exposeString('target', {
      extensions: { weight: { bytes: 2000 } },
      description: 'Tested URL, repository, image or host.',
    }),
    tool: t.exposeString('tool', { nullable: true, description: 'Tool, in lower case.' }),
    category: t.exposeString('category', { nullable: true, description: 'Category of scans of the target.' }),
    ruleId: t.exposeString('ruleId', {
      extensions: { weight: { bytes: 1200 } },
      nullable: true,
      description: 'Rule or check of the tool.',
    }),
    title: t.exposeString('title', {
      extensions: { weight: { bytes: 2000 } },
      description: 'The finding in one line.',
    }),
    description: t.exposeString('description', {
      extensions: { weight: { bytes: 20_000 } },
      nullable: true,
      description: 'What was found, and why it matters.',
    }),
    severity: t.field({
      type: enumType(severity),
      description: 'Severity: the override where there is one, otherwise as reported.',
      extensions: { columns: ['severity'] } satisfies ReadsColumns,
      resolve: (finding) => rank(finding.severity),
    }),
    reportedSeverity: t.field({
      type: enumType(severity),
      description: 'Severity as the newest result reports it.',
      extensions: { columns: ['reportedSeverity'] } satisfies ReadsColumns,
      resolve: (finding) => rank(finding.reportedSeverity),
    }),
    severityOverride: t.field({
      type: enumType(severity),
      nullable: true,
      description: 'Severity that somebody has set in place of the reported one.',
      extensions: { columns: ['severityOverride'] } satisfies ReadsColumns,
      resolve: ({ severityOverride }) => (severityOverride === null ? null : rank(severityOverride)),
    }),
    cweIds: t.exposeIntList('cweIds', { description: 'CWE numbers.' }),
    cveIds: t.exposeStringList('cveIds', {
      extensions: { weight: { bytes: 3000 } },
      description: 'CVE ids.',
    }),
    cvssVector: t.exposeString('cvssVector', {
      extensions: { weight: { bytes: 1600 } },
      nullable: true,
      description: 'CVSS vector, version 2.0 to 4.0.',
    }),
    cvssScore: t.exposeFloat('cvssScore', { nullable: true, description: 'CVSS score, 0.0 to 10.0.' }),
    location: t.field({
      type: Location,
      nullable: true,
      description: 'Where the newest result saw it.',
      extensions: { columns: ['location'] } satisfies ReadsColumns,
      resolve: ({ location }) => location as LocationInput | null,
    }),
    remediation: t.exposeString('remediation', {
      extensions: { weight: { bytes: 20_000 } },
      nullable: true,
      description: 'How to fix it.',
    }),
    references: t.exposeStringList('references', {
      extensions: { weight: { bytes: 400_000 } },
      description: 'Further reading.',
    }),
    tags: t.exposeStringList('tags', {
      extensions: { weight: { bytes: 20_000 } },
      description: 'Free labels.',
    }),
    triage: t.expose('triage', { type: enumType(triageState), description: 'Decision.' }),
    triageReason: t.exposeString('triageReason', {
      extensions: { weight: { bytes: 2000 } },
      nullable: true,
      description: 'Reason of the decision.',
    }),
    triageComment: t.exposeString('triageComment', {
      extensions: { weight: { bytes: 20_000 } },
      nullable: true,
      description: 'Comment on the decision.',
    }),
    acceptedUntil: t.expose('acceptedUntil', {
      type: 'DateTime',
      nullable: true,
      description: 'End of a RISK_ACCEPTED; the finding opens then.',
    }),
    assignee: t.field({
      type: UserType,
      nullable: true,
      description: 'The user who looks after it.',
      extensions: { columns: ['assigneeId'] } satisfies ReadsColumns,
      resolve: ({ assigneeId }, _args, { services, loaders }) =>
        assigneeId === null ? null : (services.users.recall(assigneeId) ?? loaders.users.load(assigneeId)),
    }),
    dueAt: t.expose('dueAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Due date, from the project’s limits by severity; null when there is none.',
    }),
    presence: t.field({
      type: enumType(presence),
      description:
        'Whether the last complete run on a branch saw it; on the default branch where none is given.',
      args: { branch: optionalArg(t.arg, line(1, 255).nullish(), 'Branch.') },
      extensions: { columns: ['id', 'isPresent'] } satisfies ReadsColumns,
      resolve: async ({ id, isPresent }, { branch }, { loaders }) => {
        if (branch == null) return isPresent ? 'PRESENT' : 'ABSENT';
        const branches = await loaders.findingBranches.load(id);
        return branches.some((each) => each.name === branch && each.isPresent) ? 'PRESENT' : 'ABSENT';
      },
    }),
    branches: t.field({
      type: [FindingBranch],
      description: 'The branches that have seen it, by name.',
      extensions: { columns: ['id'] } satisfies ReadsColumns,
      resolve: ({ id }, _args, { loaders }) => loaders.findingBranches.load(id),
    }),
    firstSeenAt: t.expose('firstSeenAt', {
      type: 'DateTime',
      description: 'Time of the first run that saw it.',
    }),
    lastSeenAt: t.expose('lastSeenAt', {
      type: 'DateTime',
      description: 'Time of the last run that saw it.',
    }),
    firstSeenIn: t.field({
      type: ExecutionType,
      authScopes: { can: 'execution:read' },
      nullable: true,
      description: 'The first execution that saw it; null once it is deleted.',
      extensions: { columns: ['firstSeenInId'] } satisfies ReadsColumns,
      resolve: ({ firstSeenInId }, _args, { loaders }) =>
        firstSeenInId === null ? null : loaders.executions.load(firstSeenInId),
    }),
    lastSeenIn: t.field({
      type: ExecutionType,
      authScopes: { can: 'execution:read' },
      nullable: true,
      description: 'The last execution that saw it; null once it is deleted.',
      extensions: { columns: ['lastSeenInId'] } satisfies ReadsColumns,
      resolve: ({ lastSeenInId }, _args, { loaders }) =>
        lastSeenInId === null ? null : loaders.executions.load(lastSeenInId),
    }),
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
  }),
});

const FindingConnection = connectionType('Finding', FindingType, 'findings');

builder.queryFields((t) => ({
  finding: t.field({
    type: FindingType,
    nullable: true,
    authScopes: { can: 'finding:read' },
    description: 'One finding. Error NOT_FOUND when it does not exist.',
    args: { id: simpleArg(t.arg, idOf('Finding'), 'Id of the finding.') },
    resolve: (_root, { id }, context, info) =>
      context.services.findings.get(viewerOf(context), id, columnsFor(info)),
  }),
  findings: t.field({
    type: FindingConnection,
    authScopes: { can: 'finding:read' },
    description: 'Findings of all projects that one may see, the latest found first by default.',
    args: {
      ...pageArgs(t.arg),
      filter: filterArg(t.arg, 'FindingFilter', findingFilter),
      orderBy: filterArg(t.arg, 'FindingOrder', findingOrder),
    },
    resolve: (_root, { filter, orderBy, ...page }, context, info) =>
      context.services.findings.list(viewerOf(context), filter ?? {}, orderBy, page, wantedOf(info)),
  }),
}));
