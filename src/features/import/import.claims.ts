// The claims that come with a report, and the dependencies of accepting it.
import type { Readable } from 'node:stream';
import type { TestKind } from '../../generated/prisma/enums.js';
import type { Database } from '../../infra/postgres/database.js';
import type { ReportFormatName } from '../../reports/format.js';
import type { AuditService } from '../audit/audit.service.js';
import type { ExecutionService } from '../execution/execution.service.js';
import type { Spool, SpooledReport } from './staging/spool.js';

/** The caller's description of a report. */
export interface ReportClaims {
  /** The running execution that it is added to; without it the import makes one. */
  executionId?: string | null | undefined;
  project?: string | null | undefined;
  target?: string | null | undefined;
  name?: string | null | undefined;
  kind?: TestKind | null | undefined;
  branch?: string | null | undefined;
  commit?: string | null | undefined;
  category?: string | null | undefined;
  format?: ReportFormatName | null | undefined;
  pathPrefix?: string | null | undefined;
}

/** Sends a report to the function that keeps it. */
export type SendReport = (keep: (report: Readable) => Promise<SpooledReport>) => Promise<SpooledReport>;

/** Dependencies of accepting reports. */
export interface AcceptOptions {
  db: Database;
  audit: AuditService;
  executions: ExecutionService;
  spool: Spool;
  maxUnpackedBytes: number;
  workerId: string;
  leaseMs: number;
  executionLeaseMs: number;
  /** Milliseconds since 1970. */
  now: () => number;
}
