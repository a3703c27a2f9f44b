// Exports over REST: results and findings as a stream of SARIF, CSV or NDJSON.
import { z } from 'zod';
import type { Viewer } from '../../core/permissions.js';
import { defineRoute, type Route, type RouteAnswer } from '../../rest/route.js';
import { idOf } from '../../validation/fields.js';
import { type ExportFormat, executionExportQuery, findingExportQuery } from './export.input.js';
import type { ExportService, ExportStream } from './export.service.js';

/** Media type and the end of the file's name. */
const files: Record<ExportFormat, readonly [string, string]> = {
  sarif: ['application/sarif+json', 'sarif'],
  github: ['application/sarif+json', 'sarif'],
  csv: ['text/csv; charset=utf-8', 'csv'],
  ndjson: ['application/x-ndjson', 'ndjson'],
  cyclonedx: ['application/vnd.cyclonedx+json; version=1.6', 'cdx.json'],
  openvex: ['application/json', 'openvex.json'],
};
const errors = [
  ...([
    'UNAUTHENTICATED',
    'TOKEN_EXPIRED',
    'TOKEN_REVOKED',
    'FORBIDDEN',
    'NOT_FOUND',
    'CONFLICT',
    'VALIDATION_FAILED',
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
      'application/vnd.cyclonedx+json; version=1.6':
        '{"bomFormat":"CycloneDX","specVersion":"1.6","vulnerabilities":[{"id":"CVE-2021-44228"}]}',
      'application/json': '{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{"status":"affected"}]}',
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
      query: executionExportQuery,
      responses,
      errors,
      handle: async ({ params, query, viewer }) =>
        answerOf(query.format, await exports.ofExecution(viewer as Viewer, params.id, query)),
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
      query: findingExportQuery,
      responses,
      errors,
      handle: async ({ query, viewer }) =>
        answerOf(query.format, await exports.ofFindings(viewer as Viewer, query)),
    }),
  ];
}

function answerOf(format: ExportFormat, stream: ExportStream): RouteAnswer {
  const [type, ending] = files[format];
  return {
    headers: { 'Content-Type': type, 'Content-Disposition': `attachment; filename="sec-tester.${ending}"` },
    stream,
  };
}
