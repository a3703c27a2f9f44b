// A staged run on its way into the findings: what it is, and its place among the runs of its branch.
import type { Transaction } from '../../../infra/postgres/database.js';
import { type Sql, sql } from '../../../infra/postgres/sql.js';
import { type SeriesKey, type SeriesState, storedKey } from './series.js';

/** A run whose results are staged. */
export interface StagedRun {
  importId: string;
  executionId: string;
  key: SeriesKey;
  /** The series as it was when the results were matched; null where there was none. */
  matchedWith: SeriesState | null;
  /** Whether the run saw everything that it should have: only then is what it did not see absent. */
  isComplete: boolean;
  /** Files that the tool could not read; their findings stay as they are. */
  unreadPaths: readonly string[];
  /** Whether the staged rows are results that the execution has already, rather than new ones. */
  hasOwnResults: boolean;
  at: Date;
}

/** A run's branch, locked for this run. */
export interface Branch {
  seriesId: number;
  branchId: number;
  isDefault: boolean;
  /** Number of this run on the branch. */
  run: number;
  /** When the branch's run before was, and in which execution. */
  lastRunAt: string | null;
  lastExecutionId: string | null;
}

/** A run that has its number. */
export type Step = StagedRun & Branch;

/**
 * Locks the series, whose runs follow each other, and gives the run its number.
 * @returns undefined when another run came first since the results were matched
 */
export async function enterBranch(
  tx: Transaction,
  { key, matchedWith, at, executionId }: StagedRun,
): Promise<Branch | undefined> {
  const { projectId, target, tool, category, branch } = storedKey(key);
  const [series] = await tx.query<{ id: number; version: number }>(sql`
    INSERT INTO scan_series (project_id, target, tool, category, version)
    VALUES (${projectId}::uuid, ${target}, ${tool}, ${category}, 1)
    ON CONFLICT (project_id, target, tool, category) DO UPDATE SET version = scan_series.version + 1
    RETURNING id, version`);
  if (series === undefined || series.version !== (matchedWith?.version ?? 0) + 1) return undefined;
  const [row] = await tx.query<Omit<Branch, 'seriesId'>>(sql`
    WITH before AS (SELECT last_run_at, last_execution_id FROM scan_branches
      WHERE series_id = ${series.id} AND name = ${branch})
    INSERT INTO scan_branches (series_id, name, is_default, last_run, last_run_at, last_execution_id)
    SELECT ${series.id}, ${branch},
      ${branch} IN ('', coalesce(default_branch, ${branch}))
        AND (default_branch IS NOT NULL OR ${branch} = '' OR NOT EXISTS (
          SELECT FROM scan_branches WHERE series_id = ${series.id} AND name <> '')),
      1, ${at}::timestamptz, ${executionId}::uuid
    FROM projects WHERE id = ${projectId}::uuid
    ON CONFLICT (series_id, name) DO UPDATE SET last_run = scan_branches.last_run + 1,
      last_run_at = excluded.last_run_at, last_execution_id = excluded.last_execution_id
    RETURNING id AS "branchId", is_default AS "isDefault", last_run AS run,
      (SELECT last_run_at FROM before) AS "lastRunAt", (SELECT last_execution_id FROM before) AS "lastExecutionId"`);
  return row && { seriesId: series.id, ...row };
}

/**
 * Whether findings stay present that the run did not see. Such a run cannot share the rows of its branch, which would show
 * them as its results.
 */
export function isPartial({ isComplete, unreadPaths, hasOwnResults }: StagedRun): boolean {
  return !hasOwnResults && (!isComplete || unreadPaths.length > 0);
}

/** The rows of a staging table that belong to a run. */
export const staged = (table: Sql, { importId }: StagedRun) =>
  sql`${table} WHERE import_id = ${importId}::uuid`;

/**
 * Which finding a row of staged_results AS staged is, as a LATERAL source. The limit keeps the look-up of each row by itself: the
 * working tables have no statistics that fit, and a join of both compares each row with each.
 */
export const matchOfStaged = sql`SELECT finding_id FROM staged_matches AS found
  WHERE found.import_id = staged.import_id AND found.position = staged.position LIMIT 1`;

/** A UUIDv7 (RFC 9562) of a moment, which PostgreSQL makes for each row. */
export function newIdAt(at: Date): Sql {
  const time = at.getTime().toString(16).padStart(12, '0');
  return sql`(${`${time.slice(0, 8)}-${time.slice(8)}-7`} || substr(gen_random_uuid()::text, 16))::uuid`;
}
