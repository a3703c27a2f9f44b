// Adds results to a running execution: one insert per batch, exact counters, one event, all or nothing.
import { AppError } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import { createKeyedQueue } from '../../core/keyed-queue.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import type { ExecutionRow, ExecutionService } from '../execution/execution.service.js';
import { countBySeverity } from './counts.js';
import { computeFingerprint } from './fingerprint.js';
import { type Batch, type BatchInput, prepareBatch, type SkippedResult } from './result.batch.js';
import { columnTypes, contentKey, givenColumns } from './result.records.js';

/** Dependencies of storing and counting results. */
export interface ResultServiceOptions {
  db: Database;
  audit: AuditService;
  executions: ExecutionService;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Longest wait of a batch for earlier ones of its execution, in milliseconds. */
  batchWaitMs: number;
}

/** Changes that a batch made. */
export interface AddedResults {
  execution: ExecutionRow;
  added: number;
  /** Results that the execution or the batch has already: the same place and content. */
  duplicates: number;
  /** Duplicates that were worse, by severity and then by CVSS score, and raised the stored result. */
  raised: number;
  skipped: SkippedResult[];
}

const maxEventResults = 100;
/** Batches of one execution that may wait for each other. */
const maxWaitingBatches = 500;

/** Creates the intake. Batches of one execution follow each other, so that its counters stay exact. */
export function createResultIntake({ db, audit, executions, now, batchWaitMs }: ResultServiceOptions) {
  const queue = createKeyedQueue(maxWaitingBatches, batchWaitMs);
  return {
    /**
     * Adds the results of a batch and writes one event. A result that the execution has already counts as a duplicate;
     * a worse one raises the stored result. Repeating a batchKey adds nothing.
     * @throws NOT_FOUND
     * @throws FORBIDDEN for an execution of somebody else
     * @throws CONFLICT unless the execution runs
     * @throws EXECUTION_FINISHED
     * @throws IDEMPOTENCY_KEY_REUSED for another batch under a known batchKey
     * @throws UNAVAILABLE when too many batches of the execution wait
     * @throws VALIDATION_FAILED
     */
    async add(viewer: Viewer, input: BatchInput): Promise<AddedResults> {
      const batch = prepareBatch(input);
      const write = (tx: Transaction) => writeBatch(tx, viewer, batch, executions, audit, new Date(now()));
      return queue.run(batch.executionId, () => db.transaction(write));
    },
  };
}

async function writeBatch(
  tx: Transaction,
  viewer: Viewer,
  batch: Batch,
  executions: ExecutionService,
  audit: AuditService,
  at: Date,
): Promise<AddedResults> {
  const { executionId, batchKey, count, skipped } = batch;
  const before = await executions.lockChangeable(tx, viewer, executionId);
  if (!executions.activeStatuses.includes(before.status)) throw executions.refusal(before, 'take results');
  if (batchKey != null && (await isRepeated(tx, batch, batchKey)))
    return { execution: before, added: 0, duplicates: count, raised: 0, skipped };
  let execution = await change(tx, executions, batch, insertion(batch, before.tool, at), at);
  if (execution === undefined)
    throw new AppError('INTERNAL', { cause: new Error('a locked execution changed') });
  const added = countBySeverity(execution) - countBySeverity(before);
  let raised = 0;
  if (added < count) {
    const after = await change(tx, executions, batch, raising(batch), at, [
      sql`EXISTS (SELECT FROM inserted)`,
    ]);
    if (after !== undefined) {
      raised = after.raised;
      execution = after;
    }
  }
  const duplicates = count - added;
  if (batchKey != null)
    await tx.query(sql`
      INSERT INTO result_batches (execution_id, batch_key, digest, added, duplicates, created_at)
      VALUES (${executionId}, ${batchKey}, ${batch.digest}, ${added}, ${duplicates}, ${at})`);
  audit.record(tx, {
    action: 'execution.add_results',
    actor: viewer,
    targetType: 'TestExecution',
    targetId: executionId,
    changes: { added, duplicates, ...(raised > 0 && { raised }) },
  });
  return { execution, added, duplicates, raised, skipped };
}

/** @throws IDEMPOTENCY_KEY_REUSED */
async function isRepeated(
  tx: Transaction,
  { executionId, digest }: Batch,
  batchKey: string,
): Promise<boolean> {
  const [known] = await tx.query<{ digest: Buffer | null }>(
    sql`SELECT digest FROM result_batches WHERE execution_id = ${executionId} AND batch_key = ${batchKey}`,
  );
  if (known === undefined) return false;
  if (known.digest !== null && !digest.equals(known.digest))
    throw new AppError('IDEMPOTENCY_KEY_REUSED', {
      message: 'This batchKey was used for another batch of the execution.',
      fields: [{ path: 'input.batchKey', message: 'was used for another batch' }],
    });
  return true;
}

/** Inserts what the execution does not have; of equal results in the batch, the worst by severity, then by CVSS score. */
function insertion(
  { executionId, records, count, withoutFingerprint }: Batch,
  tool: string | null,
  at: Date,
): Sql {
  // Made under the lock: later batches have later ids.
  const ids = Array.from({ length: count }, newId);
  const computed = withoutFingerprint?.map((result) => result && computeFingerprint(tool, result));
  const fingerprint =
    computed === undefined ? sql`fingerprint` : sql`coalesce(fingerprint, (${computed}::text[])[position])`;
  return sql`
    INSERT INTO test_results (id, execution_id, ${givenColumns}, search_text, fingerprint, content_key, created_at)
    SELECT (${ids}::uuid[])[position], ${executionId}::uuid, ${givenColumns}, search_text, ${fingerprint}, ${contentKey},
      ${at}::timestamptz
    FROM ROWS FROM (jsonb_to_recordset(${records}::jsonb) AS (${columnTypes})) WITH ORDINALITY
      AS found(${givenColumns}, search_text, fingerprint, position)
    ORDER BY severity DESC, cvss_score DESC NULLS LAST, position
    ON CONFLICT (execution_id, content_key) DO NOTHING RETURNING id, severity, NULL::smallint AS before`;
}

/** Raises stored results that the batch holds as worse; the data that severity and score come with follows. */
function raising({ executionId, records }: Batch): Sql {
  return sql`
    UPDATE test_results AS stored SET severity = worse.severity, cvss_vector = worse.cvss_vector,
      cvss_score = worse.cvss_score, remediation = worse.remediation, "references" = worse."references", tags = worse.tags
    FROM (
      SELECT DISTINCT ON (kept.id) kept.id, kept.severity AS before, found.*
      FROM (
        SELECT ${contentKey} AS content_key, severity, cvss_vector, cvss_score, remediation, "references", tags
        FROM jsonb_to_recordset(${records}::jsonb) AS found(${columnTypes})
      ) AS found JOIN test_results AS kept USING (content_key)
      WHERE kept.execution_id = ${executionId}::uuid
        AND (kept.severity, coalesce(kept.cvss_score, -1)) < (found.severity, coalesce(found.cvss_score, -1))
      ORDER BY kept.id, found.severity DESC, found.cvss_score DESC NULLS LAST
    ) AS worse
    WHERE stored.id = worse.id RETURNING stored.id, stored.severity, worse.before`;
}

/** Runs an insertion or a raising with the counters and the event of it, in one statement. */
async function change(
  tx: Transaction,
  executions: ExecutionService,
  { executionId }: Batch,
  inserted: Sql,
  at: Date,
  only: Sql[] = [],
): Promise<(ExecutionRow & { raised: number }) | undefined> {
  const rank = (index: number) => sql`(
    SELECT count(*) FILTER (WHERE severity = ${index}::smallint) - count(*) FILTER (WHERE before = ${index}::smallint)
    FROM inserted)`;
  let raised = 0;
  const row = await executions.change(
    tx,
    executionId,
    executions.activeStatuses,
    'RESULTS_ADDED',
    [
      sql`info_count = info_count + ${rank(0)}, low_count = low_count + ${rank(1)}`,
      sql`medium_count = medium_count + ${rank(2)}, high_count = high_count + ${rank(3)}`,
      sql`critical_count = critical_count + ${rank(4)}`,
      sql`lease_expires_at = ${at}::timestamptz + make_interval(secs => lease_seconds)`,
    ],
    {
      only,
      results: {
        inserted,
        ids: sql`ARRAY(SELECT id FROM inserted ORDER BY id LIMIT ${maxEventResults})`,
        onCount: (count) => {
          raised = count;
        },
      },
    },
  );
  return row && { ...row, raised };
}
