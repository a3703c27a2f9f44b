// Scan series, which findings live across: finds the series of an execution and its state.
import type { Statements } from '../../../infra/postgres/database.js';
import { sql } from '../../../infra/postgres/sql.js';

/** The values that make executions runs of the same scan. */
export interface SeriesKey {
  projectId: string;
  target: string;
  tool: string | null;
  category: string | null;
  branch: string | null;
}

/** The state of a series before a run meets its findings. */
export interface SeriesState {
  id: number;
  version: number;
  hasFindings: boolean;
  /** Of the run's branch; null when this is its first run. */
  branchId: number | null;
  /** Of a branch whose presence counts where none is named; null where there is none. */
  defaultBranchId: number | null;
}

/** The parts of the key as scan_series and scan_branches hold them. */
export function storedKey({ projectId, target, tool, category, branch }: SeriesKey) {
  return {
    projectId,
    target,
    tool: tool?.trim().toLowerCase() ?? '',
    category: category ?? '',
    branch: branch ?? '',
  };
}

/** The series of a run; null when there is none yet. */
export async function findSeries(
  connection: Pick<Statements, 'query'>,
  key: SeriesKey,
): Promise<SeriesState | null> {
  const { projectId, target, tool, category, branch } = storedKey(key);
  const [series] = await connection.query<SeriesState>(sql`
    SELECT series.id, series.version,
      EXISTS (SELECT FROM findings WHERE series_id = series.id) AS "hasFindings",
      (SELECT id FROM scan_branches WHERE series_id = series.id AND name = ${branch} AND last_run > 0) AS "branchId",
      (SELECT id FROM scan_branches WHERE series_id = series.id AND is_default ORDER BY last_run_at DESC NULLS LAST LIMIT 1)
        AS "defaultBranchId"
    FROM scan_series AS series
    WHERE project_id = ${projectId}::uuid AND target = ${target} AND tool = ${tool} AND category = ${category}`);
  return series ?? null;
}
