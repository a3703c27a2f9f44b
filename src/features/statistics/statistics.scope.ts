// The findings that statistics are about, in SQL: those of visible projects, as far as the filter goes.
import type { Viewer } from '../../core/permissions.js';
import { conditionOn } from '../../infra/postgres/project-access.js';
import { type Sql, sql, where } from '../../infra/postgres/sql.js';
import type { StatisticsFilter } from './statistics.input.js';

/** Conditions on rows with a `project_id`: projects that the viewer sees and the filter names. */
export function projectConditions(viewer: Viewer, { project }: StatisticsFilter): Sql[] {
  const named = project == null ? [] : [sql`project_id = (SELECT id FROM projects WHERE key = ${project})`];
  return [...named, ...conditionOn(viewer, sql`project_id`, 'finding:read')];
}

/** Conditions on findings. */
export function findingConditions(viewer: Viewer, filter: StatisticsFilter): Sql[] {
  return [...projectConditions(viewer, filter), ...seriesConditions(filter)];
}

/** Whether the counters of findings, which know no targets and kinds, answer the filter. */
export function isCounted({ target, kind }: StatisticsFilter): boolean {
  return target == null && kind == null;
}

/** The condition that a finding counts as open. */
export const isOpen = sql`is_present AND triage IN ('OPEN', 'CONFIRMED')`;

function seriesConditions({ target, kind }: StatisticsFilter): Sql[] {
  const conditions: Sql[] = [];
  if (target != null) conditions.push(sql`series.target = ${target}`);
  if (kind != null)
    conditions.push(sql`EXISTS (
      SELECT FROM scan_branches AS branch JOIN test_executions AS last_run ON last_run.id = branch.last_execution_id
      WHERE branch.series_id = series.id AND last_run.kind = ANY(${kind}::test_kind[]))`);
  if (conditions.length === 0) return [];
  return [sql`series_id IN (SELECT series.id FROM scan_series AS series ${where(conditions)})`];
}
