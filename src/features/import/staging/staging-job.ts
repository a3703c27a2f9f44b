// The input and the output of the staging thread: plain data, because it crosses threads.
import type { BulkOptions } from '../../../infra/postgres/bulk/connection.js';
import type { ReportFormatName } from '../../../reports/format.js';
import type { ReportWarning } from '../../../reports/notes.js';
import type { SeriesState } from '../../finding/runs/series.js';

/** A report to stage. */
export interface StagingJob {
  importId: string;
  /** The report as it was sent. */
  file: string;
  format: ReportFormatName | null;
  maxUnpackedBytes: number;
  database: BulkOptions;
  projectId: string;
  target: string;
  category: string | null;
  branch: string | null;
  /** The tool according to the caller; otherwise the report names it. */
  tool: string | null;
  pathPrefix: string | null;
  /** Whether the report is the whole run, so that its results meet the findings at once. */
  isWholeRun: boolean;
}

/** Progress of reading a report. */
export interface StagingProgress {
  /** Results that the report holds. */
  read: number;
  /** Rows in staged_results. */
  staged: number;
  /** Results that the branch shows as they are. */
  sighted: number;
}

/** Outcome of staging. */
export interface StagedReport extends StagingProgress {
  format: ReportFormatName;
  tool: string | null;
  /** The tool that the report names. */
  reportedTool: string | null;
  toolVersion: string | null;
  duplicates: number;
  /** Results of the run by severity, INFO first, without duplicates. */
  counts: number[];
  skipped: Record<string, number>;
  warnings: ReportWarning[];
  warningCount: number;
  incomplete: string[];
  unreadPaths: string[];
  /** The version of the series when its findings were matched; null where there was none. */
  series: SeriesState | null;
}
