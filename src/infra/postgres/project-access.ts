// Access to projects in SQL: the conditions that statements of all features share, and the columns that sign-ins load. The
// rules are those of core/permissions.ts.
import { type Permission, rolesWith, type Viewer } from '../../core/permissions.js';
import type { ProjectRole } from '../../core/project-access.js';
import { type Sql, sql } from './sql.js';

/** A caller's share in projects, as {@link accessColumns} reads it. */
export interface AccessRow {
  role: string;
  memberships: Record<string, ProjectRole> | null;
  hasPrivate: boolean;
  /** Whether there are deleted projects, whose rows are being removed. */
  hasDeleted: boolean;
  /** The binding of an API key. */
  boundTo?: string | null;
}

/** Columns of {@link AccessRow} for a statement whose users are `u`. */
export const accessColumns = sql`
  (SELECT jsonb_object_agg(m.project_id, m.role) FROM project_members m WHERE m.user_id = u.id) AS memberships,
  EXISTS (SELECT FROM projects p WHERE p.visibility = 'PRIVATE') AS "hasPrivate",
  EXISTS (SELECT FROM projects p WHERE p.deleted_at IS NOT NULL) AS "hasDeleted"`;

/** The condition on rows of projects that are not deleted. */
export const isKept = (projectId: Sql): Sql =>
  sql`${projectId} <> ALL(ARRAY(SELECT p.id FROM projects p WHERE p.deleted_at IS NOT NULL))`;

/**
 * Conditions on rows that belong to projects where the caller has a permission: exact at the time of the statement, as the
 * statement reads memberships and visibilities itself. No condition where projects make no difference for the caller, so
 * that statements stay as they are where there are neither private projects nor memberships.
 * @param projectId the column that holds the project's id
 * @param permission reading, unless given: then all projects that the caller sees
 */
export function conditionOn(
  { role, userId, projects }: Viewer,
  projectId: Sql,
  permission: Permission = 'project:read',
): Sql[] {
  if (projects === undefined) return [];
  const { boundTo, hasPrivate, hasDeleted } = projects;
  const bound = [
    ...(boundTo === undefined ? [] : [sql`${projectId} = ${boundTo}::uuid`]),
    ...(hasDeleted ? [isKept(projectId)] : []),
  ];
  const allowed = rolesWith(permission);
  if (role === 'ADMIN' || (!hasPrivate && allowed.includes('VIEWER'))) return bound;
  // As an array, read once: a semi-join has the planner count project by project, which took seven times as long.
  return [
    ...bound,
    sql`${projectId} = ANY(ARRAY(
      SELECT p.id FROM projects p LEFT JOIN project_members m ON m.project_id = p.id AND m.user_id = ${userId}::uuid
      WHERE COALESCE(m.role::text, CASE p.visibility WHEN 'INTERNAL' THEN ${role}::text END) = ANY(${[...allowed]}::text[])))`,
  ];
}
