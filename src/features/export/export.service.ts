// Exports of executions and findings as streams: rows come through a cursor, as fast as the reader takes them.
import { AppError } from '../../core/errors.js';
import { authorize, type Viewer } from '../../core/permissions.js';
import { type BulkOptions, readByCursor } from '../../infra/postgres/bulk/connection.js';
import type { Sql } from '../../infra/postgres/sql.js';
import type { ExecutionService } from '../execution/execution.service.js';
import type { FindingFilter } from '../finding/finding.input.js';
import type { FindingService } from '../finding/finding.service.js';
import { type ExportRow, rowsOfExecution, rowsOfFindings } from './export.rows.js';
import { sarifOf } from './sarif.js';
import { csvOf, ndjsonOf } from './tables.js';

/** Formats of exports. */
export const exportFormats = ['sarif', 'csv', 'ndjson'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** What exports are made with. */
export interface ExportServiceOptions {
  bulk: BulkOptions;
  executions: Pick<ExecutionService, 'get'>;
  findings: Pick<FindingService, 'matching'>;
}

/** Makes exports. */
export type ExportService = ReturnType<typeof createExportService>;

/** Exports that an instance makes at the same time; each takes a connection beside the pool. */
const maxAtOnce = 4;

/** Creates the service. */
export function createExportService({ bulk, executions, findings }: ExportServiceOptions) {
  let running = 0;

  /** @throws UNAVAILABLE while too many run */
  async function* limited(statement: Sql): AsyncGenerator<ExportRow> {
    if (running >= maxAtOnce)
      throw new AppError('UNAVAILABLE', {
        message: 'Too many exports are running; try again later.',
        retryAfterSeconds: 10,
      });
    running += 1;
    try {
      yield* readByCursor<ExportRow>(bulk, statement);
    } finally {
      running -= 1;
    }
  }

  return {
    /**
     * The results of an execution with the decisions about their findings.
     * @throws NOT_FOUND for an execution that the viewer may not see
     * @throws FORBIDDEN without the permissions to read results and findings
     */
    async ofExecution(viewer: Viewer, id: string, format: ExportFormat): Promise<AsyncGenerator<string>> {
      assertReader(viewer);
      const execution = await executions.get(viewer, id);
      return write(format, limited(rowsOfExecution(execution)), execution.status === 'COMPLETED');
    },

    /** The findings that match a filter, in projects that the viewer may see. @throws FORBIDDEN as above */
    async ofFindings(
      viewer: Viewer,
      filter: FindingFilter,
      format: ExportFormat,
    ): Promise<AsyncGenerator<string>> {
      assertReader(viewer);
      return write(format, limited(rowsOfFindings(await findings.matching(viewer, filter))), true);
    },
  };
}

function assertReader(viewer: Viewer): void {
  authorize(viewer, 'result:read');
  authorize(viewer, 'finding:read');
}

function write(
  format: ExportFormat,
  rows: AsyncGenerator<ExportRow>,
  isComplete: boolean,
): AsyncGenerator<string> {
  if (format === 'sarif') return sarifOf(rows, isComplete);
  return format === 'csv' ? csvOf(rows) : ndjsonOf(rows);
}
