// The trend of findings by day, week or month of a time zone: how many opened and closed, how many were open at the end, and how
// long the resolved ones had been open. It is derived from when findings were seen and from the history of their triage.
import { invalid } from '../../core/errors.js';
import type { Database } from '../../infra/postgres/database.js';
import { type Sql, sql, where } from '../../infra/postgres/sql.js';
import type { StatisticsFilter } from './statistics.input.js';

/** Findings by severity; the index is the rank. */
export type Ranks = readonly number[];

/** A bucket of the trend. */
export interface Bucket {
  /** RFC 3339 */
  from: string;
  /** Open findings at its end, by their severity of today. */
  open: Ranks;
  opened: number;
  closed: number;
}

/** The trend, and the mean time to resolve within it. */
export interface Trend {
  buckets: Bucket[];
  /** Seconds; null when nothing was resolved. */
  meanSecondsToResolve: number | null;
}

/** Most buckets of a trend. */
export const maxBuckets = 400;
const usualBuckets = 30;
const dayMs = 86_400_000;
const units = {
  DAY: { name: 'day', step: '1 day', usualMs: dayMs },
  WEEK: { name: 'week', step: '7 days', usualMs: 7 * dayMs },
  MONTH: { name: 'month', step: '1 month', usualMs: 30 * dayMs },
};

interface Edge {
  starts: string;
  ends: string;
}

interface Change {
  /** 0 for everything before the first bucket. */
  bucket: number;
  severity: number;
  opened: number;
  closed: number;
  resolved: number;
  seconds: number;
}

/**
 * Reads the trend of the findings that meet the conditions.
 * @throws VALIDATION_FAILED for a range without a length or of more than 400 buckets
 */
export async function readTrend(
  db: Database,
  conditions: Sql[],
  filter: StatisticsFilter,
  nowMs: number,
): Promise<Trend> {
  const edges = await readEdges(db, filter, nowMs);
  const changes = await db.queryUncached<Change>(changesWithin(conditions, edges));
  const within = changes.filter(({ bucket }) => bucket > 0);
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  const open = ranksOf(changes.filter(({ bucket }) => bucket === 0));
  const buckets = edges.map(({ starts }, index) => {
    const own = within.filter(({ bucket }) => bucket === index + 1);
    for (const [rank, change] of ranksOf(own).entries()) open[rank] = (open[rank] ?? 0) + change;
    return {
      from: starts,
      open: [...open],
      opened: sum(own.map(({ opened }) => opened)),
      closed: sum(own.map(({ closed }) => closed)),
    };
  });
  const resolved = sum(within.map((change) => change.resolved));
  const seconds = sum(within.map((change) => change.seconds));
  return { buckets, meanSecondsToResolve: resolved === 0 ? null : seconds / resolved };
}

function ranksOf(changes: readonly Change[]): number[] {
  const ranks = [0, 0, 0, 0, 0];
  for (const { severity, opened, closed } of changes)
    ranks[severity] = (ranks[severity] ?? 0) + opened - closed;
  return ranks;
}

/** The bounds of the buckets. They are computed as local times, so that a day has 23 or 25 hours where clocks change. */
async function readEdges(db: Database, filter: StatisticsFilter, nowMs: number): Promise<Edge[]> {
  const { name, step, usualMs } = units[filter.bucket ?? 'DAY'];
  const to = filter.to ?? new Date(nowMs);
  const from = filter.from ?? new Date(to.getTime() - (usualBuckets - 1) * usualMs);
  const zone = filter.timeZone ?? 'UTC';
  if (from >= to) throw invalid('filter.from', 'must be before the end of the trend');
  const tooMany = invalid('filter.from', `must leave at most ${maxBuckets} buckets`);
  // Roughly, before they are made; exactly below.
  if ((to.getTime() - from.getTime()) / usualMs > 2 * maxBuckets) throw tooMany;
  const local = (moment: Date) =>
    sql`date_trunc(${name}::text, ${moment}::timestamptz AT TIME ZONE ${zone}::text)`;
  const last = new Date(to.getTime() - 1);
  const edges = await db.queryUncached<Edge>(sql`
    SELECT start AT TIME ZONE ${zone}::text AS starts, (start + ${step}::interval) AT TIME ZONE ${zone}::text AS ends
    FROM generate_series(${local(from)}, ${local(last)}, ${step}::interval) AS start ORDER BY start`);
  if (edges.length > maxBuckets) throw tooMany;
  return edges;
}

const openStates = sql`('OPEN', 'CONFIRMED')`;

/**
 * Times in which findings were open: a finding is from the first run that saw it to the last one, or until now while it is
 * present, in a state that waits for a fix. Findings that the default branch has never shown have none.
 */
function openTimes(conditions: Sql[]): Sql {
  return sql`
    scope AS MATERIALIZED (
      SELECT id, severity, triage, first_seen_at, CASE WHEN is_present THEN 'infinity' ELSE last_seen_at END AS gone_at
      FROM findings ${where([...conditions, sql`(is_present OR last_seen_at IS NOT NULL)`])}
    ), turns AS MATERIALIZED (
      SELECT event.finding_id, event.at, event."from" IN ${openStates} AS was_open, event."to" = 'RESOLVED' AS is_fix,
        row_number() OVER turned AS number, lead(event.at) OVER turned AS next_at,
        lead(event."to" = 'RESOLVED') OVER turned AS is_next_fix
      FROM triage_events AS event JOIN scope ON scope.id = event.finding_id
      WHERE (event."from" IN ${openStates}) <> (event."to" IN ${openStates})
      WINDOW turned AS (PARTITION BY event.finding_id ORDER BY event.at, event.id)
    ), pieces AS (
      SELECT severity, first_seen_at AS starts, NULL::timestamptz AS turns_at, false AS is_fix, gone_at FROM scope
      WHERE triage IN ${openStates} AND NOT EXISTS (SELECT FROM turns WHERE finding_id = scope.id)
      UNION ALL
      SELECT severity, first_seen_at, at, is_fix, gone_at FROM turns JOIN scope ON scope.id = finding_id
      WHERE number = 1 AND was_open
      UNION ALL
      SELECT severity, greatest(at, first_seen_at), next_at, coalesce(is_next_fix, false), gone_at
      FROM turns JOIN scope ON scope.id = finding_id WHERE NOT was_open
    ), times AS (
      SELECT severity, starts, least(coalesce(turns_at, 'infinity'), gone_at) AS ends,
        is_fix OR gone_at < coalesce(turns_at, 'infinity') AS is_resolved
      FROM pieces WHERE starts < least(coalesce(turns_at, 'infinity'), gone_at)
    )`;
}

function changesWithin(conditions: Sql[], edges: readonly Edge[]): Sql {
  const starts = edges.map((edge) => edge.starts);
  const end = edges.at(-1)?.ends ?? null;
  return sql`
    WITH ${openTimes(conditions)}
    SELECT width_bucket(change.at, ${starts}::timestamptz[]) AS bucket, severity,
      count(*) FILTER (WHERE change.is_opening)::int AS opened,
      count(*) FILTER (WHERE NOT change.is_opening)::int AS closed,
      count(*) FILTER (WHERE NOT change.is_opening AND is_resolved)::int AS resolved,
      coalesce(sum(extract(epoch FROM ends - starts)) FILTER (WHERE NOT change.is_opening AND is_resolved), 0)::float8 AS seconds
    FROM times CROSS JOIN LATERAL (VALUES (starts, true), (ends, false)) AS change(at, is_opening)
    WHERE change.at < ${end}::timestamptz GROUP BY 1, 2`;
}
