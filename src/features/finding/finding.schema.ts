// Findings in GraphQL: the type with its content, and queries. Presence and decisions are in triage/finding-life.schema.ts.
import { AppError } from '../../core/errors.js';
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType, pageArgs } from '../../graphql/schema-kit/connection.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { columnsFor, type ReadsColumns, wantedOf } from '../../graphql/schema-kit/selected-columns.js';
import { enumType, filterArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { ProjectType } from '../project/project.ref.js';
import { reportedFields } from '../result/reported-fields.schema.js';
import { severities, severity } from '../result/result.input.js';
import { findingFilter, findingOrder } from './finding.input.js';
import { FindingType } from './finding.ref.js';

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
    target: t.exposeString('target', {
      extensions: { weight: { bytes: 2000 } },
      description: 'Tested URL, repository, image or host.',
    }),
    tool: t.exposeString('tool', { nullable: true, description: 'Tool, in lower case.' }),
    category: t.exposeString('category', { nullable: true, description: 'Category of scans of the target.' }),
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
      description: 'Severity that a user has set in place of the reported one.',
      extensions: { columns: ['severityOverride'] } satisfies ReadsColumns,
      resolve: ({ severityOverride }) => (severityOverride === null ? null : rank(severityOverride)),
    }),
  }),
});

builder.objectFields(FindingType, (t) => ({
  title: t.exposeString('title', {
    extensions: { weight: { bytes: 2000 } },
    description: 'The finding in one line.',
  }),
  description: t.exposeString('description', {
    extensions: { weight: { bytes: 20_000 } },
    nullable: true,
    description: 'The weakness, and why it matters.',
  }),
  ...reportedFields(t, 'Location in the newest result.'),
}));

/** Pages of findings. */
export const FindingConnection = connectionType('Finding', FindingType, 'findings');

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
    description: 'Findings of all projects that the caller sees, the latest found first by default.',
    args: {
      ...pageArgs(t.arg),
      filter: filterArg(t.arg, 'FindingFilter', findingFilter),
      orderBy: filterArg(t.arg, 'FindingOrder', findingOrder),
    },
    resolve: (_root, { filter, orderBy, ...page }, context, info) =>
      context.services.findings.list(viewerOf(context), filter ?? {}, orderBy, page, wantedOf(info)),
  }),
}));
