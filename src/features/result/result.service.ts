// Results: keyset reads, and batches of reads for many executions at once. Adding them is in intake.service.ts.

import { AppError } from '../../core/errors.js';
import { type Page, type PageArgs, parsePage, toPage } from '../../core/pagination.js';
import type { Viewer } from '../../core/permissions.js';
import { Prisma, type TestResult } from '../../generated/prisma/client.js';
import type { Database, SqlRow } from '../../infra/postgres/database.js';
import {
  type Columns,
  columnsOf,
  containing,
  cursorIn,
  fetchOfEach,
  fetchPage,
  type KeysetOrder,
  pageClauses,
  type Sql,
  selectLists,
  sql,
  type Wanted,
  where,
} from '../../infra/postgres/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import type { ExecutionRow, ExecutionService } from '../execution/execution.service.js';
import { countBySeverity, counters } from './counts.js';
import { type ResultFilter, type ResultOrder, severities } from './result.input.js';
import { createResultIntake } from './result.intake.js';

export type ResultRow = SqlRow<TestResult>;

const columns = columnsOf(Prisma.TestResultScalarFieldEnum);
/** With what cursors are made of, and whose they are. */
const selectList = selectLists(Prisma.TestResultScalarFieldEnum, ['id', 'executionId', 'severity']);

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

/**
 * Whether all that is asked for lies within one execution, of any severity: by whatever index that is read, it is read
 * fast, so that one plan may serve all values.
 */
function isWithinExecution(filter: ResultFilter): boolean {
  return filter.executionId != null && isCounted(filter);
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
  const intake = createResultIntake({ db, audit, executions, now });

  async function countRows(conditions: Sql[]): Promise<number> {
    const [row] = await db.queryAnew<{ count: number }>(
      sql`SELECT count(*)::int AS count FROM test_results ${where(conditions)}`,
    );
    return row?.count ?? 0;
  }

  async function count(viewer: Viewer, filter: ResultFilter): Promise<number> {
    if (filter.executionId == null || !isCounted(filter))
      return countRows([...visibleTo(viewer), ...conditionsOf(filter)]);
    const [execution] = await executions.byIds(viewer, [filter.executionId], counters);
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

  return {
    /**
     * Filtered, ordered (newest first unless asked otherwise) keyset pages.
     * @param wanted what will be looked at
     */
    async list(
      viewer: Viewer,
      filter: ResultFilter,
      order: ResultOrder | null | undefined,
      args: PageArgs,
      wanted: Wanted = {},
    ): Promise<Page<ResultRow>> {
      const conditions = [...visibleTo(viewer), ...conditionsOf(filter)];
      const select = sql`SELECT ${selectList(wanted.columns)} FROM test_results`;
      const source = { select, conditions, order: orderOf(order) };
      const query = isWithinExecution(filter) || conditions.length === 0 ? db.read : db.queryAnew;
      return fetchPage<ResultRow>(query, source, args, () => count(viewer, filter), wanted.total);
    },

    /**
     * The same page of each execution, newest first, in one statement.
     * @param wanted columns of the rows that will be looked at; undefined for all
     * @returns pages in the order of the executions
     */
    async listOfEach(
      viewer: Viewer,
      parents: readonly ExecutionRow[],
      filter: ResultFilter,
      args: PageArgs,
      wanted?: Columns,
    ): Promise<Page<ResultRow>[]> {
      const order = orderOf(null);
      const request = parsePage(args, order.name);
      const conditions = [...visibleTo(viewer), ...conditionsOf(filter)];
      const own = { conditions: [...conditions, sql`execution_id = parent.id`], order };
      const ids = parents.map(({ id }) => id);
      const select = sql`SELECT ${selectList(wanted)} FROM test_results ${pageClauses(own, request)}`;
      const query = isCounted(filter) ? db.read : db.queryAnew;
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
      const rows = await db.read<ResultRow>(
        sql`SELECT ${columns} FROM test_results ${where([sql`id = ANY(${ids}::uuid[])`, ...visibleTo(viewer)])}`,
      );
      const byId = new Map(rows.map((row) => [row.id, row]));
      return ids.flatMap((id) => byId.get(id) ?? []);
    },

    /**
     * @param wanted columns that will be looked at; undefined for all
     * @throws NOT_FOUND
     */
    async get(viewer: Viewer, id: string, wanted?: Columns): Promise<ResultRow> {
      const [row] = await db.read<ResultRow>(
        sql`SELECT ${selectList(wanted)} FROM test_results ${where([sql`id = ${id}::uuid`, ...visibleTo(viewer)])}`,
      );
      if (row === undefined) throw new AppError('NOT_FOUND');
      return row;
    },

    add: intake.add,
  };
}
