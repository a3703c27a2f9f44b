// Memberships that the groups of an identity provider give. It never touches a membership that an admin has set.
import type { ProjectRole } from '../../core/project-access.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { ProjectChangeOptions } from './project.changes.js';
import { maxMembers } from './project.rows.js';

interface Row {
  projectId: string;
  key: string;
  role: ProjectRole | null;
  provider: string | null;
}

/**
 * Makes a user a member of the projects that the groups give, and ends the provider's other memberships.
 * @param wanted key of a project → role
 * @returns keys of projects that do not exist or have no room
 */
export async function syncMemberships(
  options: ProjectChangeOptions,
  tx: Transaction,
  userId: string,
  provider: string,
  wanted: ReadonlyMap<string, ProjectRole>,
): Promise<string[]> {
  const rows = await tx.query<Row>(sql`
    SELECT p.id AS "projectId", p.key, m.role, m.provider FROM projects p
    LEFT JOIN project_members m ON m.project_id = p.id AND m.user_id = ${userId}
    WHERE p.deleted_at IS NULL AND (m.provider = ${provider} OR p.key = ANY(${[...wanted.keys()]}::text[])) ORDER BY p.id`);
  const skipped = [...wanted.keys()].filter((key) => !rows.some((row) => row.key === key));
  let isChanged = false;
  for (const row of rows) {
    const role = wanted.get(row.key) ?? null;
    if (row.role === role || (row.role !== null && row.provider === null)) continue;
    const isDone = await change(options, tx, userId, provider, row, role);
    if (isDone) isChanged = true;
    else skipped.push(row.key);
  }
  if (isChanged) tx.afterCommit(() => options.events.publish('user.changed', { userId }));
  return skipped;
}

/** @returns whether there was room */
async function change(
  { audit, now }: ProjectChangeOptions,
  tx: Transaction,
  userId: string,
  provider: string,
  { projectId, role: before }: Row,
  role: ProjectRole | null,
): Promise<boolean> {
  if (role === null) {
    await tx.query(sql`DELETE FROM project_members WHERE project_id = ${projectId} AND user_id = ${userId}`);
  } else {
    if (before === null && !(await hasRoom(tx, projectId))) return false;
    await tx.query(sql`
      INSERT INTO project_members (project_id, user_id, role, since, provider)
      VALUES (${projectId}, ${userId}, ${role}, ${new Date(now())}, ${provider})
      ON CONFLICT (project_id, user_id) DO UPDATE SET role = EXCLUDED.role, provider = EXCLUDED.provider`);
  }
  audit.record(tx, {
    action: 'project.set_member',
    actor: null,
    actorLabel: `identity provider ${provider}`,
    targetType: 'Project',
    targetId: projectId,
    changes: { userId, role: { from: before, to: role } },
  });
  return true;
}

/** Locks the project, so that racing additions meet here. */
async function hasRoom(tx: Transaction, projectId: string): Promise<boolean> {
  await tx.query(sql`SELECT id FROM projects WHERE id = ${projectId} FOR UPDATE`);
  const [row] = await tx.query<{ count: number }>(
    sql`SELECT count(*)::int AS count FROM project_members WHERE project_id = ${projectId}`,
  );
  return (row?.count ?? 0) < maxMembers;
}
