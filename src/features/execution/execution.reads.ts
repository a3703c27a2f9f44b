// Reads executions: by id, and in keyset pages. Changing them is in execution.service.ts.
import { AppError } from '../../core/errors.js';
import type { Page, PageArgs } from '../../core/pagination.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database, Reads, Transaction } from '../../infra/postgres/database.js';
import { fetchPage } from '../../infra/postgres/keyset-page.js';
import { type Columns, join, sql, type Wanted, where } from '../../infra/postgres/sql.js';
import type { ExecutionFilter, ExecutionOrder } from './execution.input.js';
import {
  assertChangeable,
  columns,
  conditionsOf,
  type ExecutionRow,
  matches,
  notWorkable,
  orderOf,
  selectList,
  visibleTo,
  workableBy,
} from './execution.rows.js';

/** Reads of executions. */
export type ExecutionReads = ReturnType<typeof createExecutionReads>;

/** Creates the reads. */
export function createExecutionReads(db: Database) {
  return {
    matches,

    /** Reads rows by id in any order, without a check of access: for callers that check it themselves. */
    readByIds: (ids: readonly string[]): Promise<ExecutionRow[]> =>
      db.read<ExecutionRow>(sql`SELECT ${columns} FROM test_executions WHERE id = ANY(${ids}::uuid[])`),

    /** Executions by id, in the order of the ids; null for one that the viewer may not see. */
    byIds: (viewer: Viewer, ids: readonly string[], wanted?: Columns) => readByIds(db, viewer, ids, wanted),

    /**
     * @param wanted columns that the caller reads; undefined for all
     * @throws NOT_FOUND
     */
    get: (viewer: Viewer, id: string, wanted?: Columns) => readOne(db, viewer, id, wanted),

    /**
     * The execution, when the viewer may change it.
     * @throws NOT_FOUND
     * @throws FORBIDDEN for an execution of somebody else
     */
    async getChangeable(viewer: Viewer, id: string): Promise<ExecutionRow> {
      const row = await readOne(db, viewer, id);
      assertChangeable(viewer, row);
      return row;
    },

    lockChangeable,

    /** Reads the id of the project with a key, without a check of access; null where there is none. */
    async projectIdOf(key: string): Promise<string | null> {
      const [row] = await db.read<{ id: string }>(sql`SELECT id FROM projects WHERE key = ${key}`);
      return row?.id ?? null;
    },

    /**
     * One keyset page, newest first by default.
     * @param wanted columns that the caller reads, and whether it reads the total
     * @throws VALIDATION_FAILED for page arguments out of range or cursors of another order
     */
    list: (
      viewer: Viewer,
      filter: ExecutionFilter,
      order: ExecutionOrder | null | undefined,
      args: PageArgs,
      wanted: Wanted = {},
    ) => listExecutions(db.lists, viewer, filter, order, args, wanted),
  };
}

async function readByIds(
  db: Database,
  viewer: Viewer,
  ids: readonly string[],
  wanted?: Columns,
): Promise<(ExecutionRow | null)[]> {
  const rows = await db.read<ExecutionRow>(
    sql`SELECT ${selectList(wanted)} FROM test_executions ${where([sql`id = ANY(${ids}::uuid[])`, ...visibleTo(viewer)])}`,
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id) ?? null);
}

async function readOne(db: Database, viewer: Viewer, id: string, wanted?: Columns): Promise<ExecutionRow> {
  const [row] = await readByIds(db, viewer, [id], wanted);
  if (row == null) throw new AppError('NOT_FOUND');
  return row;
}

/** As `getChangeable`, with the row locked until the transaction ends. @throws NOT_FOUND @throws FORBIDDEN */
async function lockChangeable(tx: Transaction, viewer: Viewer, id: string): Promise<ExecutionRow> {
  const isSeen = where([sql`id = ${id}::uuid`, ...visibleTo(viewer)]);
  const workable = workableBy(viewer, 'execution:run');
  const isWorkable = workable.length === 0 ? sql`` : sql`, ${join(workable, ' AND ')} AS "isWorkable"`;
  const [found] = await tx.query<ExecutionRow & { isWorkable?: boolean }>(
    sql`SELECT ${columns}${isWorkable} FROM test_executions ${isSeen} FOR UPDATE`,
  );
  if (found === undefined) throw new AppError('NOT_FOUND');
  const { isWorkable: mayWork = true, ...row } = found;
  if (!mayWork) throw notWorkable();
  assertChangeable(viewer, row);
  return row;
}

async function listExecutions(
  db: Reads,
  viewer: Viewer,
  filter: ExecutionFilter,
  order: ExecutionOrder | null | undefined,
  args: PageArgs,
  wanted: Wanted,
): Promise<Page<ExecutionRow>> {
  const conditions = [...visibleTo(viewer), ...conditionsOf(filter)];
  const source = {
    select: sql`SELECT ${selectList(wanted.columns)} FROM test_executions`,
    conditions,
    order: orderOf(order),
  };
  const query = conditions.length === 0 ? db.read : db.queryUncached;
  const count = async () => {
    const [row] = await db.queryUncached<{ count: number }>(
      sql`SELECT count(*)::int AS count FROM test_executions ${where(conditions)}`,
    );
    return row?.count ?? 0;
  };
  return fetchPage<ExecutionRow>(query, source, args, count, wanted.total);
}
