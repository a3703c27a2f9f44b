// Reads a report into the staging tables: results that the branch already shows as sightings, all others as rows with the
// findings that they were recognised as. No reader sees them before the merge. Runs in a thread of its own.
import { createReadStream } from 'node:fs';
import { type BulkConnection, openBulkConnection } from '../../../infra/postgres/bulk/connection.js';
import { sql } from '../../../infra/postgres/sql.js';
import type { ReportItem } from '../../../reports/item.js';
import { createNotes, maxWarnings } from '../../../reports/notes.js';
import { createReportSource } from '../../../reports/read/source.js';
import { type OpenReport, openReport } from '../../../reports/read-report.js';
import { maxLeft } from '../../finding/identity/leftovers.js';
import { matchStaged } from '../../finding/runs/match-staged.js';
import { createPlacer, type Place } from './place.js';
import { createStager } from './stager.js';
import type { StagedReport, StagingJob, StagingProgress } from './staging-job.js';

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
