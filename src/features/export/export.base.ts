// Finds what the results of an execution are compared with: another execution, or the last run of a branch.
import { AppError, invalid } from '../../core/errors.js';
import { parsePublicId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { ExecutionRow, ExecutionService } from '../execution/execution.service.js';
import type { Base } from './export.rows.js';

/** Dependencies of looking up a base. */
export interface BaseOptions {
  db: Pick<Database, 'read'>;
  executions: Pick<ExecutionService, 'get'>;
}

/**
 * The base of an execution.
 * @param base public id of an execution, or the name of a branch
 * @throws NOT_FOUND for an execution that the viewer may not see
 * @throws VALIDATION_FAILED for an execution of another target, or a branch that the scan has not run on
 * @throws CONFLICT while the results of one of both have not met the findings
 */
export async function baseOf(
  { db, executions }: BaseOptions,
  viewer: Viewer,
  head: ExecutionRow,
  base: string,
): Promise<Base> {
  assertSettled(head, 'the execution');
  const id = parsePublicId(base);
  if (id?.type !== 'TestExecution') return branchOf(db, head, base);
  const run = await executions.get(viewer, id.uuid);
  if (run.projectId !== head.projectId || run.target !== head.target)
    throw invalid('base', 'is an execution of another target');
  assertSettled(run, 'the base');
  return { run };
}

async function branchOf(db: BaseOptions['db'], head: ExecutionRow, name: string): Promise<Base> {
  const [branch] = await db.read<{ id: number }>(sql`
    SELECT base.id FROM scan_branches AS base JOIN scan_branches AS head ON head.series_id = base.series_id
    WHERE head.id = ${head.scanBranchId}::int AND base.name = ${name} AND base.last_run > 0`);
  if (branch === undefined)
    throw invalid('base', 'is no branch that this target, tool and category has run on');
  return { scanBranchId: branch.id };
}

function assertSettled({ runNumber }: ExecutionRow, name: string): void {
  if (runNumber !== null) return;
  throw new AppError('CONFLICT', { message: `The results of ${name} have not met the findings yet.` });
}
