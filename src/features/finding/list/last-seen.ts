// Pages of present findings in the order LAST_SEEN: the last run of its series on the branch saw each of them, so that their
// order is that of the series' runs, and an index has the order within a series.
import type { PageRequest, Position } from '../../../core/pagination.js';
import type { Reads } from '../../../infra/postgres/database.js';
import { raw, type Sql, sql, where } from '../../../infra/postgres/sql.js';
import type { FindingFilter } from '../finding.input.js';
import { estimateRows, fewRows } from './estimate.js';
import { allConditionsOf, conditionsOf, ranksOf } from './filter.js';
import { beyond, candidateOrder, type KeysetPlan, type PageSource } from './order.js';

/** See `candidatesOf`. */
export async function candidatesByLastRun(db: Reads, source: PageSource, request: PageRequest): Promise<Sql> {
  const { plan } = source;
  const isDescending = plan.isDescending !== request.isBackward;
  const tail = sql`ORDER BY ${candidateOrder(plan, isDescending)} LIMIT ${request.limit + 1}`;
  const conditions = allConditionsOf(source.filter, source.scope, source.now);
  if (isNarrow(source.filter) && (await estimateRows(db, conditions)) <= fewRows) {
    const bounds = boundsOnKeys(plan, request);
    return sql`SELECT * FROM (
      SELECT id, seen AS k0, severity AS k1, first_seen_at AS k2 FROM findings
      JOIN (${runsOf(source, sql`true`)}) AS run ON run.of_series = findings.series_id ${where(conditions)}
    ) AS part ${where(bounds)} ${tail}`;
  }
  const parts = rangesOf(plan, request).map(({ runs, rows }) => walk(source, runs, rows, isDescending, tail));
  return sql`SELECT * FROM (${parts.reduce((all, part) => sql`${all} UNION ALL ${part}`)}) AS part ${tail}`;
}

/** The series with the time of the last run that decides about presence. */
function runsOf({ scope }: PageSource, condition: Sql): Sql {
  const { series, projectIds, isByBranch } = scope;
  const ids = (values: readonly (number | null)[]) => sql`ANY(${values.filter((id) => id !== null)}::int[])`;
  const conditions = [
    sql`series.project_id = ANY(${[...projectIds]}::uuid[])`,
    ...(series === undefined ? [] : [sql`series.id = ${ids(series.map(({ id }) => id))}`]),
    isByBranch
      ? sql`branch.id = ${ids((series ?? []).map(({ branchId }) => branchId))}`
      : sql`branch.is_default`,
  ];
  return sql`SELECT * FROM (
    SELECT series.id AS of_series, COALESCE(max(branch.last_run_at), 'infinity') AS seen FROM scan_series AS series
    JOIN scan_branches AS branch ON branch.series_id = series.id ${where(conditions)} GROUP BY series.id
    ) AS run WHERE ${condition}`;
}

/** Walks through the series in the order of their runs and takes of each what a page may need. */
function walk(source: PageSource, runs: Sql, rows: Sql[], isDescending: boolean, tail: Sql): Sql {
  const { filter, scope, now } = source;
  const direction = raw(isDescending ? 'DESC' : 'ASC');
  const ranks = ranksOf(filter);
  const conditions = [
    sql`series_id = run.of_series`,
    ...(ranks === undefined ? [] : [sql`severity = ANY(${ranks}::smallint[])`]),
    ...(filter.triage == null ? [] : [sql`triage = ANY(${filter.triage}::triage_state[])`]),
    ...conditionsOf(filter, scope, now),
    ...rows,
  ];
  return sql`(SELECT own.id, run.seen AS k0, own.severity AS k1, own.first_seen_at AS k2
    FROM (${runsOf(source, runs)} ORDER BY seen ${direction}) AS run
    CROSS JOIN LATERAL (
      SELECT id, severity, first_seen_at FROM findings ${where(conditions)}
      ORDER BY severity ${direction}, first_seen_at ${direction}, id ${direction} LIMIT 101
    ) AS own ${tail})`;
}

interface Range {
  /** Condition on `seen`. */
  runs: Sql;
  /** Conditions on findings. */
  rows: Sql[];
}

/** The rows of a page as ranges that an index finds: the rest of the series at the position, and the series beyond it. */
function rangesOf(plan: KeysetPlan, { after, before }: PageRequest): Range[] {
  const position = after ?? before;
  if (position === null) return [{ runs: sql`true`, rows: [] }];
  // With both, the second position is a plain condition: such pages are asked for within pages.
  const isLess = after !== null ? plan.isDescending : !plan.isDescending;
  const seen = momentIn(position);
  const ranges = [
    { runs: sql`seen = ${seen}::timestamptz`, rows: [beyond(plan, position, isLess, 1)] },
    { runs: sql`seen ${raw(isLess ? '<' : '>')} ${seen}::timestamptz`, rows: [] },
  ];
  if (after === null || before === null) return ranges;
  const until = momentIn(before);
  const operator = raw(plan.isDescending ? '>' : '<');
  const within = beyond(plan, before, !plan.isDescending, 1);
  return ranges.map(({ runs, rows }) => ({
    runs,
    rows: [
      ...rows,
      sql`(run.seen ${operator} ${until}::timestamptz OR (run.seen = ${until}::timestamptz AND ${within}))`,
    ],
  }));
}

const momentIn = ({ key = '' }: Position) => key.split('|')[0] as string;

/** The bounds of a page on candidates, which name the keys k0, k1, … */
function boundsOnKeys(plan: KeysetPlan, { after, before }: PageRequest): Sql[] {
  const named = { ...plan, keys: plan.keys.map((key, at) => ({ ...key, expression: raw(`k${at}`) })) };
  return [
    ...(after === null ? [] : [beyond(named, after, plan.isDescending)]),
    ...(before === null ? [] : [beyond(named, before, !plan.isDescending)]),
  ];
}

/** Filters that may leave few findings. */
const narrowing = [
  'ruleId',
  'cweId',
  'cveId',
  'search',
  'assigneeId',
  'overdue',
  'firstSeenAfter',
  'firstSeenBefore',
  'triage',
] as const satisfies readonly (keyof FindingFilter)[];

/** Whether the filter may leave few findings, so that an estimate is worth its round trip. */
const isNarrow = (filter: FindingFilter) => narrowing.some((name) => filter[name] != null);
