// Reads what a run has of another run's findings: exact counts of new, fixed, unchanged and reopened ones, and pages of them.
import type { PageRequest } from '../../../core/pagination.js';
import type { Reads } from '../../../infra/postgres/database.js';
import { type Columns, join, raw, type Sql, sql, where } from '../../../infra/postgres/sql.js';
import { type FindingRow, selectionOf } from '../finding.rows.js';
import { candidateColumns, candidateOrder, planOf } from './order.js';
import { boundsOf } from './page.js';
import { type RunRow, rowsOfRun } from './run-rows.js';

/** The parts of a comparison. */
export const partNames = ['new', 'fixed', 'unchanged', 'reopened'] as const;
/** A part of a comparison. */
export type Part = (typeof partNames)[number];

/** Two runs of one target whose results have met the findings. */
export interface ComparedRuns {
  base: RunRow;
  head: RunRow;
}

/** A page of a part, the worst first. */
export interface PartPage {
  part: Part;
  request: PageRequest;
}

/** Counts of all parts, and for each page the ids of its findings and of one more, in the direction of fetching. */
export interface ComparedParts {
  counts: Record<Part, number>;
  pages: string[][];
}

/** The order of all parts. */
export const worstFirst = planOf({ field: 'SEVERITY', direction: 'DESC' });

const idsOf = (run: RunRow) =>
  sql`SELECT DISTINCT finding_id FROM (${rowsOfRun(run)}) AS seen WHERE finding_id IS NOT NULL`;

/**
 * Whether a run of the base's branch before the base saw the finding. LIMIT makes PostgreSQL look each finding up by the index
 * instead of hashing a scan of all results.
 */
function isSeenBefore({ scanBranchId, runNumber }: RunRow, findingId: Sql): Sql {
  return sql`(SELECT TRUE FROM test_results AS was WHERE was.finding_id = ${findingId}
    AND was.scan_branch_id = ${scanBranchId}::int AND was.from_run < ${runNumber}::int LIMIT 1) IS TRUE`;
}

/** Counts all parts and finds the ids of pages, in one statement that joins the two runs once. */
export async function readParts(
  db: Reads,
  runs: ComparedRuns,
  pages: readonly PartPage[],
): Promise<ComparedParts> {
  const placed = pages.length === 0 ? [] : [sql`, placed AS MATERIALIZED (${placedIn(runs)})`];
  const [row] = await db.queryUncached<Record<string, number> & Record<`page${number}`, string[]>>(sql`
    WITH compared AS MATERIALIZED (${comparedIn(runs)})${join([sql``, ...placed], '')}
    SELECT ${join([
      ...partNames.map((part) => sql`count(*) FILTER (WHERE part = ${part})::int AS ${raw(part)}`),
      ...pages.map((page, at) => sql`(${idsOfPage(page)}) AS ${raw(`page${at}`)}`),
    ])} FROM compared`);
  const countOf = (part: Part) => row?.[part] ?? 0;
  return {
    counts: {
      new: countOf('new'),
      fixed: countOf('fixed'),
      unchanged: countOf('unchanged'),
      reopened: countOf('reopened'),
    },
    pages: pages.map((_page, at) => row?.[`page${at}`] ?? []),
  };
}

/** The findings of both runs with the part that each belongs to. */
function comparedIn({ base, head }: ComparedRuns): Sql {
  return sql`SELECT coalesce(of_base.finding_id, of_head.finding_id) AS finding_id,
      CASE WHEN of_head.finding_id IS NULL THEN 'fixed' WHEN of_base.finding_id IS NOT NULL THEN 'unchanged'
        WHEN ${isSeenBefore(base, sql`of_head.finding_id`)} THEN 'reopened' ELSE 'new' END AS part
    FROM (${idsOf(base)}) AS of_base FULL JOIN (${idsOf(head)}) AS of_head ON of_head.finding_id = of_base.finding_id`;
}

/** The compared findings with their keys. Naming their series spares a scan of all findings: an index has the keys by series. */
function placedIn({ base, head }: ComparedRuns): Sql {
  const branches = [base, head].flatMap(({ scanBranchId }) => scanBranchId ?? []);
  const series = sql`series_id = ANY(ARRAY(SELECT series_id FROM scan_branches WHERE id = ANY(${branches}::int[])))`;
  return sql`SELECT id, severity, first_seen_at, part FROM compared JOIN findings ON id = finding_id
    ${where(branches.length === 2 ? [series] : [])}`;
}

function idsOfPage({ part, request }: PartPage): Sql {
  const isDescending = worstFirst.isDescending !== request.isBackward;
  return sql`ARRAY(SELECT id FROM (
      SELECT ${candidateColumns(worstFirst)} FROM placed ${where([sql`part = ${part}`, ...boundsOf(worstFirst, request)])}
    ) AS candidate ORDER BY ${candidateOrder(worstFirst, isDescending)} LIMIT ${request.limit + 1})`;
}

/** The findings with these ids, in the order of the ids. */
export async function readInOrder(db: Reads, ids: readonly string[], wanted: Columns): Promise<FindingRow[]> {
  if (ids.length === 0) return [];
  const { columns, joins } = selectionOf(wanted);
  return db.queryUncached<FindingRow>(sql`
    SELECT ${columns} FROM unnest(${[...ids]}::uuid[]) WITH ORDINALITY AS candidate(id, place)
      JOIN findings AS finding ON finding.id = candidate.id ${joins} ORDER BY candidate.place`);
}
