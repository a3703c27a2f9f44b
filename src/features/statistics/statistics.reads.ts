// Figures of open findings as of now: by severity, rule, CWE and target, and the number of overdue ones. They are sums of
// rollups (docs/adr/0021), so that they cost the same however many findings there are.
import type { Reads } from '../../infra/postgres/database.js';
import { type Sql, sql, where } from '../../infra/postgres/sql.js';
import type { Scope } from './statistics.scope.js';

/** Findings by severity, as executions carry them. */
export interface RankCounts {
  infoCount: number;
  lowCount: number;
  mediumCount: number;
  highCount: number;
  criticalCount: number;
}

/** Entries of each list of the most frequent. */
export const maxTop = 10;

/** Counts by severity, of the index of their rank. */
export function toCounts(ranks: readonly number[]): RankCounts {
  const [infoCount = 0, lowCount = 0, mediumCount = 0, highCount = 0, criticalCount = 0] = ranks;
  return { infoCount, lowCount, mediumCount, highCount, criticalCount };
}

/** The numbers of open findings as rows of (severity, count). */
export function openBySeverity({ projects, rollups, isWhole }: Scope): Sql {
  if (isWhole)
    return sql`
      SELECT severity::int AS severity, sum(change)::int AS count FROM finding_counts
      ${where([...projects, sql`is_present AND triage IN ('OPEN', 'CONFIRMED')`])} GROUP BY severity`;
  return sql`
    SELECT value::int AS severity, sum(change)::int AS count FROM open_counts
    ${where([sql`facet = 'SEVERITY'`, ...rollups])} GROUP BY value`;
}

/** Open findings by severity. */
export async function countOpen(db: Reads, scope: Scope): Promise<RankCounts> {
  const rows = await db.query<{ severity: number; count: number }>(openBySeverity(scope));
  return toCounts([0, 1, 2, 3, 4].map((rank) => rows.find(({ severity }) => severity === rank)?.count ?? 0));
}

/** The rules with the most open findings, each with the title of its worst finding. */
export function topRules(
  db: Reads,
  { rollups }: Scope,
): Promise<{ ruleId: string; title: string; count: number }[]> {
  return db.query(sql`
    SELECT top.rule_id AS "ruleId", coalesce(worst.title, top.rule_id) AS title, top.count
    FROM (
      SELECT value AS rule_id, sum(change)::int AS count, (array_agg(project_id))[1] AS project_id
      FROM open_counts ${where([sql`facet = 'RULE'`, ...rollups])}
      GROUP BY value HAVING sum(change) > 0 ORDER BY count DESC, value LIMIT ${maxTop}
    ) AS top LEFT JOIN LATERAL (
      SELECT title FROM findings WHERE project_id = top.project_id AND rule_id = top.rule_id
      ORDER BY severity DESC, first_seen_at DESC LIMIT 1
    ) AS worst ON true
    ORDER BY top.count DESC, top.rule_id`);
}

/** The CWEs with the most open findings; a finding counts for each of its CWEs. */
export function topCwes(db: Reads, { rollups }: Scope): Promise<{ cweId: number; count: number }[]> {
  return db.query(sql`
    SELECT value::int AS "cweId", sum(change)::int AS count FROM open_counts ${where([sql`facet = 'CWE'`, ...rollups])}
    GROUP BY value HAVING sum(change) > 0 ORDER BY count DESC, value::int LIMIT ${maxTop}`);
}

/** The targets with the worst open findings. */
export function topTargets(db: Reads, scope: Scope): Promise<(RankCounts & { target: string })[]> {
  const conditions = scope.isWhole ? scope.projects : scope.rollups;
  const of = (rank: number) => sql`coalesce(sum(count) FILTER (WHERE severity = ${String(rank)}), 0)::int`;
  return db.query(sql`
    SELECT series.target, ${of(0)} AS "infoCount", ${of(1)} AS "lowCount", ${of(2)} AS "mediumCount", ${of(3)} AS "highCount",
      ${of(4)} AS "criticalCount"
    FROM (
      SELECT series_id, value AS severity, sum(change) AS count FROM open_counts
      ${where([sql`facet = 'SEVERITY'`, ...conditions])} GROUP BY 1, 2 HAVING sum(change) > 0
    ) AS counted JOIN scan_series AS series ON series.id = counted.series_id
    GROUP BY series.target ORDER BY 6 DESC, 5 DESC, 4 DESC, 3 DESC, 2 DESC, 1 LIMIT ${maxTop}`);
}

/** The number of open findings whose due date has passed: whole days, whole hours of today, and the findings of this hour. */
export async function countOverdue(db: Reads, { rollups, isWhole }: Scope, at: Date): Promise<number> {
  const startOf = (minutes: number) =>
    sql`date_bin(make_interval(mins => ${minutes}), ${at}::timestamptz, timestamptz 'epoch')`;
  const due = sql`COALESCE(due_at, 'infinity'::timestamptz)`;
  const ofThisHour = sql`minutes = 60 AND starts_at = ${startOf(60)}`;
  const series = isWhole
    ? sql``
    : sql`AND series_id IN (SELECT series_id FROM due_counts ${where([...rollups, ofThisHour])})`;
  const [row] = await db.query<{ count: number }>(sql`
    SELECT (
      SELECT coalesce(sum(change), 0) FROM due_counts
      ${where([
        ...rollups,
        sql`((minutes = 1440 AND starts_at < ${startOf(1440)})
        OR (minutes = 60 AND starts_at >= ${startOf(1440)} AND starts_at < ${startOf(60)}))`,
      ])}
    )::int + (
      SELECT count(*) FROM (SELECT DISTINCT project_id AS id FROM due_counts ${where([...rollups, ofThisHour])}) AS project
      CROSS JOIN generate_series(0, 4) AS rank(severity)
      JOIN findings ON findings.project_id = project.id AND findings.severity = rank.severity
      WHERE is_present AND triage IN ('OPEN', 'CONFIRMED') AND ${due} >= ${startOf(60)} AND ${due} < ${at}::timestamptz ${series}
    )::int AS count`);
  return row?.count ?? 0;
}
