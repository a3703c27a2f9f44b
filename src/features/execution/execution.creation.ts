// Creates executions: new ones, and repetitions of others. A repeated idempotency key returns the first one.
import { digestOf } from '../../core/digest.js';
import { AppError, invalid } from '../../core/errors.js';
import { momentOf, newId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import { type ExecutionChanges, snapshot } from './execution.changes.js';
import type { CreateExecutionInput } from './execution.input.js';
import { columns, type ExecutionRow, searchTextOf } from './execution.rows.js';

interface CreationOptions {
  db: Database;
  audit: AuditService;
  announce: ExecutionChanges['announce'];
}

/**
 * Creates an execution, or returns the one that the idempotency key created.
 * @param rerunOfId the execution that it repeats
 * @throws IDEMPOTENCY_KEY_REUSED when the key came with another input
 * @throws NOT_FOUND when the execution to repeat was deleted meanwhile
 * @throws VALIDATION_FAILED for parameters that PostgreSQL writes in more than 128 KiB
 */
export async function createExecution(
  { db, audit, announce }: CreationOptions,
  viewer: Viewer,
  input: CreateExecutionInput,
  rerunOfId: string | null,
): Promise<ExecutionRow> {
  const id = newId();
  const { idempotencyKey, ...content } = input;
  const digest = idempotencyKey == null ? null : digestOf({ ...content, rerunOfId });
  const work = async (tx: Transaction): Promise<ExecutionRow> => {
    const row = await insert(tx, viewer, input, { id, rerunOfId, digest });
    if (row === undefined) return readByKey(tx, viewer, idempotencyKey, digest);
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

/** @returns undefined when the key is known */
async function insert(
  tx: Transaction,
  viewer: Viewer,
  input: CreateExecutionInput,
  { id, rerunOfId, digest }: { id: string; rerunOfId: string | null; digest: Buffer | null },
): Promise<ExecutionRow | undefined> {
  const [row] = await tx.query<ExecutionRow>(sql`
    WITH created AS (
      INSERT INTO test_executions (id, name, target, kind, status, parameters, tool, tool_version, branch, commit_sha,
        idempotency_key, idempotency_digest, search_text, created_by_id, rerun_of_id, last_event_number, created_at)
      VALUES (${id}, ${input.name}, ${input.target}, ${input.kind}, 'QUEUED', ${JSON.stringify(input.parameters ?? {})},
        ${input.tool ?? null}, ${input.toolVersion ?? null}, ${input.branch ?? null}, ${input.commitSha ?? null},
        ${input.idempotencyKey ?? null}, ${digest}, ${searchTextOf(input)}, ${viewer.userId}, ${rerunOfId}, 1,
        ${momentOf(id)})
      ON CONFLICT (created_by_id, idempotency_key) DO NOTHING RETURNING *
    ), event AS (
      INSERT INTO execution_events (id, execution_id, number, type, at, snapshot, result_ids)
      SELECT ${newId()}::uuid, id, 1, 'CREATED', created_at, ${snapshot}, '{}' FROM created
    )
    SELECT ${columns} FROM created`);
  return row;
}

async function readByKey(
  tx: Transaction,
  viewer: Viewer,
  key: string | null | undefined,
  digest: Buffer | null,
): Promise<ExecutionRow> {
  const [existing] = await tx.query<ExecutionRow & { digest: Buffer | null }>(sql`
    SELECT ${columns}, idempotency_digest AS digest FROM test_executions
    WHERE created_by_id = ${viewer.userId} AND idempotency_key = ${key}`);
  if (existing === undefined) throw new AppError('CONFLICT');
  const { digest: known, ...row } = existing;
  if (known !== null && digest?.equals(known) !== true)
    throw new AppError('IDEMPOTENCY_KEY_REUSED', {
      message: 'This idempotencyKey was used for another execution.',
      fields: [{ path: 'input.idempotencyKey', message: 'was used for another execution' }],
    });
  return row;
}

function translate(error: unknown): never {
  // jsonb writes numbers out: 1e300 has 301 digits.
  if (violates(error, 'test_executions_parameters_size_check'))
    throw invalid('input.parameters', 'must be at most 64 KiB of JSON');
  if (violates(error, 'test_executions_rerun_of_id_fkey')) throw new AppError('NOT_FOUND');
  if (violates(error, 'test_executions_created_by_id_fkey')) throw new AppError('TOKEN_REVOKED');
  throw error;
}
