// Reads the results of runs that share the rows of their branch: a row belongs to the run that wrote it and is shown for each
// later run up to the one that its interval ends with. Its public id stays the same in all of them.
import { type Page, type PageArgs, parsePage, toPage } from '../../core/pagination.js';
import type { Reads } from '../../infra/postgres/database.js';
import { cursorIn, fetchPage, type KeysetOrder, mergedPage } from '../../infra/postgres/keyset-page.js';
import { type Columns, join, type Sql, sql, type Wanted, where } from '../../infra/postgres/sql.js';
import { searchedText } from '../../infra/postgres/stored-texts.js';
import type { ExecutionRow } from '../execution/execution.service.js';
import { countBySeverity } from './counts.js';
import { type ResultFilter, severities } from './result.input.js';
import {
  conditionsOf,
  isCounted,
  orderOf,
  type ResultRow,
  sharedSelectList,
  termConditionsOf,
} from './result.rows.js';

/** Columns of an execution that say where its results are. */
export const sharing = ['isShared', 'scanBranchId', 'runNumber'] as const;

/** Whether an execution shows the rows that the runs of its branch share. */
export function sharesRows({ isShared, scanBranchId, runNumber }: ExecutionRow): boolean {
  return isShared && scanBranchId !== null && runNumber !== null;
}

/** A run in SQL: literals, or columns of a parent. */
interface Run {
  id: Sql;
  branchId: Sql;
  number: Sql;
}

/** The rows of a run as sources named `test_results`, one for each severity, as the index on branch and severity has them. */
function sourcesOf({ branchId, number }: Run, filter: ResultFilter): Sql[] {
  const terms = termConditionsOf(filter, searchedText('finding'));
  const named = [...new Set(filter.severity ?? severities)];
  const found = terms.length === 0 ? sql`` : sql`JOIN findings AS finding ON finding.id = result.finding_id`;
  if (named.length === 0) return [sql`(SELECT * FROM test_results WHERE false) AS test_results`];
  return named.map(
    (name) =>
      sql`(SELECT result.* FROM test_results AS result ${found} ${where([
        sql`result.is_shared AND result.scan_branch_id = ${branchId} AND result.severity = ${severities.indexOf(name)}::smallint`,
        sql`result.from_run <= ${number} AND (result.until_run IS NULL OR result.until_run >= ${number})`,
        ...terms,
      ])}) AS test_results`,
  );
}

/** The select list for a run: a row that an earlier run wrote is UNCHANGED in it. */
function listOf({ id, number }: Run, wanted: Columns): Sql {
  return sql`${sharedSelectList(wanted)}, ${id} AS "executionId", CASE WHEN from_run < ${number} THEN 1 ELSE delta END AS delta`;
}

function runOf({ id, scanBranchId, runNumber }: ExecutionRow): Run {
  return { id: sql`${id}::uuid`, branchId: sql`${scanBranchId}::int`, number: sql`${runNumber}::int` };
}

/** One page of the results of a run that shares rows; see `ResultService.list`. */
export async function listShared(
  db: Reads,
  execution: ExecutionRow,
  filter: ResultFilter,
  order: KeysetOrder<ResultRow>,
  args: PageArgs,
  wanted: Wanted,
): Promise<Page<ResultRow>> {
  const run = runOf(execution);
  const conditions = conditionsOf(filter, run.id);
  const source = {
    list: listOf(run, wanted.columns),
    sources: sourcesOf(run, filter),
    conditions,
    order,
  };
  const count = () => countShared(db, execution, filter);
  return fetchPage<ResultRow>(db.queryUncached, source, args, count, wanted.total);
}

/** The number of a run's results, from the execution's counters where they know it. */
async function countShared(db: Reads, execution: ExecutionRow, filter: ResultFilter): Promise<number> {
  if (isCounted(filter)) return countBySeverity(execution, filter.severity ?? severities);
  const run = runOf(execution);
  return countIn(db, sourcesOf(run, filter), conditionsOf(filter, run.id));
}

/** Counts the rows of these sources that meet the conditions. */
export async function countIn(db: Reads, sources: readonly Sql[], conditions: Sql[]): Promise<number> {
  const parts = sources.map(
    (source) => sql`SELECT count(*)::int AS count FROM ${source} ${where(conditions)}`,
  );
  const rows = await db.queryUncached<{ count: number }>(join(parts, ' UNION ALL '));
  return rows.reduce((sum, { count }) => sum + count, 0);
}

/** The same page of each run, newest first, in one statement; see `ResultService.listOfEach`. */
export async function listSharedOfEach(
  db: Reads,
  parents: readonly ExecutionRow[],
  filter: ResultFilter,
  args: PageArgs,
  wanted: Columns,
): Promise<Page<ResultRow>[]> {
  const order = orderOf(null);
  const request = parsePage(args, order.name);
  const run = { id: sql`parent.id`, branchId: sql`parent.branch_id`, number: sql`parent.run` };
  const source = {
    list: listOf(run, wanted),
    sources: sourcesOf(run, filter),
    conditions: conditionsOf(filter, run.id),
    order,
  };
  const ids = parents.map(({ id }) => id);
  const branchIds = parents.map(({ scanBranchId }) => scanBranchId);
  const runs = parents.map(({ runNumber }) => runNumber);
  const query = isCounted(filter) ? db.read : db.queryUncached;
  const rows = await query<ResultRow>(sql`
    SELECT found.* FROM unnest(${ids}::uuid[], ${branchIds}::int[], ${runs}::int[]) AS parent(id, branch_id, run)
    CROSS JOIN LATERAL (${mergedPage(source, request)}) AS found`);
  const byParent = new Map<string, ResultRow[]>(ids.map((id) => [id, []]));
  for (const row of rows) byParent.get(row.executionId)?.push(row);
  return parents.map((parent) =>
    toPage(request, byParent.get(parent.id) ?? [], cursorIn(order), async () =>
      filter.executionId == null || filter.executionId === parent.id ? countShared(db, parent, filter) : 0,
    ),
  );
}

/**
 * Sources named `test_results` for a filter that an index answers: own rows have indexes of their own, and shared ones are
 * found through their findings, which have folded text, rule and CWE once.
 */
export function indexedSources(filter: ResultFilter): Sql[] {
  const { ruleId, ruleIds, cweId, cweIds } = filter;
  const ofFinding = termConditionsOf(filter, searchedText('finding'));
  const rules = ruleIds ?? (ruleId == null ? undefined : [ruleId]);
  // The index on rules begins with the project.
  if (rules !== undefined)
    ofFinding.push(
      sql`finding.rule_id = ANY(${rules}::text[]) AND finding.project_id IN (SELECT id FROM projects)`,
    );
  if (cweId != null)
    ofFinding.push(sql`finding.cwe_ids @> ARRAY[${cweId}]::integer[] AND finding.cwe_ids <> '{}'`);
  if (cweIds != null)
    ofFinding.push(sql`finding.cwe_ids && ${cweIds}::integer[] AND finding.cwe_ids <> '{}'`);
  if (ofFinding.length === 0) return [sql`test_results`];
  return [
    sql`(SELECT * FROM test_results ${where([sql`NOT is_shared`, ...termConditionsOf(filter)])}) AS test_results`,
    sql`(SELECT result.* FROM test_results AS result JOIN findings AS finding ON finding.id = result.finding_id
      ${where([sql`result.is_shared`, ...ofFinding])}) AS test_results`,
  ];
}
