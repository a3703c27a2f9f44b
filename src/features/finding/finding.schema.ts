// Findings in GraphQL: the type with its content, and queries. Presence and decisions are in triage/finding-life.schema.ts.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType, listArgs } from '../../graphql/schema-kit/connection.js';
import { orNull, text, textOrNull } from '../../graphql/schema-kit/field-options.js';
import { query } from '../../graphql/schema-kit/root-fields.js';
import { columnsFor, type ReadsColumns, wantedOf } from '../../graphql/schema-kit/selected-columns.js';
import { enumType, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { projectField } from '../project/project.ref.js';
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
    project: t.field(projectField('The project that it belongs to.')),
    target: t.exposeString('target', text(2000, 'Tested URL, repository, image or host.')),
    tool: t.exposeString('tool', orNull('Tool, in lower case.')),
    category: t.exposeString('category', orNull('Category of scans of the target.')),
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
  title: t.exposeString('title', text(2000, 'The finding in one line.')),
  description: t.exposeString('description', textOrNull(20_000, 'The weakness, and why it matters.')),
  ...reportedFields(t, 'Location in the newest result.'),
}));

/** Pages of findings. */
export const FindingConnection = connectionType('Finding', FindingType, 'findings');

query('finding', FindingType, 'finding:read', {
  nullable: true,
  description: 'One finding. Error NOT_FOUND when it does not exist.',
  args: (arg) => ({ id: simpleArg(arg, idOf('Finding'), 'Id of the finding.') }),
  run: ({ findings }, viewer, { id }, info) => findings.get(viewer, id, columnsFor(info)),
});

query('findings', FindingConnection, 'finding:read', {
  description: 'Findings of all projects that the caller sees, the latest found first by default.',
  args: (arg) => listArgs(arg, 'Finding', findingFilter, findingOrder),
  run: ({ findings }, viewer, { filter, orderBy, ...page }, info) =>
    findings.list(viewer, filter ?? {}, orderBy, page, wantedOf(info)),
});
