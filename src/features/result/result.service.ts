// Results: bulk writes with exact counts, keyset reads, and batches of reads for many executions at once.
import type { Viewer } from '../../core/access.js';
import { AppError, validationFailed } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import { type Page, type PageArgs, parsePage, toPage } from '../../core/page.js';
import { Prisma, type TestResult } from '../../generated/prisma/client.js';
import type { Database, SqlRow, Transaction } from '../../infra/database.js';
import {
  columnsOf,
  containing,
  cursorIn,
  fetchOfEach,
  fetchPage,
  type KeysetOrder,
  pageClauses,
  type Sql,
  sql,
  where,
} from '../../infra/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import type { ExecutionRow, ExecutionService } from '../execution/execution.service.js';
import { scoreCvss } from './cvss.js';
import { computeFingerprint } from './fingerprint.js';
import {
  type AddResultsInput,
  type ResultFilter,
  type ResultInput,
  type ResultOrder,
  severities,
} from './result.input.js';

export type ResultRow = SqlRow<TestResult>;

/** What a batch brought in. */
export interface AddedResults {
  execution: ExecutionRow;
  added: number;
  duplicates: number;
}

const columns = columnsOf(Prisma.TestResultScalarFieldEnum);
const insertColumns = sql`id, execution_id, title, description, severity, rule_id, cwe_ids, cve_ids, cvss_vector, cvss_score,
  location, evidence, remediation, "references", tags, fingerprint, created_at`;
const maxEventResults = 100;

function orderOf(order: ResultOrder | null | undefined): KeysetOrder<ResultRow> {
  const isDescending = order?.direction !== 'ASC';
  if (order?.field !== 'SEVERITY') return { name: 'CREATED_AT', isDescending };
  const key = {
    expression: sql`severity`,
    type: sql`smallint`,
    of: (row: ResultRow) => String(row.severity),
    is: (text: string) => /^[0-4]$/.test(text),
  };
  return { name: 'SEVERITY', isDescending, key };
}

function conditionsOf(filter: ResultFilter): Sql[] {
  const { executionId, severity, ruleId, cweId, search, fingerprint } = filter;
  return [
    ...(executionId == null ? [] : [sql`execution_id = ${executionId}::uuid`]),
    ...(severity == null
      ? []
      : [sql`severity = ANY(${severity.map((name) => severities.indexOf(name))}::smallint[])`]),
    ...(ruleId == null ? [] : [sql`rule_id = ${ruleId}`]),
    ...(cweId == null ? [] : [sql`cwe_ids @> ARRAY[${cweId}]::integer[]`]),
    ...(search == null
      ? []
      : [sql`(title ILIKE ${containing(search)} OR rule_id ILIKE ${containing(search)})`]),
    ...(fingerprint == null ? [] : [sql`fingerprint = ${fingerprint}`]),
  ];
}

/** Rows that the viewer may see: those of visible executions, which today are all. */
function visibleTo(_viewer: Viewer): Sql[] {
  return [];
}

/** Whether an execution's counters know how many there are: when only its severity is asked for. */
function isCounted({ ruleId, cweId, search, fingerprint }: ResultFilter): boolean {
  return [ruleId, cweId, search, fingerprint].every((value) => value == null);
}

/** Number of results by severity, read from the execution's counters. */
export function countBySeverity(
  execution: ExecutionRow,
  names: readonly (typeof severities)[number][] = severities,
): number {
  const counters = {
    INFO: execution.infoCount,
    LOW: execution.lowCount,
    MEDIUM: execution.mediumCount,
    HIGH: execution.highCount,
    CRITICAL: execution.criticalCount,
  };
  return [...new Set(names)].reduce((sum, name) => sum + counters[name], 0);
}

export type ResultService = ReturnType<typeof createResultService>;

export function createResultService({
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
  async function countRows(conditions: Sql[]): Promise<number> {
    const [row] = await db.queryAnew<{ count: number }>(
      sql`SELECT count(*)::int AS count FROM test_results ${where(conditions)}`,
    );
    return row?.count ?? 0;
  }

  async function count(viewer: Viewer, filter: ResultFilter): Promise<number> {
    if (filter.executionId == null || !isCounted(filter))
      return countRows([...visibleTo(viewer), ...conditionsOf(filter)]);
    const [execution] = await executions.byIds(viewer, [filter.executionId]);
    return execution == null ? 0 : countBySeverity(execution, filter.severity ?? severities);
  }

  /** Counts the results of many executions, in one statement, once the first of these counts is asked for. */
  function lazyCounts(ids: readonly string[], conditions: Sql[]): (id: string) => Promise<number> {
    let counts: Promise<Map<string, number>> | undefined;
    const read = async () => {
      const rows = await db.queryAnew<{ id: string; count: number }>(sql`
        SELECT execution_id AS id, count(*)::int AS count FROM test_results
        ${where([sql`execution_id = ANY(${ids}::uuid[])`, ...conditions])} GROUP BY execution_id`);
      return new Map(rows.map((row) => [row.id, row.count]));
    };
    return async (id) => {
      counts ??= read();
      return (await counts).get(id) ?? 0;
    };
  }

  /** Rows as they are stored; @throws VALIDATION_FAILED for CVSS vectors. */
  function toRecords(execution: ExecutionRow, results: ResultInput[]) {
    const faults: { path: string; message: string }[] = [];
    const records = results.map((result, index) => {
      const cvss = result.cvssVector == null ? null : scoreCvss(result.cvssVector);
      if (cvss !== null && 'fault' in cvss)
        faults.push({ path: `input.results.${index}.cvssVector`, message: cvss.fault });
      return {
        id: newId(),
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
        fingerprint: result.fingerprint ?? computeFingerprint(execution.tool, result),
      };
    });
    if (faults.length > 0) throw validationFailed(faults);
    return records;
  }

  /** Locks the execution's row, so that batches of one execution follow each other and its counters stay exact. */
  async function lock(tx: Transaction, id: string): Promise<void> {
    const [row] = await tx.query<Pick<ExecutionRow, 'status'>>(
      sql`SELECT status FROM test_executions WHERE id = ${id} FOR UPDATE`,
    );
    if (row === undefined) throw new AppError('NOT_FOUND');
    if (!executions.activeStatuses.includes(row.status)) throw executions.refusal(row, 'take results');
  }

  return {
    /** Filtered, ordered (newest first unless asked otherwise) keyset pages. */
    async list(
      viewer: Viewer,
      filter: ResultFilter,
      order: ResultOrder | null | undefined,
      args: PageArgs,
    ): Promise<Page<ResultRow>> {
      const conditions = [...visibleTo(viewer), ...conditionsOf(filter)];
      const source = { select: sql`SELECT ${columns} FROM test_results`, conditions, order: orderOf(order) };
      const query = conditions.length === 0 ? db.query : db.queryAnew;
      return fetchPage<ResultRow>(query, source, args, () => count(viewer, filter));
    },

    /**
     * The same page of each execution, newest first, in one statement.
     * @returns pages in the order of the executions
     */
    async listOfEach(
      viewer: Viewer,
      parents: readonly ExecutionRow[],
      filter: ResultFilter,
      args: PageArgs,
    ): Promise<Page<ResultRow>[]> {
      const order = orderOf(null);
      const request = parsePage(args, order.name);
      const conditions = [...visibleTo(viewer), ...conditionsOf(filter)];
      const own = { conditions: [...conditions, sql`execution_id = parent.id`], order };
      const ids = parents.map(({ id }) => id);
      const select = sql`SELECT ${columns} FROM test_results ${pageClauses(own, request)}`;
      const query = conditions.length === 0 ? db.query : db.queryAnew;
      const byParent = await fetchOfEach<ResultRow>(query, ids, select, (row) => row.executionId);
      const countOf = lazyCounts(ids, conditions);
      return parents.map((parent) =>
        toPage(request, byParent.get(parent.id) ?? [], cursorIn(order), async () =>
          isCounted(filter) && (filter.executionId == null || filter.executionId === parent.id)
            ? countBySeverity(parent, filter.severity ?? severities)
            : countOf(parent.id),
        ),
      );
    },

    /** Results by id, in the order asked; those that are gone are left out. */
    async byIds(viewer: Viewer, ids: readonly string[]): Promise<ResultRow[]> {
      const rows = await db.query<ResultRow>(
        sql`SELECT ${columns} FROM test_results ${where([sql`id = ANY(${ids}::uuid[])`, ...visibleTo(viewer)])}`,
      );
      const byId = new Map(rows.map((row) => [row.id, row]));
      return ids.flatMap((id) => byId.get(id) ?? []);
    },

    /** @throws NOT_FOUND */
    async get(viewer: Viewer, id: string): Promise<ResultRow> {
      const [row] = await db.query<ResultRow>(
        sql`SELECT ${columns} FROM test_results ${where([sql`id = ${id}::uuid`, ...visibleTo(viewer)])}`,
      );
      if (row === undefined) throw new AppError('NOT_FOUND');
      return row;
    },

    /**
     * Adds findings in one insert, counts them on the execution and writes one event, all or nothing. Those whose
     * fingerprint the execution has already are counted as duplicates; a repeated batchKey adds nothing.
     * @throws NOT_FOUND
     * @throws FORBIDDEN for someone else's execution
     * @throws CONFLICT unless it runs
     * @throws EXECUTION_FINISHED
     * @throws VALIDATION_FAILED
     */
    async add(viewer: Viewer, { executionId, batchKey, results }: AddResultsInput): Promise<AddedResults> {
      const before = await executions.getChangeable(viewer, executionId);
      if (!executions.activeStatuses.includes(before.status))
        throw executions.refusal(before, 'take results');
      const records = toRecords(before, results);
      const at = new Date(now());
      const outcome = await db.transaction(async (tx) => {
        await lock(tx, executionId);
        if (batchKey != null) {
          const [seen] = await tx.query(
            sql`SELECT added FROM result_batches WHERE execution_id = ${executionId} AND batch_key = ${batchKey}`,
          );
          if (seen !== undefined) return undefined;
        }
        const inserted = await tx.query<{ id: string; severity: number }>(sql`
          INSERT INTO test_results (${insertColumns})
          SELECT id, ${executionId}::uuid, title, description, severity, rule_id, cwe_ids, cve_ids, cvss_vector, cvss_score,
            location, evidence, remediation, "references", tags, fingerprint, ${at}::timestamptz
          FROM jsonb_to_recordset(${JSON.stringify(records)}::jsonb) AS r(id uuid, title text, description text,
            severity smallint, rule_id text, cwe_ids integer[], cve_ids text[], cvss_vector text, cvss_score float8,
            location jsonb, evidence text, remediation text, "references" text[], tags text[], fingerprint text)
          ON CONFLICT (execution_id, fingerprint) DO NOTHING RETURNING id, severity`);
        const added = inserted.length;
        const duplicates = records.length - added;
        if (batchKey != null) {
          await tx.query(sql`
            INSERT INTO result_batches (execution_id, batch_key, added, duplicates, created_at)
            VALUES (${executionId}, ${batchKey}, ${added}, ${duplicates}, ${at})`);
        }
        const rank = (index: number) => inserted.filter(({ severity }) => severity === index).length;
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
          inserted.slice(0, maxEventResults).map(({ id }) => id),
        );
        if (execution === undefined)
          throw new AppError('INTERNAL', { cause: new Error('a locked execution changed') });
        await audit.record(tx, {
          action: 'execution.add_results',
          actor: viewer,
          targetType: 'TestExecution',
          targetId: executionId,
          changes: { added, duplicates },
        });
        return { execution, added, duplicates };
      });
      return (
        outcome ?? {
          execution: await executions.get(viewer, executionId),
          added: 0,
          duplicates: records.length,
        }
      );
    },
  };
}
