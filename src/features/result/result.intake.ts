// Adding results: bulk writes with exact counts, all or nothing. Reading them is in result.service.ts.

import { AppError, validationFailed } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import type { ExecutionRow, ExecutionService } from '../execution/execution.service.js';
import { countBySeverity } from './counts.js';
import { scoreCvss } from './cvss.js';
import { computeFingerprint } from './fingerprint.js';
import { type AddResultsInput, type ResultInput, severities } from './result.input.js';

/** What a batch brought in. */
export interface AddedResults {
  execution: ExecutionRow;
  added: number;
  duplicates: number;
}

const given = sql`title, description, severity, rule_id, cwe_ids, cve_ids, cvss_vector, cvss_score, location, evidence,
  remediation, "references", tags`;
const givenTypes = sql`title text, description text, severity smallint, rule_id text, cwe_ids integer[], cve_ids text[],
  cvss_vector text, cvss_score float8, location jsonb, evidence text, remediation text, "references" text[], tags text[],
  fingerprint text`;
const maxEventResults = 100;

export function createResultIntake({
  db,
  audit,
  executions,
  now,
}: {
  db: Database;
  audit: AuditService;
  executions: ExecutionService;
  now: () => number;
}) {
  async function write(
    tx: Transaction,
    viewer: Viewer,
    { executionId, batchKey, records, count, nameless }: Batch,
  ): Promise<AddedResults> {
    const at = new Date(now());
    // The lock lets batches of one execution follow each other, so that its counters stay exact.
    const before = await executions.lockChangeable(tx, viewer, executionId);
    if (!executions.activeStatuses.includes(before.status)) throw executions.refusal(before, 'take results');
    if (batchKey != null) {
      const [seen] = await tx.query(
        sql`SELECT added FROM result_batches WHERE execution_id = ${executionId} AND batch_key = ${batchKey}`,
      );
      if (seen !== undefined) return { execution: before, added: 0, duplicates: count };
    }
    // In the order of the lock: later batches have later ids.
    const ids = Array.from({ length: count }, newId);
    const computed = nameless?.map((result) => result && computeFingerprint(before.tool, result));
    const fingerprint =
      computed === undefined ? sql`fingerprint` : sql`coalesce(fingerprint, (${computed}::text[])[position])`;
    const inserted = sql`
      INSERT INTO test_results (id, execution_id, ${given}, fingerprint, created_at)
      SELECT (${ids}::uuid[])[position], ${executionId}::uuid, ${given}, ${fingerprint}, ${at}::timestamptz
      FROM ROWS FROM (jsonb_to_recordset(${records}::jsonb) AS (${givenTypes})) WITH ORDINALITY
        AS found(${given}, fingerprint, position)
      ON CONFLICT (execution_id, fingerprint) DO NOTHING RETURNING id, severity`;
    const rank = (index: number) => sql`(SELECT count(*) FROM inserted WHERE severity = ${index}::smallint)`;
    const execution = await executions.change(
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
        results: {
          inserted,
          ids: sql`ARRAY(SELECT id FROM inserted ORDER BY id LIMIT ${maxEventResults})`,
        },
      },
    );
    if (execution === undefined)
      throw new AppError('INTERNAL', { cause: new Error('a locked execution changed') });
    const added = countBySeverity(execution) - countBySeverity(before);
    const duplicates = count - added;
    if (batchKey != null) {
      await tx.query(sql`
        INSERT INTO result_batches (execution_id, batch_key, added, duplicates, created_at)
        VALUES (${executionId}, ${batchKey}, ${added}, ${duplicates}, ${at})`);
    }
    audit.record(tx, {
      action: 'execution.add_results',
      actor: viewer,
      targetType: 'TestExecution',
      targetId: executionId,
      changes: { added, duplicates },
    });
    return { execution, added, duplicates };
  }

  return {
    /**
     * Adds findings in one insert, counts them on the execution and writes one event, all or nothing. Those whose
     * fingerprint the execution has already are counted as duplicates; a repeated batchKey adds nothing.
     * @throws NOT_FOUND
     * @throws FORBIDDEN for someone else's execution
     * @throws CONFLICT unless it runs
     * @throws EXECUTION_FINISHED
     * @throws VALIDATION_FAILED
     */
    add(viewer: Viewer, input: AddResultsInput): Promise<AddedResults> {
      const batch = prepare(input);
      return db.transaction((tx) => write(tx, viewer, batch));
    },
  };
}

/** What is kept of the input while it waits for the database: a text, not thousands of objects. */
interface Batch {
  executionId: string;
  batchKey: string | null | undefined;
  /** As JSON. */
  records: string;
  count: number;
  /** Those whose fingerprint has to be computed, at their places; undefined when there are none. */
  nameless: (ResultInput | null)[] | undefined;
}

/** @throws VALIDATION_FAILED for CVSS vectors */
function prepare({ executionId, batchKey, results }: AddResultsInput): Batch {
  const faults: { path: string; message: string }[] = [];
  const records = results.map((result, index) => {
    const cvss = result.cvssVector == null ? null : scoreCvss(result.cvssVector);
    if (cvss !== null && 'fault' in cvss)
      faults.push({ path: `input.results.${index}.cvssVector`, message: cvss.fault });
    return {
      title: result.title,
      description: result.description ?? null,
      severity: severities.indexOf(result.severity),
      rule_id: result.ruleId ?? null,
      cwe_ids: result.cweIds ?? [],
      cve_ids: result.cveIds ?? [],
      cvss_vector: result.cvssVector ?? null,
      cvss_score: cvss !== null && 'score' in cvss ? cvss.score : null,
      location: result.location ?? null,
      evidence: result.evidence ?? null,
      remediation: result.remediation ?? null,
      references: result.references ?? [],
      tags: result.tags ?? [],
      fingerprint: result.fingerprint ?? null,
    };
  });
  if (faults.length > 0) throw validationFailed(faults);
  const isNameless = ({ fingerprint }: ResultInput) => fingerprint == null;
  const nameless = results.some(isNameless)
    ? results.map((result) => (isNameless(result) ? result : null))
    : undefined;
  return { executionId, batchKey, records: JSON.stringify(records), count: results.length, nameless };
}
