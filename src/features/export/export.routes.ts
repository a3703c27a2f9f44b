// Exports over REST: results and findings as a stream of SARIF, CSV or NDJSON.
import { z } from 'zod';
import type { Viewer } from '../../core/permissions.js';
import { defineRoute, type Route, type RouteAnswer } from '../../rest/route.js';
import { idOf, line } from '../../validation/fields.js';
import { type ExportFormat, type ExportService, exportFormats } from './export.service.js';

const mediaTypes: Record<ExportFormat, string> = {
  sarif: 'application/sarif+json',
  csv: 'text/csv; charset=utf-8',
  ndjson: 'application/x-ndjson',
};
const format = z.enum(exportFormats).default('sarif').describe('Format of the export.');
const errors = [
  ...([
    'UNAUTHENTICATED',
    'TOKEN_EXPIRED',
    'TOKEN_REVOKED',
    'FORBIDDEN',
    'NOT_FOUND',
    'UNAVAILABLE',
  ] as const),
];
const responses = {
  200: {
    description: 'The export, as a stream. A connection that breaks off means that it is not whole.',
    streamed: {
      'application/sarif+json':
        '{"version":"2.1.0","runs":[{"results":[],"tool":{"driver":{"name":"Semgrep"}}}]}',
      'text/csv': 'resultId,findingId,severity,title',
      'application/x-ndjson': '{"severity":"HIGH","title":"SQL injection"}',
    },
  },
};

/** Routes of exports. */
export function exportRoutes(exports: ExportService): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/api/v1/executions/{id}/export',
      operationId: 'exportExecution',
      tag: 'Exports',
      permission: 'result:read',
      summary: 'Export the results of an execution',
      description:
        'Results with the decisions about their findings. SARIF has decisions as suppressions; an import of it into the same ' +
        'target changes nothing. The caller needs finding:read too.',
      params: z.strictObject({ id: idOf('TestExecution').describe('Id of the execution.') }),
      query: z.strictObject({ format }),
      responses,
      errors,
      handle: async ({ params, query, viewer }) =>
        answerOf(query.format, await exports.ofExecution(viewer as Viewer, params.id, query.format)),
    }),
    defineRoute({
      method: 'get',
      path: '/api/v1/findings/export',
      operationId: 'exportFindings',
      tag: 'Exports',
      permission: 'finding:read',
      summary: 'Export findings',
      description:
        'Findings that are present on the branch, with the decisions about them; in SARIF a run for each target and tool. The ' +
        'caller needs result:read too.',
      query: z.strictObject({
        format,
        project: line(1, 63).optional().describe('Of the project with this key.'),
        target: line(1, 2000).optional().describe('Of exactly this target.'),
        tool: line(1, 200).optional().describe('Of this tool.'),
        branch: line(1, 255).optional().describe('Branch; the default branch unless given.'),
        presence: z.enum(['PRESENT', 'ABSENT']).optional().describe('PRESENT unless given.'),
      }),
      responses,
      errors,
      handle: async ({ query: { format: chosen, ...filter }, viewer }) =>
        answerOf(chosen, await exports.ofFindings(viewer as Viewer, filter, chosen)),
    }),
  ];
}

function answerOf(chosen: ExportFormat, stream: AsyncGenerator<string>): RouteAnswer {
  return {
    headers: {
      'Content-Type': mediaTypes[chosen],
      'Content-Disposition': `attachment; filename="sec-tester.${chosen}"`,
    },
    stream,
  };
}
