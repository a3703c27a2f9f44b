// Results: keyset pages, pages of many executions at once, rows by id. Adding results is in result.intake.ts.
import { AppError } from '../../core/errors.js';
import { type Page, type PageArgs, parsePage, toPage } from '../../core/pagination.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database, Reads } from '../../infra/postgres/database.js';
import { cursorIn, fetchPage, pageClauses } from '../../infra/postgres/keyset-page.js';
import {
  type Columns,
  fetchOfEach,
  raw,
  type Sql,
  sql,
  type Wanted,
  where,
} from '../../infra/postgres/sql.js';
import type { ExecutionRow, ExecutionService } from '../execution/execution.service.js';
import { countBySeverity, counters } from './counts.js';
import type { BatchInput } from './result.batch.js';
import { type ResultFilter, type ResultOrder, severities } from './result.input.js';
import { type AddedResults, createResultIntake, type ResultServiceOptions } from './result.intake.js';
import {
  columns,
  conditionsOf,
  isCounted,
  isWithinExecution,
  orderOf,
  type ResultRow,
  selectList,
  termConditionsOf,
  visibleTo,
} from './result.rows.js';
import {
  countIn,
  indexedSources,
  listShared,
  listSharedOfEach,
  sharesRows,
  sharing,
} from './shared.reads.js';

export type { ResultRow } from './result.rows.js';

/** Reads and adds results. */
export interface ResultService {
  /**
   * One keyset page, newest first by default.
   * @param wanted columns that the caller reads, and whether it reads the total
   * @throws VALIDATION_FAILED for page arguments out of range or cursors of another order
   */
  list: (
    viewer: Viewer,
    filter: ResultFilter,
    order: ResultOrder | null | undefined,
    args: PageArgs,
    wanted?: Wanted,
  ) => Promise<Page<ResultRow>>;
  /**
   * The same page of each execution, newest first, in one statement; pages in the order of the executions.
   * @param wanted columns that the caller reads; undefined for all
   */
  listOfEach: (
    viewer: Viewer,
    parents: readonly ExecutionRow[],
    filter: ResultFilter,
    args: PageArgs,
    wanted?: Columns,
  ) => Promise<Page<ResultRow>[]>;
  /**
   * The same page of the results of each finding, newest first, in one statement; pages in the order of the ids.
   * @param wanted columns that the caller reads; undefined for all
   */
  listOfEachFinding: (
    viewer: Viewer,
    findingIds: readonly string[],
    args: PageArgs,
    wanted?: Columns,
  ) => Promise<Page<ResultRow>[]>;
  /** Reads results by id, in the order of the ids, without missing ones. */
  byIds: (viewer: Viewer, ids: readonly string[]) => Promise<ResultRow[]>;
  /** @throws NOT_FOUND */
  get: (viewer: Viewer, id: string, wanted?: Columns) => Promise<ResultRow>;
  /** See {@link createResultIntake}. */
  add: (viewer: Viewer, input: BatchInput) => Promise<AddedResults>;
}

/** Creates the service. */
export function createResultService(options: ResultServiceOptions): ResultService {
  const { db, executions } = options;
  return {
    list: (viewer, filter, order, args, wanted = {}) =>
      listResults(db.lists, executions, viewer, filter, order, args, wanted),
    listOfEach: (viewer, parents, filter, args, wanted) =>
      listOfEach(db.lists, viewer, parents, filter, args, wanted),
    listOfEachFinding: (viewer, findingIds, args, wanted) =>
      listOfEachFinding(db.lists, viewer, findingIds, args, wanted),
    byIds: (viewer, ids) => readByIds(db, viewer, ids),
    get: (viewer, id, wanted) => readOne(db, viewer, id, wanted),
    add: createResultIntake(options).add,
  };
}

async function listResults(
  db: Reads,
  executions: ExecutionService,
  viewer: Viewer,
  filter: ResultFilter,
  order: ResultOrder | null | undefined,
  args: PageArgs,
  wanted: Wanted,
): Promise<Page<ResultRow>> {
  const { executionId } = filter;
  const conditions = [...visibleTo(viewer), ...conditionsOf(filter)];
  const sources = executionId == null ? indexedSources(filter) : [sql`test_results`];
  if (executionId != null) conditions.push(sql`NOT is_shared`, ...termConditionsOf(filter));
  const source = {
    list: selectList(wanted.columns),
    sources,
    conditions,
    order: orderOf(order),
  };
  const query = isWithinExecution(filter) || conditions.length === 0 ? db.read : db.queryUncached;
  let reading: Promise<ExecutionRow | null | undefined> | undefined;
  const execution = () => {
    reading ??= executions.byIds(viewer, [executionId ?? ''], [...counters, ...sharing]).then(([row]) => row);
    return reading;
  };
  const count = async () => {
    if (executionId == null || !isCounted(filter)) return countIn(db, sources, conditions);
    const row = await execution();
    return row == null ? 0 : countBySeverity(row, filter.severity ?? severities);
  };
  const page = await fetchPage<ResultRow>(query, source, args, count, wanted.total);
  // An execution with rows of its own needs no look at the execution.
  if (executionId == null || page.rows.length > 0) return page;
  const row = await execution();
  return row == null || !sharesRows(row) ? page : listShared(db, row, filter, source.order, args, wanted);
}

async function listOfEach(
  db: Reads,
  viewer: Viewer,
  parents: readonly ExecutionRow[],
  filter: ResultFilter,
  args: PageArgs,
  wanted: Columns,
): Promise<Page<ResultRow>[]> {
  const shared = parents.filter(sharesRows);
  if (shared.length === 0) return listOwnOfEach(db, viewer, parents, filter, args, wanted);
  const own = parents.filter((parent) => !sharesRows(parent));
  const [sharedPages, ownPages] = await Promise.all([
    listSharedOfEach(db, shared, filter, args, wanted),
    own.length === 0 ? [] : listOwnOfEach(db, viewer, own, filter, args, wanted),
  ]);
  return parents.map((parent) => (sharesRows(parent) ? sharedPages : ownPages).shift() as Page<ResultRow>);
}

async function listOwnOfEach(
  db: Reads,
  viewer: Viewer,
  parents: readonly ExecutionRow[],
  filter: ResultFilter,
  args: PageArgs,
  wanted: Columns,
): Promise<Page<ResultRow>[]> {
  const order = orderOf(null);
  const request = parsePage(args, order.name);
  const conditions = [...visibleTo(viewer), ...conditionsOf(filter), ...termConditionsOf(filter)];
  const own = { conditions: [...conditions, sql`execution_id = parent.id AND NOT is_shared`], order };
  const ids = parents.map(({ id }) => id);
  const select = sql`SELECT ${selectList(wanted)} FROM test_results ${pageClauses(own, request)}`;
  const query = isCounted(filter) ? db.read : db.queryUncached;
  const byParent = await fetchOfEach<ResultRow>(query, ids, select, (row) => row.executionId);
  const countOf = lazyCounts(db, 'execution_id', ids, conditions);
  return parents.map((parent) =>
    toPage(request, byParent.get(parent.id) ?? [], cursorIn(order), async () =>
      isCounted(filter) && (filter.executionId == null || filter.executionId === parent.id)
        ? countBySeverity(parent, filter.severity ?? severities)
        : countOf(parent.id),
    ),
  );
}

async function listOfEachFinding(
  db: Reads,
  viewer: Viewer,
  findingIds: readonly string[],
  args: PageArgs,
  wanted: Columns,
): Promise<Page<ResultRow>[]> {
  const order = orderOf(null);
  const request = parsePage(args, order.name);
  const conditions = visibleTo(viewer);
  const own = { conditions: [...conditions, sql`finding_id = parent.id`], order };
  const list = selectList(wanted && [...wanted, 'findingId']);
  const select = sql`SELECT ${list} FROM test_results ${pageClauses(own, request)}`;
  const byParent = await fetchOfEach<ResultRow>(db.read, findingIds, select, (row) => row.findingId ?? '');
  const countOf = lazyCounts(db, 'finding_id', findingIds, conditions);
  return findingIds.map((id) => toPage(request, byParent.get(id) ?? [], cursorIn(order), () => countOf(id)));
}

/** Counts the results of many executions or findings in one statement, once the first of the counts is read. */
function lazyCounts(
  db: Reads,
  parent: 'execution_id' | 'finding_id',
  ids: readonly string[],
  conditions: Sql[],
): (id: string) => Promise<number> {
  let counts: Promise<Map<string, number>> | undefined;
  const read = async () => {
    const rows = await db.queryUncached<{ id: string; count: number }>(sql`
      SELECT ${raw(parent)} AS id, count(*)::int AS count FROM test_results
      ${where([sql`${raw(parent)} = ANY(${ids}::uuid[])`, ...conditions])} GROUP BY ${raw(parent)}`);
    return new Map(rows.map((row) => [row.id, row.count]));
  };
  return async (id) => {
    counts ??= read();
    return (await counts).get(id) ?? 0;
  };
}

async function readByIds(db: Database, viewer: Viewer, ids: readonly string[]): Promise<ResultRow[]> {
  const rows = await db.read<ResultRow>(
    sql`SELECT ${columns} FROM test_results ${where([sql`id = ANY(${ids}::uuid[])`, ...visibleTo(viewer)])}`,
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

async function readOne(db: Database, viewer: Viewer, id: string, wanted?: Columns): Promise<ResultRow> {
  const [row] = await db.read<ResultRow>(
    sql`SELECT ${selectList(wanted)} FROM test_results ${where([sql`id = ${id}::uuid`, ...visibleTo(viewer)])}`,
  );
  if (row === undefined) throw new AppError('NOT_FOUND');
  return row;
}
