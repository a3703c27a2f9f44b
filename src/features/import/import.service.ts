// Imports of reports: taking them in, working them off, reading their receipts. Formats are in src/reports.
import type { Logger } from 'pino';
import { AppError } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import type { BulkOptions } from '../../infra/postgres/bulk/connection.js';
import type { Database } from '../../infra/postgres/database.js';
import { fetchOfEach, sql } from '../../infra/postgres/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import type { ExecutionService } from '../execution/execution.service.js';
import type { MergeRun } from '../finding/runs/merge.js';
import type { ReportRun } from '../webhook/webhook.events.js';
import { type AcceptedImport, acceptReport } from './import.accept.js';
import type { ReportClaims, SendReport } from './import.claims.js';
import { createImportQueue } from './import.queue.js';
import { columns, type ImportRow } from './import.rows.js';
import { runImport } from './import.run.js';
import { watchImports } from './import.watch.js';
import { waitForRunsBefore } from './staging/runs-before.js';
import { createSpool } from './staging/spool.js';

/** Dependencies of imports. */
export interface ImportServiceOptions {
  db: Database;
  bulk: BulkOptions;
  audit: AuditService;
  executions: ExecutionService;
  /** See mergeRun in the findings. */
  merge: MergeRun;
  /** Queues webhook events for the import and its findings. */
  reportRun: ReportRun;
  log: Logger;
  /** Folder of the reports that wait. */
  directory: string;
  maxBytes: number;
  maxUnpackedBytes: number;
  /** Imports that run at the same time. */
  atOnce: number;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Time without a sign of life after which another instance may take an import up. */
const leaseMs = 30_000;
/** The same for the execution that it has made, which is interrupted then. */
const executionLeaseMs = 300_000;
const pollMs = 250;

/** Takes in and works off imports. */
export type ImportService = ReturnType<typeof createImportService>;

/** Creates the service. {@link ImportService.start} takes up what an earlier process left. */
export function createImportService(options: ImportServiceOptions) {
  const { db, executions, maxBytes, maxUnpackedBytes } = options;
  const spool = createSpool(options.directory, maxBytes);
  const queue = createImportQueue(options.atOnce);
  const common = { ...options, spool, workerId: newId(), leaseMs, executionLeaseMs, runs: new Map() };

  const enqueue = (row: ImportRow, key: string): void =>
    queue.add(
      row.id,
      key,
      (signal) => runImport(common, row, signal),
      (signal) => waitForRunsBefore(common, row, signal),
    );

  const reads = createReads(db, executions);

  return {
    limits: { reportBytes: maxBytes, unpackedBytes: maxUnpackedBytes, importsAtOnce: options.atOnce },
    waiting: queue.waiting,

    /**
     * Takes a report in and begins its import. Errors as {@link acceptReport}.
     * @throws UNAVAILABLE when too many imports wait
     */
    async accept(
      viewer: Viewer,
      claims: ReportClaims,
      send: SendReport,
      idempotencyKey: string | null,
    ): Promise<AcceptedImport> {
      queue.assertRoom();
      const accepted = await acceptReport(common, viewer, claims, send, idempotencyKey);
      if (accepted.isNew)
        enqueue(
          accepted.row,
          claims.executionId ?? JSON.stringify([claims.project, claims.target, claims.category]),
        );
      return accepted;
    },

    /** The import, once it has ended or the time is over; as it was when the database is away. @throws NOT_FOUND */
    wait: (viewer: Viewer, row: ImportRow, ms: number) =>
      waitFor(row, ms, () => reads.get(viewer, row.id), queue.ended(row.id)),

    ...reads,

    /** See {@link watchImports}. */
    start: () => watchImports({ ...common, queue, enqueue }),
  };
}

function createReads(db: Database, executions: ExecutionService) {
  const readByIds = (ids: readonly string[]) =>
    db.read<ImportRow>(sql`SELECT ${columns} FROM imports WHERE id = ANY(${ids}::uuid[])`);
  return {
    readByIds,

    /** @throws NOT_FOUND */
    async get(viewer: Viewer, id: string): Promise<ImportRow> {
      const [row] = await readByIds([id]);
      // Asked for an unknown import as well: the time must not tell it from one of a project that the viewer does not see.
      await executions.get(viewer, row?.executionId ?? id, ['id']);
      if (row === undefined) throw new AppError('NOT_FOUND');
      return row;
    },

    /** Imports of each execution, oldest first, at most 100. */
    async ofEachExecution(ids: readonly string[]): Promise<ImportRow[][]> {
      const select = sql`SELECT ${columns} FROM imports WHERE execution_id = parent.id ORDER BY id LIMIT 100`;
      const lists = await fetchOfEach<ImportRow>(db.read, ids, select, ({ executionId }) => executionId);
      return ids.map((id) => lists.get(id) ?? []);
    },
  };
}

async function waitFor(
  known: ImportRow,
  ms: number,
  read: () => Promise<ImportRow>,
  ended: Promise<void>,
): Promise<ImportRow> {
  const until = performance.now() + ms;
  let row = known;
  for (;;) {
    // The report has been taken in: an error would have its sender send it again.
    row = await read().catch((error: unknown) => {
      if ((error as Partial<AppError>).code === 'UNAVAILABLE') return row;
      throw error;
    });
    const leftMs = until - performance.now();
    if (row.state !== 'RUNNING' || leftMs <= 0) return row;
    const tick = new Promise((resolve) => setTimeout(resolve, Math.min(pollMs, leftMs)));
    await Promise.race([ended.then(() => tick), tick]);
  }
}
