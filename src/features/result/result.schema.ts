// Results in GraphQL: types and root fields.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType, listArgs } from '../../graphql/schema-kit/connection.js';
import { orNull, text, textOrNull, time } from '../../graphql/schema-kit/field-options.js';
import { mutation, query } from '../../graphql/schema-kit/root-fields.js';
import { columnsFor, type ReadsColumns, wantedOf } from '../../graphql/schema-kit/selected-columns.js';
import { enumType, inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { ExecutionType, executionField } from '../execution/execution.ref.js';
import { deltas, resultDelta } from '../finding/finding.input.js';
import { FindingType } from '../finding/finding.ref.js';
import { reportedFields } from './reported-fields.schema.js';
import type { SkippedResult } from './result.batch.js';
import { addResultsInput, resultFilter, resultOrder, severities, severity } from './result.input.js';
import type { AddedResults } from './result.intake.js';
import type { ResultRow } from './result.service.js';
import { addResultsCheck } from './skip-invalid.js';

export const ResultType = builder.objectRef<ResultRow>('TestResult').implement({
  description: 'One result of an execution.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description: 'Id of the result.',
      extensions: { columns: ['id'] } satisfies ReadsColumns,
      resolve: ({ id }) => toPublicId('TestResult', id),
    }),
    execution: t.field(executionField('The execution that reported it.')),
    title: t.exposeString('title', text(2000, 'The result in one line.')),
    description: t.exposeString('description', textOrNull(20000, 'The weakness, and why it matters.')),
    severity: t.field({
      type: enumType(severity),
      description: 'Severity.',
      extensions: { columns: ['severity'] } satisfies ReadsColumns,
      resolve: (result) => severities[result.severity] as (typeof severities)[number],
    }),
  }),
});

builder.objectFields(ResultType, (t) => ({
  ...reportedFields(t, 'Location.'),
  vulnerabilityIds: t.exposeStringList(
    'vulnerabilityIds',
    text(12000, 'Vulnerability ids of other schemes, for example GHSA or RUSTSEC.'),
  ),
  evidence: t.exposeString(
    'evidence',
    textOrNull(200000, 'Request, response or code that proves the result.'),
  ),
}));

builder.objectFields(ResultType, (t) => ({
  fingerprint: t.exposeString('fingerprint', {
    description: 'Identity across runs of the same tool on the same target; several results may share it.',
  }),
  finding: t.field({
    type: FindingType,
    authScopes: { can: 'finding:read' },
    nullable: true,
    description: 'The finding that it belongs to; null until its execution has met the findings.',
    extensions: { columns: ['findingId'] } satisfies ReadsColumns,
    resolve: ({ findingId }, _args, { loaders }) =>
      findingId === null ? null : loaders.findings.load(findingId),
  }),
  delta: t.field({
    type: enumType(resultDelta),
    nullable: true,
    description: 'Relation to its finding; null until its execution has met the findings.',
    extensions: { columns: ['delta'] } satisfies ReadsColumns,
    resolve: ({ delta }) => (delta === null ? null : (deltas[delta] ?? null)),
  }),
  createdAt: t.expose('createdAt', time('Time at which it was added.')),
}));

export const ResultConnection = connectionType('Result', ResultType, 'results');

const SkippedResultType = builder.objectRef<SkippedResult>('SkippedResult').implement({
  description: 'An invalid result that was left out of a batch.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: 'Position in the batch, from 0.' }),
    title: t.exposeString('title', orNull('Its title; null where it has none.')),
    path: t.exposeString('path', { description: 'Field of its first fault, for example `cvssVector`.' }),
    message: t.exposeString('message', { description: 'Fault of the field.' }),
  }),
});

/** Skipped results that a payload lists; `skippedCount` counts all. */
const maxListedSkips = 100;

const AddResultsPayload = builder.objectRef<AddedResults>('AddResultsPayload').implement({
  description: 'Outcome of a batch.',
  fields: (t) => ({
    execution: t.field({
      type: ExecutionType,
      description: 'The execution after the change.',
      resolve: ({ execution }) => execution,
    }),
    added: t.exposeInt('added', { description: 'Number of new results.' }),
    duplicates: t.exposeInt('duplicates', {
      description: 'Results that the execution already has: the same place and content, or a repeated batch.',
    }),
    raised: t.exposeInt('raised', {
      description:
        'Duplicates that were worse, by severity or else by CVSS score: the stored results have taken it over.',
    }),
    skipped: t.field({
      type: [SkippedResultType],
      description: 'Invalid results that were left out (`onInvalid: SKIP`), at most 100.',
      resolve: ({ skipped }) => skipped.slice(0, maxListedSkips),
    }),
    skippedCount: t.int({
      description: 'Number of all results that were left out.',
      resolve: ({ skipped }) => skipped.length,
    }),
  }),
});

query('result', ResultType, 'result:read', {
  nullable: true,
  description: 'One result. Error NOT_FOUND when it does not exist.',
  args: (arg) => ({ id: simpleArg(arg, idOf('TestResult'), 'Id of the result.') }),
  run: ({ results }, viewer, { id }, info) => results.get(viewer, id, columnsFor(info)),
});

query('results', ResultConnection, 'result:read', {
  description: 'Results of all executions, newest first by default.',
  args: (arg) => listArgs(arg, 'Result', resultFilter, resultOrder),
  run: ({ results }, viewer, { filter, orderBy, ...page }, info) =>
    results.list(viewer, filter ?? {}, orderBy, page, wantedOf(info)),
});

mutation('addResults', AddResultsPayload, 'execution:run', {
  description:
    'Adds 1 to 1,000 results to a running execution, all or none. A result that the execution has already, in the same ' +
    'place and with the same content, is not added again; if it is worse, the stored one takes its severity.',
  args: (arg) => ({ input: inputArg(arg, 'AddResultsInput', addResultsInput, addResultsCheck) }),
  run: ({ results }, viewer, { input }) => results.add(viewer, input),
});
