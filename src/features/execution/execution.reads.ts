// Reading executions: by id, in pages, by filter; who may see and change them. Writing is in execution.service.ts.

import { AppError } from '../../core/errors.js';
import { idFloor } from '../../core/ids.js';
import type { Page, PageArgs } from '../../core/pagination.js';
import { canChangeExecution, type Viewer } from '../../core/permissions.js';
import { Prisma, type TestExecution } from '../../generated/prisma/client.js';
import type { Database, SqlRow, Transaction } from '../../infra/postgres/database.js';
import {
  type Columns,
  columnsOf,
  containing,
  fetchPage,
  isMoment,
  type KeysetOrder,
  type Sql,
  selectLists,
  sql,
  type Wanted,
  where,
} from '../../infra/postgres/sql.js';
import type { ExecutionFilter, ExecutionOrder } from './execution.input.js';

export type ExecutionRow = SqlRow<TestExecution>;

/** The select list of {@link ExecutionRow}. */
export const columns = columnsOf(Prisma.TestExecutionScalarFieldEnum);
/** With what cursors are made of. */
const selectList = selectLists(Prisma.TestExecutionScalarFieldEnum, ['id', 'name', 'finishedAt']);

/** Keyset orders that the API offers. */
function orderOf(order: ExecutionOrder | null | undefined): KeysetOrder<ExecutionRow> {
  const isDescending = order?.direction !== 'ASC';
  switch (order?.field) {
    case 'NAME':
      return {
        name: 'NAME',
        isDescending,
        key: {
          expression: sql`name`,
          type: sql`text`,
          of: (row) => row.name,
          is: (text) => !text.includes('\0'),
        },
      };
    case 'FINISHED_AT':
      return {
        name: 'FINISHED_AT',
        isDescending,
        key: {
          expression: sql`COALESCE(finished_at, 'infinity'::timestamptz)`,
          type: sql`timestamptz`,
          of: (row) => row.finishedAt ?? 'infinity',
          is: (text) => text === 'infinity' || isMoment(text),
        },
      };
    default:
      return { name: 'CREATED_AT', isDescending };
  }
}

function conditionsOf(filter: ExecutionFilter): Sql[] {
  const { status, kind, target, search, createdById, createdAfter, createdBefore } = filter;
  return [
    ...(status == null ? [] : [sql`status = ANY(${status}::execution_status[])`]),
    ...(kind == null ? [] : [sql`kind = ANY(${kind}::test_kind[])`]),
    ...(target == null ? [] : [sql`target = ${target}`]),
    ...(search == null
      ? []
      : [sql`(name ILIKE ${containing(search)} OR target ILIKE ${containing(search)})`]),
    ...(createdById == null ? [] : [sql`created_by_id = ${createdById}::uuid`]),
    ...(createdAfter == null ? [] : [sql`id >= ${idFloor(createdAfter.getTime())}::uuid`]),
    ...(createdBefore == null ? [] : [sql`id < ${idFloor(createdBefore.getTime())}::uuid`]),
  ];
}

/** Rows that the viewer may see: all of them for every role today; the one place to narrow it. */
function visibleTo(_viewer: Viewer): Sql[] {
  return [];
}

/** Conditions on rows that the viewer may change: canChangeExecution in SQL. */
export function changeableBy(viewer: Viewer): Sql[] {
  const own = sql`(created_by_id = ${viewer.userId}::uuid OR claimed_by_id = ${viewer.userId}::uuid)`;
  return [...visibleTo(viewer), ...(viewer.role === 'ADMIN' ? [] : [own])];
}

/** The filter and the visibility as conditions on a row, for what does not come from a query. */
export function matches(_viewer: Viewer, filter: ExecutionFilter, row: ExecutionRow): boolean {
  const { status, kind, target, search, createdById, createdAfter, createdBefore } = filter;
  const createdAt = Date.parse(row.createdAt);
  const has = (text: string) => text.toLowerCase().includes((search ?? '').toLowerCase());
  return (
    (status == null || status.includes(row.status)) &&
    (kind == null || kind.includes(row.kind)) &&
    (target == null || target === row.target) &&
    (search == null || has(row.name) || has(row.target)) &&
    (createdById == null || createdById === row.createdById) &&
    (createdAfter == null || createdAt >= createdAfter.getTime()) &&
    (createdBefore == null || createdAt < createdBefore.getTime())
  );
}

export type ExecutionReads = ReturnType<typeof createExecutionReads>;

export function createExecutionReads(db: Database) {
  /** Rows by id in any order, whoever asks: for those who check on their own. */
  const readByIds = (ids: readonly string[]): Promise<ExecutionRow[]> =>
    db.read<ExecutionRow>(sql`SELECT ${columns} FROM test_executions WHERE id = ANY(${ids}::uuid[])`);

  /** Executions by id, in the order asked; null where there is none that the viewer may see. */
  async function byIds(
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

  /**
   * @param wanted columns that will be looked at; undefined for all
   * @throws NOT_FOUND
   */
  async function get(viewer: Viewer, id: string, wanted?: Columns): Promise<ExecutionRow> {
    const [row] = await byIds(viewer, [id], wanted);
    if (row == null) throw new AppError('NOT_FOUND');
    return row;
  }

  /**
   * The row, when the viewer may change it.
   * @throws NOT_FOUND
   * @throws FORBIDDEN for someone else's execution
   */
  async function getChangeable(viewer: Viewer, id: string): Promise<ExecutionRow> {
    const row = await get(viewer, id);
    assertChangeable(viewer, row);
    return row;
  }

  /** As {@link getChangeable}, with the row locked until the transaction ends. */
  async function lockChangeable(tx: Transaction, viewer: Viewer, id: string): Promise<ExecutionRow> {
    const [row] = await tx.query<ExecutionRow>(sql`
      SELECT ${columns} FROM test_executions ${where([sql`id = ${id}::uuid`, ...visibleTo(viewer)])} FOR UPDATE`);
    if (row === undefined) throw new AppError('NOT_FOUND');
    assertChangeable(viewer, row);
    return row;
  }

  /**
   * Filtered, ordered (newest first unless asked otherwise) keyset pages.
   * @param wanted what will be looked at
   */
  async function list(
    viewer: Viewer,
    filter: ExecutionFilter,
    order: ExecutionOrder | null | undefined,
    args: PageArgs,
    wanted: Wanted = {},
  ): Promise<Page<ExecutionRow>> {
    const conditions = [...visibleTo(viewer), ...conditionsOf(filter)];
    const source = {
      select: sql`SELECT ${selectList(wanted.columns)} FROM test_executions`,
      conditions,
      order: orderOf(order),
    };
    const query = conditions.length === 0 ? db.read : db.queryAnew;
    const count = async () => {
      const [row] = await db.queryAnew<{ count: number }>(
        sql`SELECT count(*)::int AS count FROM test_executions ${where(conditions)}`,
      );
      return row?.count ?? 0;
    };
    return fetchPage<ExecutionRow>(query, source, args, count, wanted.total);
  }

  return { readByIds, byIds, get, getChangeable, lockChangeable, list, matches };
}

/** @throws FORBIDDEN for someone else's execution */
function assertChangeable(viewer: Viewer, row: ExecutionRow): void {
  if (!canChangeExecution(viewer, row)) {
    throw new AppError('FORBIDDEN', {
      message: 'Only who created or claimed it, or an admin, may change this execution.',
    });
  }
}
