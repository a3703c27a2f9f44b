// Results in GraphQL: types and root fields.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType, pageArgs } from '../../graphql/schema-kit/connection.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { columnsFor, type ReadsColumns, wantedOf } from '../../graphql/schema-kit/selected-columns.js';
import { enumType, filterArg, inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { ExecutionType } from '../execution/execution.ref.js';
import type { ExecutionRow } from '../execution/execution.service.js';
import {
  addResultsInput,
  type LocationInput,
  resultFilter,
  resultOrder,
  severities,
  severity,
} from './result.input.js';
import type { AddedResults } from './result.intake.js';
import type { ResultRow } from './result.service.js';

const Location = builder.objectRef<LocationInput>('Location').implement({
  description: 'Where a finding is; what does not apply is null.',
  fields: (t) => ({
    path: t.exposeString('path', {
      nullable: true,
      description: 'File, relative to the repository or image.',
    }),
    startLine: t.exposeInt('startLine', { nullable: true, description: 'First line, from 1.' }),
    startColumn: t.exposeInt('startColumn', { nullable: true, description: 'First column, from 1.' }),
    endLine: t.exposeInt('endLine', { nullable: true, description: 'Last line.' }),
    endColumn: t.exposeInt('endColumn', { nullable: true, description: 'Last column.' }),
    url: t.exposeString('url', { nullable: true, description: 'Address of the request.' }),
    method: t.exposeString('method', { nullable: true, description: 'HTTP method.' }),
    parameter: t.exposeString('parameter', { nullable: true, description: 'Parameter, header or field.' }),
    component: t.exposeString('component', {
      nullable: true,
      description: 'Package or component, with its version.',
    }),
    host: t.exposeString('host', { nullable: true, description: 'Host.' }),
  }),
});

export const ResultType = builder.objectRef<ResultRow>('TestResult').implement({
  description: 'One finding of an execution.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description: 'Id of the result.',
      extensions: { columns: ['id'] } satisfies ReadsColumns,
      resolve: ({ id }) => toPublicId('TestResult', id),
    }),
    execution: t.field({
      type: ExecutionType,
      description: 'The execution that found it.',
      extensions: { columns: ['executionId'] } satisfies ReadsColumns,
      resolve: async ({ executionId }, _args, { loaders }) =>
        (await loaders.executions.load(executionId)) as ExecutionRow,
    }),
    title: t.exposeString('title', { description: 'The finding in one line.' }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'What was found and why it matters.',
    }),
    severity: t.field({
      type: enumType(severity),
      description: 'How bad it is.',
      extensions: { columns: ['severity'] } satisfies ReadsColumns,
      resolve: (result) => severities[result.severity] as (typeof severities)[number],
    }),
    ruleId: t.exposeString('ruleId', { nullable: true, description: 'The tool’s rule or check.' }),
    cweIds: t.exposeIntList('cweIds', { description: 'CWE numbers.' }),
    cveIds: t.exposeStringList('cveIds', { description: 'CVE ids.' }),
    cvssVector: t.exposeString('cvssVector', { nullable: true, description: 'CVSS 3.1 or 4.0 vector.' }),
    cvssScore: t.exposeFloat('cvssScore', { nullable: true, description: 'Its score, 0.0 to 10.0.' }),
    location: t.field({
      type: Location,
      nullable: true,
      description: 'Where it is.',
      extensions: { columns: ['location'] } satisfies ReadsColumns,
      resolve: ({ location }) => location as LocationInput | null,
    }),
    evidence: t.exposeString('evidence', {
      nullable: true,
      description: 'Request, response or code that shows it.',
    }),
    remediation: t.exposeString('remediation', { nullable: true, description: 'How to mend it.' }),
    references: t.exposeStringList('references', { description: 'Further reading.' }),
    tags: t.exposeStringList('tags', { description: 'Free labels.' }),
    fingerprint: t.exposeString('fingerprint', {
      description: 'Stable across runs of the same tool on the same target.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was added.' }),
  }),
});

export const ResultConnection = connectionType('Result', ResultType, 'results');

const AddResultsPayload = builder.objectRef<AddedResults>('AddResultsPayload').implement({
  description: 'What a batch brought in.',
  fields: (t) => ({
    execution: t.field({
      type: ExecutionType,
      description: 'The execution afterwards.',
      resolve: ({ execution }) => execution,
    }),
    added: t.exposeInt('added', { description: 'Results that are new.' }),
    duplicates: t.exposeInt('duplicates', {
      description: 'Results that were there already, by fingerprint or batch.',
    }),
  }),
});

builder.queryFields((t) => ({
  result: t.field({
    type: ResultType,
    nullable: true,
    authScopes: { can: 'result:read' },
    description: 'One result. Error NOT_FOUND when there is none.',
    args: { id: simpleArg(t.arg, idOf('TestResult'), 'Id of the result.') },
    resolve: (_root, { id }, context, info) =>
      context.services.results.get(viewerOf(context), id, columnsFor(info)),
  }),
  results: t.field({
    type: ResultConnection,
    authScopes: { can: 'result:read' },
    description: 'Results of all executions, newest first unless ordered otherwise.',
    args: {
      ...pageArgs(t.arg),
      filter: filterArg(t.arg, 'ResultFilter', resultFilter),
      orderBy: filterArg(t.arg, 'ResultOrder', resultOrder),
    },
    resolve: (_root, { filter, orderBy, ...page }, context, info) =>
      context.services.results.list(viewerOf(context), filter ?? {}, orderBy, page, wantedOf(info)),
  }),
}));

builder.mutationField('addResults', (t) =>
  t.field({
    type: AddResultsPayload,
    authScopes: { can: 'execution:run' },
    description:
      'Adds 1 to 1,000 findings to a running execution, all or none. Known fingerprints are not doubled.',
    args: { input: inputArg(t.arg, 'AddResultsInput', addResultsInput) },
    resolve: (_root, { input }, context) => context.services.results.add(viewerOf(context), input),
  }),
);
