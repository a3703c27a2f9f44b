// Writes batches of results to the staging tables, and looks them up among the results that the branch shows.
import { createKeySet } from '../../../core/key-set.js';
import type { BulkConnection } from '../../../infra/postgres/bulk/connection.js';
import { sql } from '../../../infra/postgres/sql.js';
import type { ReportFormatName } from '../../../reports/format.js';
import type { ReportItem } from '../../../reports/item.js';
import type { ReportNotes } from '../../../reports/notes.js';
import { findSeries, type SeriesState } from '../../finding/runs/series.js';
import type { Place } from './place.js';
import { contentKeyOf, stagedColumns, stagedLine } from './staged-row.js';
import type { StagingJob } from './staging-job.js';
import { createTextPool } from './text-pool.js';

/**
 * Writes batches of results to the staging tables; the first batch settles which tool, and so which series, it is.
 * @param rows connection that the rows are copied through
 * @param lookups connection with the transaction of the look-ups
 */
export function createStager(
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
