// Executions as rows: columns, orders, filters and access rules in SQL, for execution.reads.ts.
import { AppError } from '../../core/errors.js';
import { idFloor } from '../../core/ids.js';
import {
  canChangeExecution,
  canIn,
  type Permission,
  roleIn,
  rolesWith,
  type Viewer,
} from '../../core/permissions.js';
import { Prisma, type TestExecution } from '../../generated/prisma/client.js';
import type { SqlRow } from '../../infra/postgres/database.js';
import { isMoment, type KeysetOrder } from '../../infra/postgres/keyset-page.js';
import { conditionOn } from '../../infra/postgres/project-access.js';
import { columnsOf, type Sql, selectLists, sql } from '../../infra/postgres/sql.js';
import { containsPattern, foldForSearch } from '../../validation/search-text.js';
import type { ExecutionFilter, ExecutionOrder } from './execution.input.js';

/** An execution as it is read; timestamps are RFC 3339. */
export type ExecutionRow = Omit<SqlRow<TestExecution>, 'searchText' | 'idempotencyDigest'>;

const { searchText: _text, idempotencyDigest: _digest, ...fields } = Prisma.TestExecutionScalarFieldEnum;

/** The select list of {@link ExecutionRow}. */
export const columns = columnsOf(fields);
/** Select lists of some columns, with the ones that cursors need. */
export const selectList = selectLists(fields, ['id', 'name', 'finishedAt']);

/** The keyset order of a list; newest first by default. */
export function orderOf(order: ExecutionOrder | null | undefined): KeysetOrder<ExecutionRow> {
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

/** The conditions of a filter on test_executions. */
export function conditionsOf(filter: ExecutionFilter): Sql[] {
  const { status, kind, target, tool, branch, commitSha, search, createdById, createdAfter, createdBefore } =
    filter;
  const { project, isHeld } = filter;
  const conditions: Sql[] = [];
  if (project != null) conditions.push(sql`project_id = (SELECT id FROM projects WHERE key = ${project})`);
  if (status != null) conditions.push(sql`status = ANY(${status}::execution_status[])`);
  if (kind != null) conditions.push(sql`kind = ANY(${kind}::test_kind[])`);
  if (target != null) conditions.push(sql`target = ${target}`);
  if (tool != null) conditions.push(sql`tool = ${tool}`);
  if (branch != null) conditions.push(sql`branch = ${branch}`);
  if (commitSha != null) conditions.push(sql`commit_sha = ${commitSha}`);
  if (isHeld != null) conditions.push(isHeld ? sql`held_at IS NOT NULL` : sql`held_at IS NULL`);
  if (search != null) conditions.push(sql`search_text LIKE ${containsPattern(search)}`);
  if (createdById != null) conditions.push(sql`created_by_id = ${createdById}::uuid`);
  if (createdAfter != null) conditions.push(sql`id >= ${idFloor(createdAfter.getTime())}::uuid`);
  if (createdBefore != null) conditions.push(sql`id < ${idFloor(createdBefore.getTime())}::uuid`);
  return conditions;
}

/** The text that a search looks for executions in: name and target, one per line. */
export function searchTextOf({ name, target }: { name: string; target: string }): string {
  return foldForSearch(`${name}\n${target}`);
}

/**
 * The same filter and {@link visibleTo} on a row that does not come from a query.
 * @param projectId what `filter.project` names; null for no project
 */
export function matches(
  viewer: Viewer,
  filter: ExecutionFilter,
  row: ExecutionRow,
  projectId?: string | null,
): boolean {
  const { status, kind, target, tool, branch, commitSha, search, createdById, createdAfter, createdBefore } =
    filter;
  const createdAt = Date.parse(row.createdAt);
  return (
    canIn(viewer, 'execution:read', row.projectId) &&
    (filter.project == null || projectId === row.projectId) &&
    (status == null || status.includes(row.status)) &&
    (kind == null || kind.includes(row.kind)) &&
    (target == null || target === row.target) &&
    (tool == null || tool === row.tool) &&
    (branch == null || branch === row.branch) &&
    (commitSha == null || commitSha === row.commitSha) &&
    (filter.isHeld == null || filter.isHeld === (row.heldAt !== null)) &&
    (search == null || searchTextOf(row).includes(foldForSearch(search))) &&
    (createdById == null || createdById === row.createdById) &&
    (createdAfter == null || createdAt >= createdAfter.getTime()) &&
    (createdBefore == null || createdAt < createdBefore.getTime())
  );
}

/** Conditions on rows that the viewer may see: those of visible projects. */
export function visibleTo(viewer: Viewer): Sql[] {
  return conditionOn(viewer, sql`project_id`);
}

/** Conditions on rows in projects where the viewer has a permission. */
export function workableBy(viewer: Viewer, permission: Permission): Sql[] {
  return conditionOn(viewer, sql`project_id`, permission);
}

/** Conditions on rows that the viewer may change: `canChangeExecution` in SQL. */
export function changeableBy(viewer: Viewer): Sql[] {
  const own = sql`(created_by_id = ${viewer.userId}::uuid OR claimed_by_id = ${viewer.userId}::uuid)`;
  return [...workableBy(viewer, 'execution:run'), ...(viewer.role === 'ADMIN' ? [] : [own])];
}

/**
 * Asks for the role alone: the field has asked for the scope of a key, which may be another one, as for imports.
 * @throws FORBIDDEN for a project where the viewer's role lacks the permission
 */
export function assertWorkable(viewer: Viewer, permission: Permission, { projectId }: ExecutionRow): void {
  const role = roleIn(viewer, projectId);
  if (role === undefined || !rolesWith(permission).includes(role)) throw notWorkable();
}

/** The error for a project where the viewer lacks a permission. */
export function notWorkable(): AppError {
  return new AppError('FORBIDDEN', { message: 'Your role in this project does not allow it.' });
}

/** @throws FORBIDDEN for an execution of somebody else, or of a project where the viewer may only read */
export function assertChangeable(viewer: Viewer, row: ExecutionRow): void {
  assertWorkable(viewer, 'execution:run', row);
  if (!canChangeExecution(viewer, row))
    throw new AppError('FORBIDDEN', {
      message: 'Only the user who created or claimed this execution, or an admin, may change it.',
    });
}
