// Which executions settle next: executions that have ended and whose results have not met the findings.
import type { BulkConnection } from '../../../infra/postgres/bulk/connection.js';
import { isKept } from '../../../infra/postgres/project-access.js';
import { type Sql, sql } from '../../../infra/postgres/sql.js';

/** An ended execution whose results have not met the findings. */
export interface EndedExecution {
  id: string;
  projectId: string;
  target: string;
  tool: string | null;
  category: string | null;
  branch: string | null;
  /** Whether it ended well, and so did its imports. */
  isComplete: boolean;
  /** Files that the tools of its reports could not read. */
  unreadPaths: string[];
  finishedAt: string;
  hasResults: boolean;
}

type Connection = Pick<BulkConnection, 'query'>;

/** An execution that ended within this time has its target settled ahead of others. */
const recentMinutes = 10;

/**
 * The executions to settle next, each target's in the order of their ends. Half of them at most are of targets in use: those
 * with an import that waits, or where an execution has just ended. Else they would wait for an old backlog.
 * @param except ids of those to leave out
 */
export async function findEnded(
  connection: Connection,
  limit: number,
  except: readonly string[],
): Promise<EndedExecution[]> {
  const inUse = await select(
    connection,
    Math.ceil(limit / 2),
    except,
    sql`(project_id, target) IN (
      SELECT project_id, target FROM test_executions
      WHERE run_number IS NULL AND finished_at > now() - make_interval(mins => ${recentMinutes})
      UNION SELECT project_id, target FROM imports JOIN test_executions AS importing ON importing.id = execution_id
      WHERE imports.state = 'RUNNING')`,
  );
  const chosen = [...except, ...inUse.map(({ id }) => id)];
  return [...inUse, ...(await select(connection, limit - inUse.length, chosen, sql`true`))];
}

/** Number of executions that wait. */
export async function countEnded(connection: Connection): Promise<number> {
  const [row] = await connection.query<{ left: number }>(
    sql`SELECT count(*)::int AS left FROM test_executions
      WHERE finished_at IS NOT NULL AND run_number IS NULL AND ${isKept(sql`project_id`)}`,
  );
  return row?.left ?? 0;
}

function select(
  connection: Connection,
  limit: number,
  except: readonly string[],
  condition: Sql,
): Promise<EndedExecution[]> {
  return connection.query<EndedExecution>(sql`
    SELECT id, project_id AS "projectId", target, tool, category, branch,
      status = 'COMPLETED' AND NOT EXISTS (SELECT FROM imports WHERE execution_id = execution.id
        AND (incomplete <> '{}' OR (state = 'FAILED' AND NOT EXISTS (SELECT FROM imports AS later
          WHERE later.execution_id = execution.id AND later.id > imports.id)))) AS "isComplete",
      ARRAY(SELECT DISTINCT unnest(unread_paths) FROM imports WHERE execution_id = execution.id) AS "unreadPaths",
      finished_at AS "finishedAt", EXISTS (SELECT FROM test_results WHERE execution_id = execution.id) AS "hasResults"
    FROM test_executions AS execution WHERE finished_at IS NOT NULL AND run_number IS NULL
      AND ${isKept(sql`project_id`)} AND NOT EXISTS (SELECT FROM imports WHERE execution_id = execution.id AND state = 'RUNNING')
      AND id <> ALL(${[...except]}::uuid[]) AND ${condition}
    ORDER BY finished_at, id LIMIT ${limit}`);
}
