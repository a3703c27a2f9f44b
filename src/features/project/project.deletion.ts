// Deletes projects: from the commit on nobody sees one, its keys and webhooks end, and the removal worker removes its rows.
import { AppError, invalid } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import { defaultProject } from '../../core/project-access.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql, where } from '../../infra/postgres/sql.js';
import type { ProjectChangeOptions } from './project.changes.js';
import type { DeleteProjectInput } from './project.input.js';
import { columns, type ProjectRow, visibleTo } from './project.rows.js';

/** Numbers of objects in a project. */
export interface ProjectContent {
  executions: number;
  /** Stored results; runs share unchanged ones. */
  results: number;
  findings: number;
  imports: number;
  members: number;
  /** Keys that are bound to it and in force. */
  apiKeys: number;
  webhooks: number;
  /** Executions under a legal hold, which keep the project from being deleted. */
  heldExecutions: number;
}

/** A deletion, or what it would delete. */
export interface ProjectDeletion extends ProjectContent {
  id: string;
  isDryRun: boolean;
}

/**
 * Deletes a project with all that it holds, or counts what that is.
 * @throws NOT_FOUND also for a project that the viewer may not see
 * @throws VALIDATION_FAILED when the confirmation is not the key
 * @throws CONFLICT for the default project, and for one with executions under a legal hold
 */
export async function deleteProject(
  options: ProjectChangeOptions,
  viewer: Viewer,
  { key, confirmKey, dryRun }: DeleteProjectInput,
): Promise<ProjectDeletion> {
  const isDryRun = dryRun === true;
  if (!isDryRun && confirmKey !== key) throw invalid('input.confirmKey', 'must be the key of the project');
  const [project] = await options.db.query<ProjectRow>(
    sql`SELECT ${columns} FROM projects ${where([sql`key = ${key}`, ...visibleTo(viewer)])}`,
  );
  if (project === undefined) throw new AppError('NOT_FOUND');
  if (project.id === defaultProject.id)
    throw new AppError('CONFLICT', {
      message: 'The default project cannot be deleted: executions that name no project belong to it.',
    });
  // Before the transaction that locks the project: counting millions of rows takes seconds.
  const content = await options.transactLong((tx) => countContent(tx, project.id, new Date(options.now())));
  if (!isDryRun) await options.db.transaction((tx) => markDeleted(options, tx, viewer, project, content));
  return { id: project.id, isDryRun, ...content };
}

async function countContent(tx: Transaction, id: string, at: Date): Promise<ProjectContent> {
  const isIn = sql`project_id = ${id}::uuid`;
  const executions = sql`(SELECT id FROM test_executions WHERE ${isIn})`;
  const [content] = await tx.query<ProjectContent>(sql`
    SELECT (SELECT count(*)::int FROM test_executions WHERE ${isIn}) AS executions,
      (SELECT count(*)::int FROM test_results WHERE execution_id IN ${executions}) AS results,
      (SELECT coalesce(sum(change), 0)::int FROM finding_counts WHERE ${isIn}) AS findings,
      (SELECT count(*)::int FROM imports WHERE execution_id IN ${executions}) AS imports,
      (SELECT count(*)::int FROM project_members WHERE ${isIn}) AS members,
      (SELECT count(*)::int FROM api_keys WHERE ${isIn} AND revoked_at IS NULL AND expires_at > ${at}) AS "apiKeys",
      (SELECT count(*)::int FROM webhooks WHERE ${isIn}) AS webhooks,
      (SELECT count(*)::int FROM test_executions WHERE ${isIn} AND held_at IS NOT NULL) AS "heldExecutions"`);
  return content as ProjectContent;
}

async function markDeleted(
  { events, audit, now, wakeRemoval }: ProjectChangeOptions,
  tx: Transaction,
  viewer: Viewer,
  { id, key, name }: ProjectRow,
  content: ProjectContent,
): Promise<void> {
  const at = new Date(now());
  // Changes no key column, so it waits for no import that refers to the project.
  const [deleted] = await tx.query(sql`
    UPDATE projects SET deleted_at = ${at}, archived_at = coalesce(archived_at, ${at})
    ${where([sql`id = ${id}::uuid`, sql`deleted_at IS NULL`, ...visibleTo(viewer)])} RETURNING id`);
  if (deleted === undefined) throw new AppError('NOT_FOUND');
  const [held] = await tx.query<{ count: number }>(sql`
    SELECT count(*)::int AS count FROM test_executions WHERE project_id = ${id}::uuid AND held_at IS NOT NULL`);
  if ((held?.count ?? 0) > 0)
    throw new AppError('CONFLICT', {
      message: `${held?.count} of its executions are under a legal hold: release them first.`,
    });
  const keys = await tx.query<{ id: string }>(sql`
    UPDATE api_keys SET revoked_at = ${at} WHERE project_id = ${id}::uuid AND revoked_at IS NULL RETURNING id`);
  await tx.query(sql`DELETE FROM webhooks WHERE project_id = ${id}::uuid`);
  audit.record(tx, {
    action: 'project.delete',
    actor: viewer,
    targetType: 'Project',
    targetId: id,
    changes: { key, name, ...content },
  });
  tx.afterCommit(() => {
    events.publish('project.changed', { projectId: id });
    for (const { id: apiKeyId } of keys) events.publish('key.ended', { apiKeyId });
    wakeRemoval();
  });
}
