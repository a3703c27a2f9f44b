// Takes a report in: the file first, then execution, import and audit event in one transaction; a repeated one is recognised.
import { createReadStream } from 'node:fs';
import { digestOf } from '../../core/digest.js';
import { AppError } from '../../core/errors.js';
import { momentOf, newId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { ReportFormatName } from '../../reports/format.js';
import { createReportSource } from '../../reports/read/source.js';
import { openReport } from '../../reports/read-report.js';
import type { AcceptOptions, ReportClaims, SendReport } from './import.claims.js';
import { assertActive, enterExecution } from './import.execution.js';
import { columns, type ImportRow } from './import.rows.js';
import type { SpooledReport } from './staging/spool.js';

/** An import, and whether this request has begun it. */
export interface AcceptedImport {
  row: ImportRow;
  isNew: boolean;
}

/**
 * Receives a report and begins its import.
 * @throws VALIDATION_FAILED for a report of no known format, or one that broke off
 * @throws PAYLOAD_TOO_LARGE
 * @throws NOT_FOUND @throws FORBIDDEN @throws CONFLICT @throws EXECUTION_FINISHED for the execution that it is added to
 * @throws IDEMPOTENCY_KEY_REUSED when the key came with another report or other claims
 */
export async function acceptReport(
  options: AcceptOptions,
  viewer: Viewer,
  claims: ReportClaims,
  send: SendReport,
  idempotencyKey: string | null,
): Promise<AcceptedImport> {
  const { spool } = options;
  await assertWelcome(options, viewer, claims, idempotencyKey);
  const id = newId();
  const release = spool.hold(id);
  try {
    const report = await send((stream) => spool.keep(id, stream));
    const accepted = await begin(options, viewer, claims, { id, report, idempotencyKey });
    if (!accepted.isNew) await spool.remove(id);
    return accepted;
  } catch (error) {
    await spool.remove(id);
    throw error;
  } finally {
    release();
  }
}

/** Refuses a report before it is read, unless its key is known: the answer to that is the import that it began. */
async function assertWelcome(
  { db, executions }: AcceptOptions,
  viewer: Viewer,
  { executionId, target, project }: ReportClaims,
  key: string | null,
): Promise<void> {
  if (executionId != null) {
    assertActive(executions, await executions.getChangeable(viewer, executionId));
    return;
  }
  if (target == null)
    throw new AppError('VALIDATION_FAILED', { fields: [{ path: 'target', message: 'is required' }] });
  const known =
    key === null
      ? []
      : await db.query(sql`
          SELECT FROM imports WHERE created_by_id = ${viewer.userId}::uuid AND idempotency_key = ${key}`);
  if (known.length === 0) await executions.assertTakesReports(viewer, { project });
}

interface Arrived {
  id: string;
  report: SpooledReport;
  idempotencyKey: string | null;
}

async function begin(
  options: AcceptOptions,
  viewer: Viewer,
  claims: ReportClaims,
  { id, report, idempotencyKey }: Arrived,
): Promise<AcceptedImport> {
  const { db, audit, workerId, leaseMs } = options;
  const { format: named, ...rest } = claims;
  const digest = digestOf({ ...rest, format: named ?? null, sha256: report.sha256.toString('hex') });
  const known = await readKnown(db, viewer, claims.executionId ?? null, idempotencyKey, digest, report);
  if (known !== undefined) return { row: await seenBy(options, viewer, known), isNew: false };
  const format = await formatOf(options, report, named);
  const work = async (tx: Transaction): Promise<ImportRow> => {
    const execution = await enterExecution(tx, options, viewer, claims, format);
    // The execution is locked now: of two requests with the same report, the second one finds the first one's import.
    if (
      claims.executionId != null &&
      (await readKnown(tx, viewer, execution.id, null, digest, report)) !== undefined
    )
      throw new RepeatedReport();
    const [row] = await tx.query<ImportRow>(sql`
      INSERT INTO imports (id, execution_id, format, content_sha256, bytes, created_by_id, idempotency_key, request_digest,
        worker_id, lease_expires_at, created_at, is_whole_run, path_prefix, incomplete)
      VALUES (${id}, ${execution.id}, ${format}, ${report.sha256}, ${report.bytes}, ${viewer.userId}, ${idempotencyKey},
        ${digest}, ${workerId}, ${new Date(options.now() + leaseMs)}, ${momentOf(id)}, ${claims.executionId == null},
        ${claims.pathPrefix ?? null}, '{}')
      ON CONFLICT (created_by_id, idempotency_key) DO NOTHING RETURNING ${columns}`);
    if (row === undefined) throw new RepeatedReport();
    audit.record(tx, {
      action: 'report.import',
      actor: viewer,
      targetType: 'Import',
      targetId: id,
      changes: { execution: execution.id, format, bytes: report.bytes },
    });
    return row;
  };
  try {
    return { row: await db.transaction(work), isNew: true };
  } catch (error) {
    if (!(error instanceof RepeatedReport)) throw error;
    const executionId = claims.executionId ?? null;
    const first =
      (await readKnown(db, viewer, executionId, idempotencyKey, digest, report)) ??
      (await readKnown(db, viewer, executionId, null, digest, report));
    if (first === undefined) throw new AppError('CONFLICT');
    return { row: await seenBy(options, viewer, first), isNew: false };
  }
}

/** Rolls back what a request has begun whose import another request has begun at the same time. */
class RepeatedReport extends Error {}

/**
 * The import, when the viewer sees its project: a key of another project must not get the receipt.
 * @throws IDEMPOTENCY_KEY_REUSED
 */
async function seenBy({ executions }: AcceptOptions, viewer: Viewer, row: ImportRow): Promise<ImportRow> {
  const [execution] = await executions.byIds(viewer, [row.executionId], ['id']);
  if (execution != null) return row;
  throw keyReused();
}

function keyReused(): AppError {
  return new AppError('IDEMPOTENCY_KEY_REUSED', {
    message: 'This Idempotency-Key was used for another report.',
    fields: [{ path: 'Idempotency-Key', message: 'was used for another report' }],
  });
}

/** The import of the same key, or of the same report into the same execution. @throws IDEMPOTENCY_KEY_REUSED */
async function readKnown(
  db: Pick<Database, 'query'>,
  viewer: Viewer,
  executionId: string | null,
  key: string | null,
  digest: Buffer,
  { sha256 }: SpooledReport,
): Promise<ImportRow | undefined> {
  if (key !== null) {
    const [row] = await db.query<ImportRow & { digest: Buffer | null }>(sql`
      SELECT ${columns}, request_digest AS digest FROM imports
      WHERE created_by_id = ${viewer.userId}::uuid AND idempotency_key = ${key}`);
    if (row === undefined) return undefined;
    if (row.digest?.equals(digest) !== true) throw keyReused();
    return row;
  }
  if (executionId === null) return undefined;
  const [row] = await db.query<ImportRow>(sql`
    SELECT ${columns} FROM imports
    WHERE execution_id = ${executionId}::uuid AND content_sha256 = ${sha256} AND state <> 'FAILED' LIMIT 1`);
  return row;
}

/** @throws VALIDATION_FAILED when no format recognises it */
async function formatOf(
  { maxUnpackedBytes }: AcceptOptions,
  { file }: SpooledReport,
  named: ReportFormatName | null | undefined,
): Promise<ReportFormatName> {
  if (named != null) return named;
  const source = createReportSource(() => createReadStream(file), maxUnpackedBytes);
  return (await openReport(source, undefined)).format;
}
