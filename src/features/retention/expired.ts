// Decides which executions go by the limits of their projects: in SQL, for the job and for its dry run alike.
import { join, type Sql, sql } from '../../infra/postgres/sql.js';

/** Limits of a project that replace the stored ones, as a dry run asks for. */
export interface Limits {
  retainDays: number | null;
  retainExecutions: number | null;
}

/**
 * Common table expressions that end with `judged`: each ended execution beyond the limits of its project, with its `fate`.
 * HELD: under a legal hold. NEEDED: it is the last run of its branch, which says what is present there, or the last that holds
 * the newest result of a finding, from which the finding is read. GOES: all others.
 * @param projects the condition on `projects`
 * @param only a further condition on `ranked`, which spares judging the others
 * @param limits instead of those of the projects
 */
export function judgedAt(at: Date, projects: Sql[], only = sql`true`, limits?: Limits): Sql {
  const days = limits === undefined ? sql`retain_days` : sql`${limits.retainDays}::int`;
  const most = limits === undefined ? sql`retain_executions` : sql`${limits.retainExecutions}::int`;
  return sql`
    limited AS (
      SELECT id, key, ${days} AS days, ${most} AS most FROM projects
      WHERE ${join([sql`deleted_at IS NULL`, ...projects], ' AND ')} AND coalesce(${days}, ${most}) IS NOT NULL
    ), ranked AS (
      SELECT execution.id, project_id, limited.key, name, target, scan_branch_id, run_number, is_shared, finished_at, held_at,
        info_count + low_count + medium_count + high_count + critical_count AS results, limited.days, limited.most,
        row_number() OVER (
          PARTITION BY project_id, target, lower(coalesce(tool, '')), coalesce(category, ''), coalesce(branch, ''),
            scan_branch_id IS NULL, held_at IS NULL
          ORDER BY finished_at DESC, execution.id DESC) AS place
      FROM limited JOIN test_executions AS execution ON execution.project_id = limited.id
      WHERE finished_at IS NOT NULL AND run_number IS NOT NULL
    ), past AS MATERIALIZED (
      SELECT * FROM ranked
      WHERE (finished_at < ${at}::timestamptz - make_interval(days => days) OR place > most) AND ${only}
    ), ends AS MATERIALIZED (
      SELECT DISTINCT result.scan_branch_id, coalesce(until_run, 2147483647) AS until_run
      FROM test_results AS result JOIN findings AS finding ON finding.id = result.finding_id
      WHERE result.is_shared AND (finding.result_id = result.id OR until_run IS NULL)
        AND result.scan_branch_id IN (SELECT scan_branch_id FROM past WHERE is_shared AND held_at IS NULL)
    ), last_of_shared AS MATERIALIZED (
      SELECT (
        SELECT execution.id FROM test_executions AS execution
        WHERE execution.scan_branch_id = ends.scan_branch_id AND is_shared AND run_number <= until_run
          AND execution.project_id IN (SELECT id FROM limited)
        ORDER BY run_number DESC LIMIT 1) AS id
      FROM ends
    ), judged AS (
      SELECT past.*, CASE
        WHEN held_at IS NOT NULL THEN 'HELD'
        WHEN EXISTS (SELECT FROM scan_branches AS branch WHERE branch.id = past.scan_branch_id
          AND (branch.last_execution_id = past.id OR branch.last_run <= past.run_number)) THEN 'NEEDED'
        WHEN past.id IN (SELECT id FROM last_of_shared WHERE id IS NOT NULL) THEN 'NEEDED'
        WHEN EXISTS (
          SELECT FROM test_results AS result JOIN findings AS finding ON finding.id = result.finding_id
          WHERE result.execution_id = past.id AND NOT result.is_shared
            AND (finding.result_id = result.id OR (result.scan_branch_id IS NOT NULL AND until_run IS NULL))) THEN 'NEEDED'
        ELSE 'GOES' END AS fate
      FROM past
    )`;
}
