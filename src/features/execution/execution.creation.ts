// Creates executions: new ones, and repetitions of others. A repeated idempotency key returns the first one.
import { digestOf } from '../../core/digest.js';
import { AppError, invalid } from '../../core/errors.js';
import { momentOf, newId } from '../../core/ids.js';
import type { Permission, Viewer } from '../../core/permissions.js';
import { defaultProject } from '../../core/project-access.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { conditionOn } from '../../infra/postgres/project-access.js';
import { join, type Sql, sql, where } from '../../infra/postgres/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import { type ExecutionChanges, snapshot } from './execution.changes.js';
import type { CreateExecutionInput } from './execution.input.js';
import { columns, type ExecutionRow, notWorkable, searchTextOf, visibleTo } from './execution.rows.js';

interface CreationOptions {
  db: Database;
  audit: AuditService;
  announce: ExecutionChanges['announce'];
}

interface NewExecution {
  id: string;
  rerunOfId: string | null;
  /** The permission that the viewer needs in the project. */
  permission: Permission;
  /** Of the input, where it has an idempotency key. */
  digest: Buffer | null;
  /** Which of the projects `p` it belongs to. */
  project: Sql;
}

/**
 * Creates an execution, or returns the one that the idempotency key created.
 * @param repeated the execution that it repeats, in the same project
 * @throws IDEMPOTENCY_KEY_REUSED when the key came with another input
 * @throws NOT_FOUND for a project that the viewer may not see, and when the execution to repeat was deleted meanwhile
 * @throws FORBIDDEN for a project where the viewer may only read
 * @throws CONFLICT for an archived project
 * @throws VALIDATION_FAILED for parameters that PostgreSQL writes in more than 128 KiB
 */
export async function createExecution(
  { db, audit, announce }: CreationOptions,
  viewer: Viewer,
  input: CreateExecutionInput,
  repeated?: ExecutionRow,
): Promise<ExecutionRow> {
  const id = newId();
  const rerunOfId = repeated?.id ?? null;
  const { idempotencyKey, ...content } = input;
  const digest = idempotencyKey == null ? null : digestOf({ ...content, rerunOfId });
  const project = projectOf(viewer, input, repeated);
  const permission = 'execution:create';
  const work = async (tx: Transaction): Promise<ExecutionRow> => {
    const row = await insert(tx, viewer, input, { id, rerunOfId, digest, project, permission });
    if (row === undefined) {
      const existing = await readByKey(tx, viewer, idempotencyKey, digest);
      if (existing !== undefined) return existing;
      throw (await refusalOf(tx, viewer, project, permission)) ?? new AppError('CONFLICT');
    }
    audit.record(tx, {
      action: rerunOfId === null ? 'execution.create' : 'execution.rerun',
      actor: viewer,
      targetType: 'TestExecution',
      targetId: id,
      changes: { name: input.name, target: input.target, kind: input.kind },
    });
    announce(tx, row);
    return row;
  };
  return db.transaction(work).catch(translate);
}

/**
 * Creates an execution that runs at once, in the caller's transaction, for callers with the right to import reports.
 * @param leaseSeconds lease of the caller, which it renews
 * @throws NOT_FOUND @throws FORBIDDEN @throws CONFLICT by its project, as {@link createExecution}
 */
export async function createStartedExecution(
  {
    audit,
    announce,
    change,
    now,
  }: Omit<CreationOptions, 'db'> & Pick<ExecutionChanges, 'change'> & { now: () => number },
  tx: Transaction,
  viewer: Viewer,
  input: CreateExecutionInput,
  leaseSeconds: number,
): Promise<ExecutionRow> {
  const id = newId();
  const project = projectOf(viewer, input);
  const permission = 'report:import';
  const created = await insert(tx, viewer, input, { id, rerunOfId: null, digest: null, project, permission });
  if (created === undefined)
    throw (await refusalOf(tx, viewer, project, permission)) ?? new AppError('CONFLICT');
  announce(tx, created);
  const at = momentOf(id);
  const started = await change(tx, id, ['QUEUED'], 'STARTED', [
    sql`status = 'RUNNING', started_at = ${at}::timestamptz, lease_seconds = ${leaseSeconds}`,
    sql`lease_expires_at = ${new Date(now() + leaseSeconds * 1000)}`, // by the clock of the reaper
  ]);
  if (started === undefined) throw new AppError('INTERNAL', { cause: new Error('a new execution changed') });
  audit.record(tx, {
    action: 'execution.create',
    actor: viewer,
    targetType: 'TestExecution',
    targetId: id,
    changes: { name: input.name, target: input.target, kind: input.kind },
  });
  return started;
}

function projectOf(
  { projects }: Viewer,
  { project }: Pick<CreateExecutionInput, 'project'>,
  repeated?: ExecutionRow,
): Sql {
  if (repeated !== undefined) return sql`p.id = ${repeated.projectId}::uuid`;
  if (project == null && projects?.boundTo !== undefined) return sql`p.id = ${projects.boundTo}::uuid`;
  return sql`p.key = ${project ?? defaultProject.key}`;
}

/**
 * Refuses what a project would not take, before anything is read of a report for it.
 * @throws NOT_FOUND @throws FORBIDDEN @throws CONFLICT by its project, as {@link createExecution}
 */
export async function assertTakesReports(
  db: Database,
  viewer: Viewer,
  input: Pick<CreateExecutionInput, 'project'>,
): Promise<void> {
  const refusal = await refusalOf(db, viewer, projectOf(viewer, input), 'report:import');
  if (refusal !== undefined) throw refusal;
}

/** @returns undefined when the key is known, or the project takes none from the viewer */
async function insert(
  tx: Transaction,
  viewer: Viewer,
  input: CreateExecutionInput,
  { id, rerunOfId, digest, project, permission }: NewExecution,
): Promise<ExecutionRow | undefined> {
  const takes = where([project, sql`p.archived_at IS NULL`, ...conditionOn(viewer, sql`p.id`, permission)]);
  const [row] = await tx.query<ExecutionRow>(sql`
    WITH created AS (
      INSERT INTO test_executions (id, name, target, kind, status, parameters, tool, tool_version, branch, commit_sha,
        category, idempotency_key, idempotency_digest, search_text, created_by_id, rerun_of_id, last_event_number,
        created_at, project_id)
      SELECT ${id}::uuid, ${input.name}, ${input.target}, ${input.kind}::test_kind, 'QUEUED'::execution_status,
        ${JSON.stringify(input.parameters ?? {})}::jsonb, ${input.tool ?? null}, ${input.toolVersion ?? null},
        ${input.branch ?? null}, ${input.commitSha ?? null}, ${input.category ?? null}, ${input.idempotencyKey ?? null},
        ${digest}::bytea, ${searchTextOf(input)}, ${viewer.userId}::uuid, ${rerunOfId}::uuid, 1,
        ${momentOf(id)}::timestamptz, p.id
      FROM projects p ${takes}
      ON CONFLICT (created_by_id, idempotency_key) DO NOTHING RETURNING *
    ), event AS (
      INSERT INTO execution_events (id, execution_id, number, type, at, snapshot, result_ids)
      SELECT ${newId()}::uuid, id, 1, 'CREATED', created_at, ${snapshot}, '{}' FROM created
    )
    SELECT ${columns} FROM created`);
  return row;
}

/** @throws IDEMPOTENCY_KEY_REUSED also for an execution that the viewer sees no longer */
async function readByKey(
  tx: Transaction,
  viewer: Viewer,
  key: string | null | undefined,
  digest: Buffer | null,
): Promise<ExecutionRow | undefined> {
  if (key == null) return undefined;
  const isVisible = join([sql`TRUE`, ...visibleTo(viewer)], ' AND ');
  const [existing] = await tx.query<ExecutionRow & { digest: Buffer | null; isVisible: boolean }>(sql`
    SELECT ${columns}, idempotency_digest AS digest, ${isVisible} AS "isVisible" FROM test_executions
    WHERE created_by_id = ${viewer.userId} AND idempotency_key = ${key}`);
  if (existing === undefined) return undefined;
  const { digest: known, isVisible: isSeen, ...row } = existing;
  if (!isSeen || (known !== null && digest?.equals(known) !== true))
    throw new AppError('IDEMPOTENCY_KEY_REUSED', {
      message: 'This idempotencyKey was used for another execution.',
      fields: [{ path: 'input.idempotencyKey', message: 'was used for another execution' }],
    });
  return row;
}

/** Why a project takes no execution; undefined when it takes one now. */
async function refusalOf(
  tx: Pick<Transaction, 'query'>,
  viewer: Viewer,
  project: Sql,
  permission: Permission,
): Promise<AppError | undefined> {
  const isAllowed = join([sql`TRUE`, ...conditionOn(viewer, sql`p.id`, permission)], ' AND ');
  const [found] = await tx.query<{ isAllowed: boolean; isArchived: boolean }>(sql`
    SELECT ${isAllowed} AS "isAllowed", p.archived_at IS NOT NULL AS "isArchived" FROM projects p
    ${where([project, ...conditionOn(viewer, sql`p.id`)])}`);
  if (found === undefined) return new AppError('NOT_FOUND', { message: 'There is no such project.' });
  if (!found.isAllowed) return notWorkable();
  if (found.isArchived)
    return new AppError('CONFLICT', { message: 'The project is archived: it takes no new executions.' });
  return undefined;
}

function translate(error: unknown): never {
  // jsonb writes numbers out: 1e300 has 301 digits.
  if (violates(error, 'test_executions_parameters_size_check'))
    throw invalid('input.parameters', 'must be at most 64 KiB of JSON');
  if (violates(error, 'test_executions_rerun_of_id_fkey')) throw new AppError('NOT_FOUND');
  if (violates(error, 'test_executions_created_by_id_fkey')) throw new AppError('TOKEN_REVOKED');
  throw error;
}
