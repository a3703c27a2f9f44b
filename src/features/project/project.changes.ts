// Creates, updates and archives projects, each with its audit event. Members are in project.members.ts.
import { AppError } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import { defaultProject } from '../../core/project-access.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { join, type Sql, sql, where } from '../../infra/postgres/sql.js';
import type { RunTransaction } from '../../infra/postgres/transaction.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { AuditService } from '../audit/audit.service.js';
import { followDefaultBranch, setDueDates } from './project.findings.js';
import type { CreateProjectInput, UpdateProjectInput } from './project.input.js';
import { columns, type ProjectRow, searchTextOf, visibleTo } from './project.rows.js';

/** Dependencies of changing projects. */
export interface ProjectChangeOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  /** Milliseconds since 1970. */
  now: () => number;
  /** As `db.transaction`, for counts of all rows of a project. */
  transactLong: RunTransaction;
  /** Has the removal worker look for deleted projects soon. */
  wakeRemoval: () => void;
}

/** Locks a project until the transaction ends. @throws NOT_FOUND also for a project that the viewer may not see */
export async function lockProject(tx: Transaction, viewer: Viewer, key: string): Promise<ProjectRow> {
  const [row] = await tx.query<ProjectRow>(
    sql`SELECT ${columns} FROM projects ${where([sql`key = ${key}`, ...visibleTo(viewer)])} FOR UPDATE`,
  );
  if (row === undefined) throw new AppError('NOT_FOUND');
  return row;
}

/**
 * Creates a project.
 * @throws CONFLICT for a key that another project has
 * @throws FORBIDDEN for an API key that is bound to a project
 */
export async function createProject(
  { db, events, audit, now }: ProjectChangeOptions,
  viewer: Viewer,
  input: CreateProjectInput,
): Promise<ProjectRow> {
  if (viewer.projects?.boundTo !== undefined)
    throw new AppError('FORBIDDEN', { message: 'This API key is bound to a project: it creates no others.' });
  const id = newId();
  const { key, name, description = null, defaultBranch = null } = input;
  const visibility = input.visibility ?? 'INTERNAL';
  const work = async (tx: Transaction): Promise<ProjectRow> => {
    const [row] = await tx.query<ProjectRow>(sql`
      INSERT INTO projects (id, key, name, folded_text, description, visibility, default_branch, created_at)
      VALUES (${id}, ${key}, ${name}, ${searchTextOf({ key, name })}, ${description}, ${visibility}, ${defaultBranch},
        ${new Date(now())})
      RETURNING ${columns}`);
    audit.record(tx, {
      action: 'project.create',
      actor: viewer,
      targetType: 'Project',
      targetId: id,
      changes: { key, name, visibility },
    });
    tx.afterCommit(() => events.publish('project.changed', { projectId: id }));
    return row as ProjectRow;
  };
  return db.transaction(work).catch((error: unknown) => {
    if (violates(error, 'projects_key_key'))
      throw new AppError('CONFLICT', {
        message: 'There is a project with this key, or a deleted one whose rows are not all removed yet.',
        fields: [{ path: 'input.key', message: 'is the key of another project' }],
      });
    throw error;
  });
}

const ranks = { daysLow: 1, daysMedium: 2, daysHigh: 3, daysCritical: 4 } as const;
const assignable = {
  name: sql`name`,
  description: sql`description`,
  visibility: sql`visibility`,
  defaultBranch: sql`default_branch`,
  retainDays: sql`retain_days`,
  retainExecutions: sql`retain_executions`,
  daysCritical: sql`days_critical`,
  daysHigh: sql`days_high`,
  daysMedium: sql`days_medium`,
  daysLow: sql`days_low`,
};
type Assignable = keyof typeof assignable;

/**
 * Updates a project. New limits set when its open findings are due; a new default branch decides which are present.
 * @throws NOT_FOUND also for a project that the viewer may not see
 */
export async function updateProject(
  { db, events, audit }: ProjectChangeOptions,
  viewer: Viewer,
  input: UpdateProjectInput,
): Promise<ProjectRow> {
  const wanted = wantedOf(input);
  return db.transaction(async (tx) => {
    const before = await lockProject(tx, viewer, input.key);
    const changed = (Object.keys(wanted) as Assignable[]).filter((name) => wanted[name] !== before[name]);
    if (changed.length === 0) return before;
    const assignments = changed.map((name) => assignmentOf(name, wanted[name]));
    if (wanted.name != null)
      assignments.push(sql`folded_text = ${searchTextOf({ key: before.key, name: wanted.name })}`);
    const [row] = await tx.query<ProjectRow>(
      sql`UPDATE projects SET ${join(assignments)} WHERE id = ${before.id} RETURNING ${columns}`,
    );
    const due = changed.filter((name) => name in ranks) as (keyof typeof ranks)[];
    const days = due.map((name) => [ranks[name], wanted[name] ?? null] as const);
    await setDueDates(tx, before.id, new Map(days as [number, number | null][]));
    if (changed.includes('defaultBranch')) await followDefaultBranch(tx, before.id);
    audit.record(tx, {
      action: 'project.update',
      actor: viewer,
      targetType: 'Project',
      targetId: before.id,
      changes: Object.fromEntries(changed.map((name) => [name, { from: before[name], to: wanted[name] }])),
    });
    tx.afterCommit(() => events.publish('project.changed', { projectId: before.id }));
    return row as ProjectRow;
  });
}

/** The new value of each column; unchanged columns are absent. */
function wantedOf(input: UpdateProjectInput): Partial<Pick<ProjectRow, Assignable>> {
  const { name, description, visibility, defaultBranch, retainDays, retainExecutions, daysToFix } = input;
  const limits = daysToFix === null ? { critical: null, high: null, medium: null, low: null } : daysToFix;
  return {
    ...(name != null && { name }),
    ...(description !== undefined && { description }),
    ...(visibility != null && { visibility }),
    ...(defaultBranch !== undefined && { defaultBranch }),
    ...(retainDays !== undefined && { retainDays }),
    ...(retainExecutions !== undefined && { retainExecutions }),
    ...(limits?.critical !== undefined && { daysCritical: limits.critical }),
    ...(limits?.high !== undefined && { daysHigh: limits.high }),
    ...(limits?.medium !== undefined && { daysMedium: limits.medium }),
    ...(limits?.low !== undefined && { daysLow: limits.low }),
  };
}

function assignmentOf(name: Assignable, value: string | number | null | undefined): Sql {
  return sql`${assignable[name]} = ${value ?? null}`;
}

/**
 * Archives a project: it takes no new executions, and all that it has can be read. Without effect on an archived one.
 * @throws NOT_FOUND also for a project that the viewer may not see
 * @throws CONFLICT for the default project
 */
export async function archiveProject(
  { db, events, audit, now }: ProjectChangeOptions,
  viewer: Viewer,
  key: string,
): Promise<ProjectRow> {
  return db.transaction(async (tx) => {
    const before = await lockProject(tx, viewer, key);
    if (before.archivedAt !== null) return before;
    if (before.id === defaultProject.id)
      throw new AppError('CONFLICT', {
        message: 'The default project cannot be archived: executions that name no project belong to it.',
      });
    const [row] = await tx.query<ProjectRow>(sql`
      UPDATE projects SET archived_at = ${new Date(now())} WHERE id = ${before.id} RETURNING ${columns}`);
    audit.record(tx, {
      action: 'project.archive',
      actor: viewer,
      targetType: 'Project',
      targetId: before.id,
    });
    tx.afterCommit(() => events.publish('project.changed', { projectId: before.id }));
    return row as ProjectRow;
  });
}
