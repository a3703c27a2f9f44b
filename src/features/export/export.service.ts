// Exports of executions and findings as streams: PostgreSQL copies the rows out as fast as the reader takes them.
import { AppError, invalid } from '../../core/errors.js';
import { authorize, type Viewer } from '../../core/permissions.js';
import type { CopyOut } from '../../infra/postgres/replica/lists.js';
import { type Sql, sql, where } from '../../infra/postgres/sql.js';
import { noTool } from '../../reports/formats/own-result.js';
import type { FindingService } from '../finding/finding.service.js';
import { type BaseOptions, baseOf } from './export.base.js';
import type { ExecutionExport, ExportFormat, FindingExport } from './export.input.js';
import { type ExportRow, type RowOrder, rowOf, rowsOfExecution, rowsOfFindings } from './export.rows.js';
import { type Scan, sarifOf } from './sarif/sarif-log.js';
import { csvOf } from './tables/csv.js';
import { ndjsonOf } from './tables/ndjson.js';
import { cycloneDxOf } from './vex/cyclonedx.js';
import { openVexOf } from './vex/openvex.js';

/** Dependencies of making exports. */
export interface ExportServiceOptions extends BaseOptions {
  copyOut: CopyOut;
  findings: Pick<FindingService, 'matching'>;
}

/** Makes exports. */
export type ExportService = ReturnType<typeof createExportService>;

/** An export that runs: text in parts. */
export type ExportStream = AsyncGenerator<string>;

/** Exports that an instance makes at the same time; each takes a connection beside the pool. */
const maxAtOnce = 4;

/** GitHub refuses a file with more runs. */
const maxGithubRuns = 20;

/** Creates the service. */
export function createExportService({ copyOut, db, executions, findings }: ExportServiceOptions) {
  const limited = limit(copyOut);

  return {
    /**
     * The results of an execution with the decisions about their findings.
     * @throws NOT_FOUND for an execution that the viewer may not see
     * @throws FORBIDDEN without the permissions to read results and findings
     * @throws VALIDATION_FAILED for a base of another target, or with a format that shows none
     * @throws CONFLICT while the results have not met the findings that a base asks for
     */
    async ofExecution(viewer: Viewer, id: string, query: ExecutionExport): Promise<ExportStream> {
      assertReader(viewer);
      const execution = await executions.get(viewer, id);
      assertFits(query);
      const { format, base: name } = query;
      const base = name === undefined ? undefined : await baseOf({ db, executions }, viewer, execution, name);
      const rows = limited(rowsOfExecution(execution, { order: orderOf(format), base }));
      return write(query, rows, { scan: execution, isComplete: execution.status === 'COMPLETED' });
    },

    /**
     * The findings that match a filter, in projects that the viewer may see.
     * @throws FORBIDDEN without the permissions to read results and findings
     * @throws VALIDATION_FAILED for a base where none fits, and for more scans than GitHub takes in a file
     */
    async ofFindings(viewer: Viewer, query: FindingExport): Promise<ExportStream> {
      assertReader(viewer);
      assertFits(query);
      const { format, base, author: _author, product: _product, ...filter } = query;
      const areAbsent = filter.presence === 'ABSENT';
      if (base !== undefined && areAbsent) throw invalid('base', 'does not go with absent findings');
      const head = await findings.matching(viewer, filter);
      if (format === 'github') await assertFewScans(db, head);
      const compared =
        base === undefined ? {} : { base: await findings.matching(viewer, { ...filter, branch: base }) };
      const rows = limited(rowsOfFindings({ head, ...compared }, orderOf(format)));
      return write(query, rows, { isComplete: true, areAbsent });
    },
  };
}

/** Reads the rows of a statement while fewer than {@link maxAtOnce} run. */
function limit(copyOut: CopyOut) {
  let running = 0;
  /** @throws UNAVAILABLE while too many run */
  return async function* limited(statement: Sql): AsyncGenerator<ExportRow[]> {
    if (running >= maxAtOnce)
      throw new AppError('UNAVAILABLE', {
        message: 'Too many exports are running; try again later.',
        retryAfterSeconds: 10,
      });
    running += 1;
    try {
      for await (const lines of copyOut(statement)) yield lines.map(rowOf);
    } finally {
      running -= 1;
    }
  };
}

function assertReader(viewer: Viewer): void {
  authorize(viewer, 'result:read');
  authorize(viewer, 'finding:read');
}

const vexFormats: ReadonlySet<ExportFormat> = new Set(['cyclonedx', 'openvex']);

/** Refuses parameters that the format has no place for, rather than ignore them. */
function assertFits({ format, base, author, product }: ExecutionExport): void {
  const isVex = vexFormats.has(format);
  if (base !== undefined && (isVex || format === 'github'))
    throw invalid('base', 'goes with sarif, csv and ndjson only');
  if (isVex) return;
  if (author !== undefined) throw invalid('author', 'goes with cyclonedx and openvex only');
  if (product !== undefined) throw invalid('product', 'goes with cyclonedx and openvex only');
}

async function assertFewScans(db: BaseOptions['db'], conditions: Sql[]): Promise<void> {
  const rows = await db.read<{ id: number }>(
    sql`SELECT DISTINCT series_id AS id FROM findings ${where(conditions)} LIMIT ${maxGithubRuns + 1}`,
  );
  if (rows.length > maxGithubRuns)
    throw invalid(
      'format',
      `takes the findings of at most ${maxGithubRuns} scans, as GitHub does: filter by target or tool`,
    );
}

function orderOf(format: ExportFormat): RowOrder {
  if (format === 'github') return 'worst first';
  return format === 'openvex' ? 'cleared first' : 'id';
}

/** The scope of rows: an execution has one scan, findings have several. */
interface RowSource {
  isComplete: boolean;
  scan?: Scan;
  areAbsent?: boolean;
}

function write(query: ExecutionExport, rows: AsyncGenerator<ExportRow[]>, source: RowSource): ExportStream {
  const { isComplete, scan, areAbsent = false } = source;
  const { author = noTool, product } = query;
  const vex = { author, product, areAbsent, isWhole: isComplete && scan !== undefined, at: new Date() };
  switch (query.format) {
    case 'sarif':
      return sarifOf(rows, { isComplete, scan });
    case 'github':
      return sarifOf(rows, { isComplete, scan, github: { hasTargets: scan === undefined } });
    case 'csv':
      return csvOf(rows);
    case 'ndjson':
      return ndjsonOf(rows);
    case 'cyclonedx':
      return cycloneDxOf(rows, vex, scan);
    case 'openvex':
      return openVexOf(rows, vex);
  }
}
