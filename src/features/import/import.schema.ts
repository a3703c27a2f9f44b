// Imports in GraphQL: the receipt, and importing a small report.
import { Readable } from 'node:stream';
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { orNull, time, timeOrNull } from '../../graphql/schema-kit/field-options.js';
import { mutation, query } from '../../graphql/schema-kit/root-fields.js';
import type { ReadsColumns } from '../../graphql/schema-kit/selected-columns.js';
import { enumType, inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import type { ReportWarning } from '../../reports/notes.js';
import { idOf } from '../../validation/fields.js';
import { ExecutionType, executionField, SeverityCounts } from '../execution/execution.ref.js';
import { importReportInput, importState, reportFormat } from './import.input.js';
import type { ImportRow } from './import.rows.js';

/** Time that `importReport` waits for the end of the import. */
const waitMs = 10_000;

const ImportWarning = builder.objectRef<ReportWarning>('ImportWarning').implement({
  description: 'A warning of an import.',
  fields: (t) => ({
    message: t.exposeString('message', { description: 'Text of the warning.' }),
    pointer: t.exposeString('pointer', orNull('Place: a JSON Pointer, or line:column for XML and CSV.')),
  }),
});

const SkippedReason = builder.objectRef<{ reason: string; count: number }>('SkippedReason').implement({
  description: 'Entries of a report that are not findings, for one reason.',
  fields: (t) => ({
    reason: t.exposeString('reason', { description: 'Reason, for example "suppressed".' }),
    count: t.exposeInt('count', { description: 'Number of entries that were skipped for this reason.' }),
  }),
});

export const ImportType = builder.objectRef<ImportRow>('Import').implement({
  description: 'The import of a report into an execution, with its receipt.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Id of the import.', resolve: ({ id }) => toPublicId('Import', id) }),
    execution: t.field(executionField('The execution that the results belong to.')),
    state: t.field({ type: enumType(importState), description: 'State.', resolve: ({ state }) => state }),
    format: t.field({
      type: enumType(reportFormat),
      description: 'Format of the report.',
      resolve: ({ format }) => format ?? 'GENERIC_JSON',
    }),
    contentSha256: t.string({
      nullable: true,
      description: 'SHA-256 of the report as it was sent.',
      resolve: ({ contentSha256 }) => Buffer.from(contentSha256).toString('hex'),
    }),
    bytes: t.float({
      description: 'Bytes of the report as it was sent.',
      resolve: ({ bytes }) => Number(bytes),
    }),
    counts: t.field({
      type: SeverityCounts,
      description: 'Results of the run by severity.',
      resolve: (row) => row,
    }),
    warnings: t.field({
      type: [ImportWarning],
      description: 'At most 100 warnings.',
      resolve: ({ warnings }) => warnings,
    }),
    warningCount: t.exposeInt('warningCount', { description: 'Number of all warnings.' }),
    incomplete: t.exposeStringList('incomplete', {
      description:
        'Reasons why the run is incomplete; such a run makes no finding absent and passes no gate.',
    }),
    errorMessage: t.exposeString('errorMessage', orNull('Why the import failed.')),
    createdAt: t.expose('createdAt', time('Time at which the report arrived.')),
    finishedAt: t.expose('finishedAt', timeOrNull('Time at which the import ended.')),
  }),
});

builder.objectFields(ImportType, (t) => ({
  read: t.exposeInt('read', { description: 'Results in the report, counted while the server reads it.' }),
  added: t.exposeInt('added', { description: 'Results of the execution that come from the report.' }),
  duplicates: t.exposeInt('duplicates', {
    description: 'Results that the report holds twice, or the execution already has.',
  }),
  skipped: t.exposeInt('skipped', {
    description: 'Entries that the format marks as no finding: passed, suppressed, not applicable.',
  }),
  skippedReasons: t.field({
    type: [SkippedReason],
    description: 'Skipped entries, by reason.',
    resolve: ({ skippedReasons }) =>
      Object.entries(skippedReasons).map(([reason, count]) => ({ reason, count })),
  }),
  newFindings: t.exposeInt('newFindings', { description: 'Findings that no earlier run had seen.' }),
  unchangedFindings: t.exposeInt('unchangedFindings', { description: 'Findings that the run saw again.' }),
  reopenedFindings: t.exposeInt('reopenedFindings', {
    description: 'Findings that had been absent and were seen again.',
  }),
  absentFindings: t.exposeInt('absentFindings', {
    description: 'Findings that the branch showed before and this run did not see.',
  }),
}));

query('import', ImportType, 'execution:read', {
  nullable: true,
  description: 'One import. Error NOT_FOUND when it does not exist.',
  args: (arg) => ({ id: simpleArg(arg, idOf('Import'), 'Id of the import.') }),
  run: ({ imports }, viewer, { id }) => imports.get(viewer, id),
});

const ImportPayload = builder.objectRef<ImportRow>('ImportPayload').implement({
  description: 'Outcome of an import.',
  fields: (t) => ({
    import: t.field({ type: ImportType, description: 'The import.', resolve: (row) => row }),
    execution: t.field(executionField('The execution that the results belong to.')),
  }),
});

mutation('importReport', ImportPayload, 'report:import', {
  description:
    'Imports a report of at most 1,000,000 characters; `POST /api/v1/imports` takes larger ones. Without `executionId` it ' +
    'makes an execution. The import may still run when the payload comes.',
  args: (arg) => ({ input: inputArg(arg, 'ImportReportInput', importReportInput) }),
  run: async ({ imports }, viewer, { input: { content, idempotencyKey, ...claims } }) => {
    const report = Readable.from([Buffer.from(content)]);
    const { row } = await imports.accept(viewer, claims, (keep) => keep(report), idempotencyKey ?? null);
    return imports.wait(viewer, row, waitMs);
  },
});

builder.objectField(ExecutionType, 'imports', (t) =>
  t.field({
    type: [ImportType],
    authScopes: { can: 'execution:read' },
    extensions: { columns: ['id'] } satisfies ReadsColumns,
    description: 'Reports that were imported into it, oldest first, at most 100.',
    resolve: ({ id }, _args, { loaders }) => loaders.imports.load(id),
  }),
);
