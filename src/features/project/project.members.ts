// Memberships of projects: adding, changing and ending them. They act at once, on open streams too.
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { ProjectRole } from '../../core/project-access.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { sql } from '../../infra/postgres/sql.js';
import { lockProject, type ProjectChangeOptions } from './project.changes.js';
import { maxMembers, type ProjectRow } from './project.rows.js';

/**
 * Makes a user a member with a role, or (without one) a member no longer.
 * @throws NOT_FOUND for a project that the viewer may not see, and for a user who does not exist
 * @throws CONFLICT when the project has as many members as allowed, and for the service account of another project
 */
export async function setMember(
  { db, events, audit, now }: ProjectChangeOptions,
  viewer: Viewer,
  key: string,
  userId: string,
  role: ProjectRole | null,
): Promise<ProjectRow> {
  const work = async (tx: Transaction): Promise<ProjectRow> => {
    const project = await lockProject(tx, viewer, key);
    const { role: before, provider, isElsewhere } = await membershipOf(tx, project.id, userId);
    if (before === role && provider === null) return project;
    if (role !== null && isElsewhere)
      throw new AppError('CONFLICT', {
        message:
          'A service account of one project is a member of no other: its keys reach that project alone.',
      });
    if (role === null) {
      await tx.query(
        sql`DELETE FROM project_members WHERE project_id = ${project.id} AND user_id = ${userId}`,
      );
    } else if (before === null) await addMember(tx, project.id, userId, role, new Date(now()));
    else
      await tx.query(sql`
        UPDATE project_members SET role = ${role}, provider = NULL
        WHERE project_id = ${project.id} AND user_id = ${userId}`);
    audit.record(tx, {
      action: 'project.set_member',
      actor: viewer,
      targetType: 'Project',
      targetId: project.id,
      changes: { userId, role: { from: before, to: role } },
    });
    tx.afterCommit(() => events.publish('user.changed', { userId }));
    return project;
  };
  return db.transaction(work).catch((error: unknown) => {
    if (violates(error, 'project_members_user_id_fkey')) throw new AppError('NOT_FOUND');
    throw error;
  });
}

/**
 * Adds a member, in the transaction that has locked the project or made the user.
 * @throws CONFLICT when the project has as many members as allowed
 */
export async function addMember(
  tx: Transaction,
  projectId: string,
  userId: string,
  role: ProjectRole,
  since: Date,
): Promise<void> {
  await assertRoom(tx, projectId);
  await tx.query(sql`
    INSERT INTO project_members (project_id, user_id, role, since) VALUES (${projectId}, ${userId}, ${role}, ${since})`);
}

interface Membership {
  role: ProjectRole | null;
  /** The identity provider whose groups gave it. */
  provider: string | null;
  /** Whether the user is the service account of another project. */
  isElsewhere: boolean;
}

async function membershipOf(tx: Transaction, projectId: string, userId: string): Promise<Membership> {
  const [row] = await tx.query<Membership>(sql`
    SELECT m.role, m.provider, coalesce(u.project_id <> ${projectId}, false) AS "isElsewhere" FROM users u
    LEFT JOIN project_members m ON m.project_id = ${projectId} AND m.user_id = u.id WHERE u.id = ${userId}`);
  return row ?? { role: null, provider: null, isElsewhere: false };
}

/** @throws CONFLICT */
async function assertRoom(tx: Transaction, projectId: string): Promise<void> {
  const [row] = await tx.query<{ count: number }>(
    sql`SELECT count(*)::int AS count FROM project_members WHERE project_id = ${projectId}`,
  );
  if ((row?.count ?? 0) < maxMembers) return;
  throw new AppError('CONFLICT', {
    message: `The project has ${maxMembers} members, the most that are allowed: make it internal, or remove some.`,
  });
}
