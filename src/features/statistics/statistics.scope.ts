// The scope of statistics in SQL: rows of the rollups of visible projects, as far as the filter goes.
import type { Viewer } from '../../core/permissions.js';
import { conditionOn } from '../../infra/postgres/project-access.js';
import { type Sql, sql, where } from '../../infra/postgres/sql.js';
import type { StatisticsFilter } from './statistics.input.js';

/** The scope of statistics. */
export interface Scope {
  /** Conditions on rows with a `project_id`: projects that the viewer sees and the filter names. */
  projects: Sql[];
  /** Conditions on rows of rollups, which have a `series_id`, too: those of whole projects, or of the series of the filter. */
  rollups: Sql[];
  /** Whether it is about whole projects. */
  isWhole: boolean;
}

/** Builds the scope of statistics in SQL. */
export function scopeOf(viewer: Viewer, filter: StatisticsFilter): Scope {
  const projects = projectConditions(viewer, filter);
  const series = seriesConditions(filter);
  if (series.length === 0) return { projects, rollups: [...projects, sql`series_id = 0`], isWhole: true };
  // As an array, read once: the planner takes a semi-join for a few series, and reads all rows.
  const ofSeries = sql`series_id = ANY(ARRAY(SELECT series.id FROM scan_series AS series ${where(series)}))`;
  return { projects, rollups: [...projects, ofSeries], isWhole: false };
}

/** Conditions on rows with a `project_id`: projects that the viewer sees and the filter names. */
export function projectConditions(viewer: Viewer, { project }: StatisticsFilter): Sql[] {
  const named = project == null ? [] : [sql`project_id = (SELECT id FROM projects WHERE key = ${project})`];
  return [...named, ...conditionOn(viewer, sql`project_id`, 'finding:read')];
}

function seriesConditions({ target, kind }: StatisticsFilter): Sql[] {
  const conditions: Sql[] = [];
  if (target != null) conditions.push(sql`series.target = ${target}`);
  if (kind != null)
    conditions.push(sql`EXISTS (
      SELECT FROM scan_branches AS branch JOIN test_executions AS last_run ON last_run.id = branch.last_execution_id
      WHERE branch.series_id = series.id AND last_run.kind = ANY(${kind}::test_kind[]))`);
  return conditions;
}
