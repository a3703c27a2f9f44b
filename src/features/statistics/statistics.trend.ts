// The trend of findings by day, week or month of a time zone: how many opened and closed, how many were open at the end, and how
// long the resolved ones had been open. It adds up whole UTC days, and the hours or quarters of hours around the buckets' bounds.
import { invalid } from '../../core/errors.js';
import type { Reads } from '../../infra/postgres/database.js';
import { type Sql, sql, where } from '../../infra/postgres/sql.js';
import type { StatisticsFilter } from './statistics.input.js';
import { openBySeverity } from './statistics.reads.js';
import type { Scope } from './statistics.scope.js';

/** Findings by severity; the index is the rank. */
export type Ranks = readonly number[];

/** A bucket of the trend. */
export interface Bucket {
  /** RFC 3339 */
  from: string;
  /** Open findings at its end, by the severity that they had. */
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

/** Changes within a stretch of time. */
interface Changes {
  /** Of open findings by severity. */
  ranks: Ranks;
  opened: number;
  closed: number;
  resolved: number;
  seconds: number;
}

interface Row extends Changes {
  /** `now`: the open findings. `days`: after this many bounds of buckets. `rest`: from the UTC midnight before a bound to it. */
  part: 'now' | 'days' | 'rest';
  bound: number;
}

/**
 * Reads the trend.
 * @throws VALIDATION_FAILED for a range without a length or of more than 400 buckets
 */
export async function readTrend(
  db: Reads,
  scope: Scope,
  filter: StatisticsFilter,
  nowMs: number,
): Promise<Trend> {
  const edges = await readEdges(db, filter, nowMs);
  const bounds = [...edges.map(({ starts }) => starts), edges.at(-1)?.ends ?? ''];
  const rows = await db.query<Row>(changesAround(scope, bounds));
  const zero: Changes = { ranks: [0, 0, 0, 0, 0], opened: 0, closed: 0, resolved: 0, seconds: 0 };
  const of = (part: Row['part'], bound: number) =>
    rows.find((row) => row.part === part && row.bound === bound) ?? zero;
  // Changes from the UTC midnight before the first bound to each bound.
  let days = zero;
  const before = bounds.map((_bound, index) => {
    days = index === 0 ? zero : plus(days, of('days', index));
    return plus(days, of('rest', index + 1));
  });
  const after = plus(days, of('days', bounds.length));
  const open = of('now', 0).ranks;
  const buckets = edges.map(({ starts }, index) => {
    const end = before[index + 1] ?? zero;
    const own = plus(end, before[index] ?? zero, -1);
    const later = plus(after, end, -1);
    return {
      from: starts,
      open: open.map((count, rank) => count - (later.ranks[rank] ?? 0)),
      opened: own.opened,
      closed: own.closed,
    };
  });
  const { resolved, seconds } = plus(before.at(-1) ?? zero, before[0] ?? zero, -1);
  return { buckets, meanSecondsToResolve: resolved === 0 ? null : seconds / resolved };
}

function plus(one: Changes, other: Changes, sign = 1): Changes {
  return {
    ranks: one.ranks.map((count, rank) => count + sign * (other.ranks[rank] ?? 0)),
    opened: one.opened + sign * other.opened,
    closed: one.closed + sign * other.closed,
    resolved: one.resolved + sign * other.resolved,
    seconds: one.seconds + sign * other.seconds,
  };
}

/** The bounds of the buckets. They are computed as local times, so that a day has 23 or 25 hours where clocks change. */
async function readEdges(db: Reads, filter: StatisticsFilter, nowMs: number): Promise<Edge[]> {
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
  const edges = await db.query<Edge>(sql`
    SELECT start AT TIME ZONE ${zone}::text AS starts, (start + ${step}::interval) AT TIME ZONE ${zone}::text AS ends
    FROM generate_series(${local(from)}, ${local(last)}, ${step}::interval) AS start ORDER BY start`);
  if (edges.length > maxBuckets) throw tooMany;
  return edges;
}

/**
 * Open findings now, and changes around bounds, in one statement, so that they fit together: of the UTC days from the first
 * bound on, by how many bounds lie before them, and of the stretch between each bound and the UTC midnight before it.
 */
function changesAround({ rollups, ...scope }: Scope, bounds: readonly string[]): Sql {
  const midnight = (moment: Sql) => sql`date_trunc('day', ${moment}, 'UTC')`;
  const isHourly = bounds.every((bound) => new Date(bound).getTime() % 3_600_000 === 0);
  const sums = sql`ARRAY[coalesce(sum(info), 0), coalesce(sum(low), 0), coalesce(sum(medium), 0), coalesce(sum(high), 0),
      coalesce(sum(critical), 0)]::int[] AS ranks,
    coalesce(sum(opened), 0)::int AS opened, coalesce(sum(closed), 0)::int AS closed, coalesce(sum(resolved), 0)::int AS resolved,
    coalesce(sum(seconds), 0)::float8 AS seconds`;
  return sql`
    WITH bounds AS MATERIALIZED (
      SELECT at, number::int, ${midnight(sql`at`)} AS midnight
      FROM unnest(${[...bounds]}::timestamptz[]) WITH ORDINALITY AS bound(at, number)
    )
    SELECT 'now' AS part, 0 AS bound, array_agg(coalesce(count, 0) ORDER BY rank) AS ranks, 0 AS opened, 0 AS closed, 0 AS resolved,
      0::float8 AS seconds
    FROM generate_series(0, 4) AS rank LEFT JOIN (${openBySeverity({ rollups, ...scope })}) AS open ON open.severity = rank
    UNION ALL
    SELECT 'days', width_bucket(starts_at, ARRAY(SELECT midnight FROM bounds ORDER BY number)) AS bound, ${sums}
    FROM trend_counts ${where([...rollups, sql`minutes = 1440`, sql`starts_at >= (SELECT min(midnight) FROM bounds)`])} GROUP BY 2
    UNION ALL
    SELECT 'rest', bounds.number, rest.* FROM bounds CROSS JOIN LATERAL (
      SELECT ${sums} FROM trend_counts
      ${where([...rollups, sql`minutes = ${isHourly ? 60 : 15}::smallint`, sql`starts_at >= bounds.midnight AND starts_at < bounds.at`])}
    ) AS rest WHERE bounds.at > bounds.midnight`;
}
