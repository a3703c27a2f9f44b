// The filter of findings in SQL: conditions on findings, and the scan series and branches that a filter names.
import type { Reads } from '../../../infra/postgres/database.js';
import { type Sql, sql, where } from '../../../infra/postgres/sql.js';
import { searchedText } from '../../../infra/postgres/stored-texts.js';
import { containsPattern } from '../../../validation/search-text.js';
import { type FindingFilter, severities } from '../finding.input.js';

/** A scan series, and its branch where the filter names one. */
export interface ScopedSeries {
  id: number;
  projectId: string;
  branchId: number | null;
  /** Whether the branch alone decides about the presence where no branch is named. */
  isOnlyDefault: boolean;
  /** RFC 3339 */
  lastRunAt: string | null;
}

/** The findings that a filter is about, before its other conditions. */
export interface Scope {
  projectIds: readonly string[];
  /** The series that the filter names; undefined when it names none. */
  series: readonly ScopedSeries[] | undefined;
  /** Whether presence is that on the named branches of the series. */
  isByBranch: boolean;
}

/** Reads the series that a filter names within these projects. */
export async function scopeOf(
  db: Reads,
  projectIds: readonly string[],
  filter: FindingFilter,
): Promise<Scope> {
  const { target, tool, category, branch } = filter;
  if (target == null && tool == null && category == null && branch == null)
    return { projectIds, series: undefined, isByBranch: false };
  const conditions = [sql`series.project_id = ANY(${[...projectIds]}::uuid[])`];
  if (target != null) conditions.push(sql`series.target = ${target}`);
  if (tool != null) conditions.push(sql`series.tool = ${tool.toLowerCase()}`);
  if (category != null) conditions.push(sql`series.category = ${category}`);
  const ofBranch = sql`, branch.id AS "branchId", branch.last_run_at AS "lastRunAt", branch.is_default AND NOT EXISTS (
    SELECT FROM scan_branches AS other WHERE other.series_id = series.id AND other.is_default AND other.id <> branch.id
    ) AS "isOnlyDefault"`;
  const named = sql`JOIN scan_branches AS branch ON branch.series_id = series.id AND branch.name = ${branch ?? ''}`;
  const none = sql`, NULL::int AS "branchId", false AS "isOnlyDefault", NULL::timestamptz AS "lastRunAt"`;
  const series = await db.queryUncached<ScopedSeries>(sql`
    SELECT series.id, series.project_id AS "projectId"${branch == null ? none : ofBranch}
    FROM scan_series AS series ${branch == null ? sql`` : named} ${where(conditions)} ORDER BY series.id`);
  const isByBranch = branch != null && !series.every(({ isOnlyDefault }) => isOnlyDefault);
  return { projectIds, series, isByBranch };
}

/** Conditions on findings, apart from project, series, severity and triage, which the page's order may split up. */
export function conditionsOf(filter: FindingFilter, scope: Scope, now: Date): Sql[] {
  const { ruleId, cweId, cveId, search, assigneeId, overdue, firstSeenAfter, firstSeenBefore } = filter;
  const conditions: Sql[] = [presenceOf(filter, scope)];
  if (ruleId != null) conditions.push(sql`rule_id = ${ruleId}`);
  // Their indexes leave out the empty arrays.
  if (cweId != null) conditions.push(sql`cwe_ids @> ARRAY[${cweId}]::integer[] AND cwe_ids <> '{}'`);
  if (cveId != null)
    conditions.push(sql`cve_ids @> ARRAY[${cveId.trim().toUpperCase()}]::text[] AND cve_ids <> '{}'`);
  if (search != null) conditions.push(sql`${searchedText('findings')} LIKE ${containsPattern(search)}`);
  if (assigneeId != null) conditions.push(sql`assignee_id = ${assigneeId}::uuid`);
  if (overdue != null) conditions.push(overdue ? overdueAt(now) : sql`NOT (${overdueAt(now)})`);
  if (firstSeenAfter != null) conditions.push(sql`first_seen_at >= ${firstSeenAfter}::timestamptz`);
  if (firstSeenBefore != null) conditions.push(sql`first_seen_at < ${firstSeenBefore}::timestamptz`);
  return conditions;
}

function overdueAt(now: Date): Sql {
  return sql`COALESCE(due_at, 'infinity'::timestamptz) < ${now}::timestamptz AND triage IN ('OPEN', 'CONFIRMED')`;
}

function presenceOf({ presence }: FindingFilter, { isByBranch, series = [] }: Scope): Sql {
  const isPresent = presence !== 'ABSENT';
  if (!isByBranch) return isPresent ? sql`is_present` : sql`NOT is_present`;
  const branchIds = series.flatMap(({ branchId }) => branchId ?? []);
  const seen = sql`SELECT FROM test_results AS seen WHERE seen.finding_id = findings.id
    AND seen.scan_branch_id = ANY(${branchIds}::int[])`;
  const open = sql`EXISTS (${seen} AND seen.until_run IS NULL)`;
  return isPresent ? open : sql`EXISTS (${seen}) AND NOT ${open}`;
}

/** The ranks of the severities that a filter names, each once. */
export function ranksOf({ severity }: FindingFilter): number[] | undefined {
  if (severity == null) return undefined;
  return [...new Set(severity)].map((name) => severities.indexOf(name));
}

/** All conditions of a filter in one list, for counting and for changes by filter. */
export function allConditionsOf(filter: FindingFilter, scope: Scope, now: Date): Sql[] {
  const ranks = ranksOf(filter);
  return [
    sql`project_id = ANY(${[...scope.projectIds]}::uuid[])`,
    ...(scope.series === undefined ? [] : [sql`series_id = ANY(${scope.series.map(({ id }) => id)}::int[])`]),
    ...(ranks === undefined ? [] : [sql`severity = ANY(${ranks}::smallint[])`]),
    ...(filter.triage == null ? [] : [sql`triage = ANY(${filter.triage}::triage_state[])`]),
    ...conditionsOf(filter, scope, now),
  ];
}

/** Whether the counters know the number: when the filter names at most project, severity, triage and presence. */
export function isCounted(filter: FindingFilter): boolean {
  const { project: _project, severity: _severity, triage: _triage, presence: _presence, ...others } = filter;
  return Object.values(others).every((value) => value == null);
}
