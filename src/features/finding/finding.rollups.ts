// Sums of open findings, due dates and turns for statistics: adds up their changes, checks them by a recount and corrects them.
// A trigger on findings writes the changes (docs/adr/0021).
import type { Statements } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';

/** Changes beyond which a table's are added up, and changes that one statement adds up. */
const manyChanges = 1000;
const batch = 20_000;

interface Rollup {
  table: Sql;
  /** Columns that identify a sum, none of them null. */
  key: Sql;
  isSameKey: Sql;
  /** Columns that are added up. */
  columns: Sql;
  sums: Sql;
  /** The condition that a sum says something. */
  isNeeded: Sql;
}

const bySeriesAndTime = {
  key: sql`project_id, series_id, minutes, starts_at`,
  isSameKey: sql`(old.series_id, old.minutes, old.starts_at, old.project_id) = (touched.series_id, touched.minutes, touched.starts_at, touched.project_id)`,
};
const ofChanges = {
  columns: sql`change`,
  sums: sql`sum(change) AS change`,
  isNeeded: sql`change <> 0`,
};
const trendColumns = sql`info, low, medium, high, critical, opened, closed, resolved, seconds`;
const rollups: readonly Rollup[] = [
  {
    table: sql`open_counts`,
    key: sql`project_id, series_id, facet, value`,
    isSameKey: sql`(old.facet, old.series_id, old.project_id, old.value) = (touched.facet, touched.series_id, touched.project_id, touched.value)`,
    ...ofChanges,
  },
  {
    table: sql`due_counts`,
    ...bySeriesAndTime,
    ...ofChanges,
  },
  {
    table: sql`trend_counts`,
    ...bySeriesAndTime,
    columns: trendColumns,
    sums: sql`sum(info) AS info, sum(low) AS low, sum(medium) AS medium, sum(high) AS high, sum(critical) AS critical,
      sum(opened) AS opened, sum(closed) AS closed, sum(resolved) AS resolved, sum(seconds) AS seconds`,
    isNeeded: sql`(info, low, medium, high, critical, opened, closed, resolved) <> (0, 0, 0, 0, 0, 0, 0, 0)`,
  },
];

/**
 * Adds changes to the sums of the same key, once there are many of them: in one statement for each table, so that readers see
 * the ones or the other. Sums without new changes stay as they are; those of nothing go.
 * @param least changes below which a table is left alone
 */
export async function compactRollups(tx: Pick<Statements, 'query'>, least = manyChanges): Promise<void> {
  for (const { table, key, isSameKey, columns, sums, isNeeded } of rollups) {
    const [many] = await tx.query<{ count: number }>(
      sql`SELECT count(*)::int AS count FROM (SELECT FROM ${table} WHERE NOT is_sum LIMIT ${least}) AS few`,
    );
    if ((many?.count ?? 0) < Math.max(least, 1)) continue;
    await tx.query(sql`
      WITH touched AS MATERIALIZED (
        SELECT DISTINCT ${key} FROM (SELECT ${key} FROM ${table} WHERE NOT is_sum ORDER BY id LIMIT ${batch}) AS changes
      ), gone AS (
        DELETE FROM ${table} AS old USING touched WHERE ${isSameKey} RETURNING old.*
      ), summed AS (SELECT ${key}, ${sums} FROM gone GROUP BY ${key})
      INSERT INTO ${table} (${key}, ${columns}, is_sum)
      SELECT ${key}, ${columns}, true FROM summed WHERE ${isNeeded}`);
  }
}

/** A sum that differs from the findings. */
export interface RollupFault {
  /** The counted rows. */
  name: string;
  projectId: string;
  counted: number;
  actual: number;
}

const isOpen = sql`is_present AND triage IN ('OPEN', 'CONFIRMED')`;
/** Each as series and as 0, the whole project. */
const series = sql`CROSS JOIN LATERAL (VALUES (finding.series_id), (0)) AS scope(series_id)`;

const openCompared = sql`open_compared AS (
  SELECT project_id, series_id, facet, value, sum(counted)::int AS counted, sum(actual)::int AS actual FROM (
    SELECT project_id, series_id, facet, value, change AS counted, 0 AS actual FROM open_counts
    UNION ALL SELECT project_id, series_id, 'SEVERITY', severity::text, 0, 1 FROM findings WHERE ${isOpen}
    UNION ALL SELECT finding.project_id, scope.series_id, 'RULE', rule_id, 0, 1 FROM findings AS finding ${series}
    WHERE ${isOpen} AND rule_id IS NOT NULL
    UNION ALL SELECT finding.project_id, scope.series_id, 'CWE', cwe.id::text, 0, 1 FROM findings AS finding ${series}
    CROSS JOIN LATERAL (SELECT DISTINCT unnest(finding.cwe_ids) AS id) AS cwe WHERE ${isOpen}
  ) AS sides GROUP BY 1, 2, 3, 4 HAVING sum(counted) <> sum(actual)
)`;

const dueCompared = sql`due_compared AS (
  SELECT project_id, series_id, minutes, starts_at, sum(counted)::int AS counted, sum(actual)::int AS actual FROM (
    SELECT project_id, series_id, minutes, starts_at, change AS counted, 0 AS actual FROM due_counts
    UNION ALL SELECT finding.project_id, scope.series_id, length.minutes,
      date_bin(make_interval(mins => length.minutes), due_at, timestamptz 'epoch'), 0, 1
    FROM findings AS finding ${series} CROSS JOIN (VALUES (60), (1440)) AS length(minutes) WHERE ${isOpen} AND due_at IS NOT NULL
  ) AS sides GROUP BY 1, 2, 3, 4 HAVING sum(counted) <> sum(actual)
)`;

/** Turns of the past are known to the sums alone; all that were added up are the findings that are open now. */
const trendCompared = sql`trend_compared AS (
  SELECT project_id, series_id, minutes, severity, sum(counted)::int AS counted, sum(actual)::int AS actual FROM (
    SELECT project_id, series_id, minutes, each.severity, each.change AS counted, 0 AS actual FROM trend_counts
    CROSS JOIN LATERAL (VALUES (0, info), (1, low), (2, medium), (3, high), (4, critical)) AS each(severity, change)
    UNION ALL SELECT finding.project_id, scope.series_id, length.minutes, severity, 0, 1 FROM findings AS finding ${series}
    CROSS JOIN (VALUES (15), (60), (1440)) AS length(minutes) WHERE ${isOpen}
  ) AS sides GROUP BY 1, 2, 3, 4 HAVING sum(counted) <> sum(actual)
)`;

const corrected = sql`, open_corrected AS (
    INSERT INTO open_counts (project_id, series_id, facet, value, change)
    SELECT project_id, series_id, facet, value, actual - counted FROM open_compared
  ), due_corrected AS (
    INSERT INTO due_counts (project_id, series_id, minutes, starts_at, change)
    SELECT project_id, series_id, minutes, starts_at, actual - counted FROM due_compared
  ), trend_corrected AS (
    INSERT INTO trend_counts (project_id, series_id, minutes, starts_at, info, low, medium, high, critical, opened, closed, resolved, seconds)
    SELECT project_id, series_id, minutes, date_bin(make_interval(mins => minutes), now(), timestamptz 'epoch'),
      CASE severity WHEN 0 THEN actual - counted ELSE 0 END, CASE severity WHEN 1 THEN actual - counted ELSE 0 END,
      CASE severity WHEN 2 THEN actual - counted ELSE 0 END, CASE severity WHEN 3 THEN actual - counted ELSE 0 END,
      CASE severity WHEN 4 THEN actual - counted ELSE 0 END, 0, 0, 0, 0
    FROM trend_compared
  )`;

/**
 * Compares the sums with the findings, in one statement.
 * @param isCorrected whether differences are written as further changes, which makes the sums right; turns as of now
 */
export function recountRollups(tx: Pick<Statements, 'query'>, isCorrected: boolean): Promise<RollupFault[]> {
  return tx.query<RollupFault>(sql`
    WITH ${openCompared}, ${dueCompared}, ${trendCompared}${isCorrected ? corrected : sql``}
    SELECT project_id AS "projectId", counted, actual,
      CASE series_id WHEN 0 THEN '' ELSE 'series ' || series_id || ', ' END || name AS name
    FROM (
      SELECT project_id, series_id, counted, actual, lower(facet::text COLLATE "C") || ' ' || value AS name FROM open_compared
      UNION ALL SELECT project_id, series_id, counted, actual, 'due within ' || minutes || ' min from ' || starts_at FROM due_compared
      UNION ALL SELECT project_id, series_id, counted, actual, 'trend by ' || minutes || ' min, severity ' || severity FROM trend_compared
    ) AS faults ORDER BY project_id, name, series_id`);
}
