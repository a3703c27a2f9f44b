// Figures of open findings as of now: by severity, rule, CWE and target, and the number of overdue ones.
import type { Database } from '../../infra/postgres/database.js';
import { type Sql, sql, where } from '../../infra/postgres/sql.js';
import { isOpen } from './statistics.scope.js';

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

/** Adds up the counters: exact, however many findings there are. */
export function countByCounters(db: Database, conditions: Sql[]): Promise<RankCounts> {
  return bySeverity(
    db,
    sql`SELECT severity, sum(change)::int AS count FROM finding_counts ${where([...conditions, isOpen])} GROUP BY severity`,
  );
}

/** Counts the findings that meet the conditions. */
export function countOpen(db: Database, conditions: Sql[]): Promise<RankCounts> {
  return bySeverity(
    db,
    sql`SELECT severity, count(*)::int AS count FROM findings ${where([...conditions, isOpen])} GROUP BY severity`,
  );
}

async function bySeverity(db: Database, statement: Sql): Promise<RankCounts> {
  const rows = await db.queryUncached<{ severity: number; count: number }>(statement);
  return toCounts([0, 1, 2, 3, 4].map((rank) => rows.find(({ severity }) => severity === rank)?.count ?? 0));
}

/** The rules with the most open findings. */
export function topRules(
  db: Database,
  conditions: Sql[],
): Promise<{ ruleId: string; title: string; count: number }[]> {
  return db.queryUncached(sql`
    SELECT rule_id AS "ruleId", min(title) AS title, count(*)::int AS count
    FROM findings ${where([...conditions, isOpen, sql`rule_id IS NOT NULL`])}
    GROUP BY rule_id ORDER BY count DESC, rule_id LIMIT ${maxTop}`);
}

/** The CWEs with the most open findings; a finding counts for each of its CWEs. */
export function topCwes(db: Database, conditions: Sql[]): Promise<{ cweId: number; count: number }[]> {
  return db.queryUncached(sql`
    SELECT cwe.id AS "cweId", count(*)::int AS count
    FROM (SELECT id, cwe_ids FROM findings ${where([...conditions, isOpen, sql`cwe_ids <> '{}'`])}) AS finding
    CROSS JOIN LATERAL (SELECT DISTINCT unnest(finding.cwe_ids) AS id) AS cwe
    GROUP BY cwe.id ORDER BY count DESC, cwe.id LIMIT ${maxTop}`);
}

/** The targets with the worst open findings. */
export function topTargets(db: Database, conditions: Sql[]): Promise<(RankCounts & { target: string })[]> {
  const of = (rank: number) => sql`coalesce(sum(count) FILTER (WHERE severity = ${rank}::smallint), 0)::int`;
  return db.queryUncached(sql`
    SELECT series.target, ${of(0)} AS "infoCount", ${of(1)} AS "lowCount", ${of(2)} AS "mediumCount", ${of(3)} AS "highCount",
      ${of(4)} AS "criticalCount"
    FROM (
      SELECT series_id, severity, count(*) AS count FROM findings ${where([...conditions, isOpen])} GROUP BY 1, 2
    ) AS counted JOIN scan_series AS series ON series.id = counted.series_id
    GROUP BY series.target ORDER BY 6 DESC, 5 DESC, 4 DESC, 3 DESC, 2 DESC, 1 LIMIT ${maxTop}`);
}

/** The number of open findings whose due date has passed. */
export async function countOverdue(db: Database, conditions: Sql[], at: Date): Promise<number> {
  const isOverdue = sql`COALESCE(due_at, 'infinity'::timestamptz) < ${at}::timestamptz`;
  const [row] = await db.queryUncached<{ count: number }>(
    sql`SELECT count(*)::int AS count FROM findings ${where([...conditions, isOpen, isOverdue])}`,
  );
  return row?.count ?? 0;
}
