// Reads a report into the staging tables: results that the branch already shows as sightings, all others as rows with the
// findings that they were recognised as. No reader sees them before the merge. Runs in a thread of its own.
import { createReadStream } from 'node:fs';
import { createKeySet } from '../../../core/key-set.js';
import {
  type BulkConnection,
  type BulkOptions,
  openBulkConnection,
} from '../../../infra/postgres/bulk/connection.js';
import { sql } from '../../../infra/postgres/sql.js';
import type { ReportFormatName } from '../../../reports/format.js';
import type { ReportItem } from '../../../reports/item.js';
import { createNotes, maxWarnings, type ReportNotes, type ReportWarning } from '../../../reports/notes.js';
import { createReportSource } from '../../../reports/read/source.js';
import { type OpenReport, openReport } from '../../../reports/read-report.js';
import { maxLeft } from '../../finding/identity/leftovers.js';
import { matchStaged } from '../../finding/runs/match-staged.js';
import { findSeries, type SeriesState } from '../../finding/runs/series.js';
import { createPlacer, type Place } from './place.js';
import { contentKeyOf, stagedColumns, stagedLine } from './staged-row.js';
import { createTextPool } from './text-pool.js';

/** A report to stage; plain data, so that a thread can be given it. */
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
  /** What the caller says the tool is; otherwise the report says it. */
  tool: string | null;
  pathPrefix: string | null;
  /** Whether the report is the whole run, so that its results meet the findings at once. */
  isWholeRun: boolean;
}

/** How far the reading of a report is. */
export interface StagingProgress {
  /** Results that the report holds. */
  read: number;
  /** Rows in staged_results. */
  staged: number;
  /** Results that the branch shows as they are. */
  sighted: number;
}

/** What staging found out. */
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
  /** What the series was when its findings were matched; null where there was none. */
  series: SeriesState | null;
}

const batchSize = 1000;

/**
 * Stages a report.
 * @throws VALIDATION_FAILED with the place of a fault
 * @throws UNAVAILABLE when the database is down
 */
export async function stageReport(
  job: StagingJob,
  onProgress: (progress: StagingProgress) => void,
): Promise<StagedReport> {
  const source = createReportSource(() => createReadStream(job.file), job.maxUnpackedBytes);
  const report = await openReport(source, job.format ?? undefined);
  const place = await createPlacer(report, job.pathPrefix);
  const [rows, lookups] = await Promise.all([
    openBulkConnection(job.database),
    openBulkConnection(job.database),
  ]);
  try {
    await clearStaged(lookups, job.importId);
    // One transaction for all lookups, by an index: a table that has just been filled has no statistics yet.
    await lookups.query(sql`BEGIN`);
    await lookups.query(sql`SET LOCAL enable_seqscan = off`);
    const staged = await stageItems(job, report, place, rows, lookups, onProgress);
    await lookups.query(sql`COMMIT`);
    const { series } = staged;
    if (!job.isWholeRun || series?.hasFindings !== true || staged.staged === 0) return staged;
    const isTooMuch = await matchStaged(rows, lookups, job.importId, series);
    return isTooMuch ? withWarning(staged, tooMuchMoved) : staged;
  } finally {
    await Promise.allSettled([rows.close(), lookups.close()]);
  }
}

const tooMuchMoved =
  `More than ${maxLeft} findings and results have no partner in their files, so the import did not look for renamed files: ` +
  'what moved counts as absent and new.';

/** In front of the others: it says what the numbers mean. */
function withWarning(staged: StagedReport, message: string): StagedReport {
  const warnings = [{ message, pointer: null }, ...staged.warnings].slice(0, maxWarnings);
  return { ...staged, warnings, warningCount: staged.warningCount + 1 };
}

/** Forgets what an earlier attempt has staged. */
export async function clearStaged(
  connection: Pick<BulkConnection, 'query'>,
  importId: string,
): Promise<void> {
  await connection.query(sql`DELETE FROM staged_matches WHERE import_id = ${importId}::uuid`);
  await connection.query(sql`DELETE FROM staged_sightings WHERE import_id = ${importId}::uuid`);
  await connection.query(sql`DELETE FROM staged_results WHERE import_id = ${importId}::uuid`);
}

async function stageItems(
  job: StagingJob,
  report: OpenReport,
  place: Place,
  rows: BulkConnection,
  lookups: BulkConnection,
  onProgress: (progress: StagingProgress) => void,
): Promise<StagedReport> {
  const notes = createNotes();
  const stager = createStager(job, report.format, notes, place, rows, lookups);
  let waiting: ReportItem[] = [];
  const take = async (items: ReportItem[]) => {
    await stager.take(items);
    onProgress({ read: notes.read, staged: stager.tally.staged, sighted: stager.tally.sighted });
  };
  for await (const items of report.read(notes)) {
    for (const item of items) waiting.push(item);
    while (waiting.length >= batchSize) {
      await take(waiting.slice(0, batchSize));
      waiting = waiting.slice(batchSize);
    }
  }
  await take(waiting);
  const known = await stager.end();
  const { facts, warnings, warningCount, skipped, read } = notes;
  return {
    ...known,
    ...stager.tally,
    format: report.format,
    reportedTool: facts.tool,
    toolVersion: facts.toolVersion,
    read,
    skipped: Object.fromEntries(skipped),
    warnings,
    warningCount,
    incomplete: facts.incomplete,
    unreadPaths: [...facts.unreadPaths].map(place.path),
  };
}

/** Writes batches of results to the working tables; the first batch settles which tool, and so which series, it is. */
function createStager(
  job: StagingJob,
  format: ReportFormatName,
  notes: ReportNotes,
  place: Place,
  rows: BulkConnection,
  lookups: BulkConnection,
) {
  const seen = createKeySet();
  const tally = { staged: 0, sighted: 0, duplicates: 0, counts: [0, 0, 0, 0, 0] };
  const copy = rows.copyInto('staged_results', stagedColumns);
  let known: { tool: string; series: SeriesState | null } | undefined;
  let position = 0;
  const { importId } = job;
  const [startedMs, texts] = [Date.now(), createTextPool()];

  const begin = async () => {
    const tool = job.tool ?? notes.facts.tool ?? format.toLowerCase().replace(/_(json|xml)$/, '');
    return { tool, series: job.isWholeRun ? await findSeries(lookups, { ...job, tool }) : null };
  };

  const freshOf = (items: readonly ReportItem[]) =>
    items.flatMap((given) => {
      const item = place.item(given);
      const key = contentKeyOf(item);
      position += 1;
      if (!seen.add(key)) {
        tally.duplicates += 1;
        return [];
      }
      tally.counts[item.severity] = (tally.counts[item.severity] ?? 0) + 1;
      return [{ item, key, position }];
    });

  return {
    tally,
    async take(items: readonly ReportItem[]): Promise<void> {
      known ??= await begin();
      const { tool, series } = known;
      const fresh = freshOf(items);
      const shown = await findKnown(lookups, importId, series, fresh);
      tally.sighted += shown.size;
      let lines = '';
      for (const { item, key, position: at } of fresh)
        if (!shown.has(key)) lines += stagedLine({ importId, startedMs, tool, texts }, at, item, key);
      tally.staged += fresh.length - shown.size;
      if (lines !== '') await copy.write(lines);
    },
    async end() {
      await copy.end();
      await texts.store(rows);
      return known ?? begin();
    },
  };
}

/**
 * Looks results up by place and content among what the branch shows. On a branch without a run it looks at the default one:
 * those are matched, not sighted, because the branch needs rows of its own.
 * @returns the keys of results that need no row
 */
async function findKnown(
  lookups: BulkConnection,
  importId: string,
  series: SeriesState | null,
  fresh: readonly { key: string; position: number }[],
): Promise<Set<string>> {
  const branchId = series?.branchId ?? series?.defaultBranchId;
  if (branchId == null || fresh.length === 0) return new Set();
  // The limit keeps the look-up of each key by itself: joined without statistics, it reads the whole branch for every batch.
  const shown = sql`
    SELECT id, finding_id FROM test_results
    WHERE scan_branch_id = ${branchId} AND until_run IS NULL AND shared_key = given.key LIMIT 1`;
  const isOwn = series?.branchId != null;
  const known = await lookups.query<{ key: string }>(
    isOwn
      ? sql`
        WITH known AS (
          SELECT given.key, given.position, result.id, result.finding_id
          FROM unnest(${fresh.map(({ key }) => key)}::uuid[], ${fresh.map(({ position }) => position)}::int[])
            AS given(key, position)
          CROSS JOIN LATERAL (${shown}) AS result
        ), sighted AS (
          INSERT INTO staged_sightings (import_id, position, result_id, finding_id)
          SELECT ${importId}::uuid, position, id, finding_id FROM known
        )
        SELECT key FROM known`
      : sql`
        INSERT INTO staged_matches (import_id, position, finding_id)
        SELECT ${importId}::uuid, given.position, result.finding_id
        FROM unnest(${fresh.map(({ key }) => key)}::uuid[], ${fresh.map(({ position }) => position)}::int[])
          AS given(key, position)
        CROSS JOIN LATERAL (${shown}) AS result`,
  );
  return new Set(known.map(({ key }) => key));
}
