// The dependencies of the functions that work on an import.
import type { Logger } from 'pino';
import type { BulkOptions } from '../../infra/postgres/bulk/connection.js';
import type { Database } from '../../infra/postgres/database.js';
import type { ExecutionService } from '../execution/execution.service.js';
import type { MergeRun } from '../finding/runs/merge.js';
import type { ReportRun } from '../webhook/webhook.events.js';
import type { Spool } from './staging/spool.js';

/** Dependencies of running imports. */
export interface ImportRunOptions {
  db: Database;
  /** For connections of its own. */
  bulk: BulkOptions;
  executions: ExecutionService;
  merge: MergeRun;
  /** Queues webhook events for the import and its findings. */
  reportRun: ReportRun;
  spool: Spool;
  log: Logger;
  maxUnpackedBytes: number;
  /** This instance. */
  workerId: string;
  /** Of an import: the instance that works on it renews it. */
  leaseMs: number;
  /** Of an execution that an import has made: longer, so that another instance can take the import up. */
  executionLeaseMs: number;
  /** Number of times that this process has begun each import whose end it could not write. */
  runs: Map<string, number>;
  /** Milliseconds since 1970. */
  now: () => number;
}
