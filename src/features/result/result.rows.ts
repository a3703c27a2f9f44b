// Results as rows: their columns, orders and filters in SQL. For result.service.ts.
import { idFloor } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import { Prisma, type TestResult } from '../../generated/prisma/client.js';
import type { SqlRow } from '../../infra/postgres/database.js';
import type { KeysetOrder } from '../../infra/postgres/keyset-page.js';
import { conditionOn } from '../../infra/postgres/project-access.js';
import { columnsOf, type Sql, selectLists, sql, where } from '../../infra/postgres/sql.js';
import { storedTexts } from '../../infra/postgres/stored-texts.js';
import { containsPattern } from '../../validation/search-text.js';
import { type ResultFilter, type ResultOrder, severities } from './result.input.js';
import { normaliseVulnerabilityId } from './vulnerability-ids.js';

/** A result as it is read; timestamps are RFC 3339. */
export type ResultRow = Omit<
  SqlRow<TestResult>,
  'contentKey' | 'sharedKey' | 'textId' | 'searchText' | 'scanBranchId' | 'fromRun' | 'untilRun' | 'isShared'
>;

const {
  contentKey: _key,
  sharedKey: _sharedKey,
  textId: _textId,
  searchText: _text,
  scanBranchId: _branch,
  fromRun: _from,
  untilRun: _until,
  isShared: _shared,
  ...fields
} = Prisma.TestResultScalarFieldEnum;

const texts = storedTexts('test_results');
/** The select list of {@link ResultRow}. */
export const columns = columnsOf(fields, undefined, texts);
/** Select lists of some columns, with the ones that cursors and pages need. */
export const selectList = selectLists(fields, ['id', 'executionId', 'severity', 'cvssScore'], texts);

const { executionId: _execution, delta: _delta, ...sharedFields } = fields;
/** As {@link selectList}, for rows that are shown as those of a later run: without execution and delta. */
export const sharedSelectList = selectLists(sharedFields, ['id', 'severity', 'cvssScore'], texts);

/** The keyset order of a list; newest first by default. */
export function orderOf(order: ResultOrder | null | undefined): KeysetOrder<ResultRow> {
  const isDescending = order?.direction !== 'ASC';
  switch (order?.field) {
    case 'SEVERITY':
      return {
        name: 'SEVERITY',
        isDescending,
        key: {
          expression: sql`severity`,
          type: sql`smallint`,
          of: (row) => String(row.severity),
          is: (text) => /^[0-4]$/.test(text),
        },
      };
    case 'CVSS_SCORE':
      return {
        name: 'CVSS_SCORE',
        isDescending,
        key: {
          expression: sql`COALESCE(cvss_score, -1)`,
          type: sql`float8`,
          of: (row) => String(row.cvssScore ?? -1),
          is: (text) => /^(?:-1|\d{1,2}(?:\.\d{1,20})?)$/.test(text),
        },
      };
    default:
      return { name: 'CREATED_AT', isDescending };
  }
}

/**
 * The conditions of a filter on test_results, apart from those of {@link termsOf}.
 * @param execution the id of the execution that a row is shown for
 */
export function conditionsOf(filter: ResultFilter, execution = sql`execution_id`): Sql[] {
  const { executionId, severity, ruleId, ruleIds, cweId, cweIds, fingerprint, createdAfter, createdBefore } =
    filter;
  const conditions: Sql[] = [];
  if (executionId != null) conditions.push(sql`${execution} = ${executionId}::uuid`);
  if (severity != null)
    conditions.push(sql`severity = ANY(${severity.map((name) => severities.indexOf(name))}::smallint[])`);
  if (ruleId != null) conditions.push(sql`rule_id = ${ruleId}`);
  if (ruleIds != null) conditions.push(sql`rule_id = ANY(${ruleIds}::text[])`);
  if (cweId != null) conditions.push(sql`cwe_ids @> ARRAY[${cweId}]::integer[]`);
  if (cweIds != null) conditions.push(sql`cwe_ids && ${cweIds}::integer[]`);
  if (fingerprint != null) conditions.push(sql`fingerprint = ${fingerprint}`);
  if (createdAfter != null) conditions.push(sql`id >= ${idFloor(createdAfter.getTime())}::uuid`);
  if (createdBefore != null) conditions.push(sql`id < ${idFloor(createdBefore.getTime())}::uuid`);
  return [...conditions, ...exactConditionsOf(filter), ...executionConditionsOf(filter, execution)];
}

/** Conditions that narrow down to the very column what the terms have found. */
function exactConditionsOf({ cveId, path, host }: ResultFilter): Sql[] {
  const conditions: Sql[] = [];
  if (cveId != null) {
    const ids = [cveId.trim(), normaliseVulnerabilityId(cveId)];
    conditions.push(sql`(cve_ids && ${ids}::text[] OR vulnerability_ids && ${ids}::text[])`);
  }
  if (path != null) conditions.push(sql`location ->> 'path' = ${path}`);
  if (host != null) conditions.push(sql`location ->> 'host' = ${host}`);
  return conditions;
}

/** Patterns of folded text that a filter looks for: an index of folded texts finds them. */
export function termsOf({ search, cveId, path, host }: ResultFilter): string[] {
  return [search, cveId?.trim(), path, host].flatMap((term) => (term == null ? [] : containsPattern(term)));
}

/** The terms as conditions on a column of folded text. */
export function termConditionsOf(filter: ResultFilter, column = sql`search_text`): Sql[] {
  return termsOf(filter).map((pattern) => sql`${column} LIKE ${pattern}`);
}

/** Conditions on the execution that a result belongs to. */
function executionConditionsOf({ target, tool, kind, branch }: ResultFilter, execution: Sql): Sql[] {
  const conditions: Sql[] = [];
  if (target != null) conditions.push(sql`target = ${target}`);
  if (tool != null) conditions.push(sql`tool = ${tool}`);
  if (kind != null) conditions.push(sql`kind = ANY(${kind}::test_kind[])`);
  if (branch != null) conditions.push(sql`branch = ${branch}`);
  if (conditions.length === 0) return [];
  return [sql`${execution} IN (SELECT id FROM test_executions ${where(conditions)})`];
}

/** Conditions on rows that the viewer may see: results of executions of visible projects. */
export function visibleTo(viewer: Viewer): Sql[] {
  const visible = conditionOn(viewer, sql`e.project_id`);
  if (visible.length === 0) return [];
  return [
    sql`EXISTS (SELECT FROM test_executions e ${where([sql`e.id = test_results.execution_id`, ...visible])})`,
  ];
}

/** Whether an execution's counters know the number of results: when the filter names at most severity and execution. */
export function isCounted({
  executionId: _execution,
  severity: _severity,
  ...others
}: ResultFilter): boolean {
  return Object.values(others).every((value) => value == null);
}

/**
 * Whether the filter stays within one execution, of any severity. Such a read is short with any index, so one plan may
 * serve all values.
 */
export function isWithinExecution(filter: ResultFilter): boolean {
  return filter.executionId != null && isCounted(filter);
}
