// Imports over REST: reports of any size as a stream, their receipts, the limits.
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { toPublicId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import { receiveUpload } from '../../http/upload.js';
import { itemLimits } from '../../reports/item.js';
import { maxWarnings } from '../../reports/notes.js';
import { defineRoute, type Route, type RouteAnswer } from '../../rest/route.js';
import { idOf, line, parseInput } from '../../validation/fields.js';
import { importBody, importExamples, limitsBody, toImportBody } from './import.bodies.js';
import type { ReportClaims } from './import.claims.js';
import { importHeaders, importQuery, maxContent, reportQuery } from './import.input.js';
import type { ImportService } from './import.service.js';

const upload = {
  description:
    'The report in any media type, or a form whose only file is the report; plain or compressed with gzip.',
};
const writeErrors = [
  ...([
    'VALIDATION_FAILED',
    'UNAUTHENTICATED',
    'TOKEN_EXPIRED',
    'TOKEN_REVOKED',
    'FORBIDDEN',
    'NOT_FOUND',
  ] as const),
  ...(['CONFLICT', 'EXECUTION_FINISHED', 'IDEMPOTENCY_KEY_REUSED', 'UNAVAILABLE'] as const),
];
const responses = {
  200: {
    description: 'The import has ended, or an earlier request began it.',
    schema: importBody,
    example: importExamples.ended,
    hasLocation: true,
  },
  202: {
    description: 'The report has arrived; the server is reading it.',
    schema: importBody,
    example: importExamples.running,
    hasLocation: true,
  },
};

/** Routes of imports. */
export function importRoutes(imports: ImportService): Route[] {
  return [...uploadRoutes(imports), ...readRoutes(imports)];
}

function uploadRoutes(imports: ImportService): Route[] {
  return [
    defineRoute({
      method: 'post',
      path: '/api/v1/imports',
      operationId: 'importReport',
      tag: 'Imports',
      permission: 'report:import',
      summary: 'Import a report',
      description:
        'Creates an execution for a report: its results meet the findings of the project, target, tool, category and branch. ' +
        'The format is recognised by the content; the media type and the name do not matter.',
      query: importQuery,
      headers: importHeaders,
      upload,
      responses,
      errors: writeErrors,
      handle: ({ query: { wait, ...claims }, viewer, incoming }) =>
        importFrom(imports, viewer as Viewer, claims, wait, incoming),
    }),
    defineRoute({
      method: 'post',
      path: '/api/v1/executions/{id}/reports',
      operationId: 'addReport',
      tag: 'Imports',
      permission: 'report:import',
      summary: 'Add a report to a running execution',
      description:
        'Adds the results of a report to an execution that runs. They meet the findings when the execution is completed.',
      params: z.strictObject({ id: idOf('TestExecution').describe('Id of the execution.') }),
      query: reportQuery,
      headers: importHeaders,
      upload,
      responses,
      errors: writeErrors,
      handle: ({ params, query: { wait, ...claims }, viewer, incoming }) =>
        importFrom(imports, viewer as Viewer, { ...claims, executionId: params.id }, wait, incoming),
    }),
  ];
}

function readRoutes(imports: ImportService): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/api/v1/imports/{id}',
      operationId: 'getImport',
      tag: 'Imports',
      permission: 'execution:read',
      summary: 'Read an import',
      description: 'State and receipt of an import.',
      params: z.strictObject({ id: idOf('Import').describe('Id of the import.') }),
      responses: { 200: { description: 'The import.', schema: importBody, example: importExamples.ended } },
      errors: ['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'FORBIDDEN', 'NOT_FOUND', 'UNAVAILABLE'],
      handle: async ({ params, viewer }) => ({
        body: toImportBody(await imports.get(viewer as Viewer, params.id)),
      }),
    }),
    defineRoute({
      method: 'get',
      path: '/api/v1/limits',
      operationId: 'getLimits',
      tag: 'Imports',
      permission: 'execution:read',
      summary: 'Read the limits',
      description: 'Every limit of imports as JSON.',
      responses: { 200: { description: 'The limits.', schema: limitsBody, example: importExamples.limits } },
      errors: ['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'FORBIDDEN'],
      handle: async () => ({
        body: {
          ...imports.limits,
          reportInGraphQLCharacters: maxContent,
          warnings: maxWarnings,
          item: Object.entries(itemLimits).map(([name, max]) => ({ name, max })),
        },
      }),
    }),
  ];
}

async function importFrom(
  imports: ImportService,
  viewer: Viewer,
  claims: ReportClaims,
  waitSeconds: number | undefined,
  incoming: IncomingMessage,
): Promise<RouteAnswer> {
  const key = parseInput(z.object({ 'Idempotency-Key': line(1, 200).optional() }), {
    'Idempotency-Key': incoming.headers['idempotency-key'],
  })['Idempotency-Key'];
  const { row, isNew } = await imports.accept(
    viewer,
    claims,
    (keep) => receiveUpload(incoming, keep),
    key ?? null,
  );
  const last = waitSeconds === undefined ? row : await imports.wait(viewer, row, waitSeconds * 1000);
  const hasEnded = last.state !== 'RUNNING';
  return {
    status: hasEnded || !isNew ? 200 : 202,
    headers: { Location: `/api/v1/imports/${toPublicId('Import', row.id)}` },
    body: toImportBody(last),
  };
}
