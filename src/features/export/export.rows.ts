// The rows that exports are made of: a result with the decision about its finding, in SQL and as fields of COPY's text format.
import { join, raw, type Sql, sql, where } from '../../infra/postgres/sql.js';
import { joinedTexts, storedTexts } from '../../infra/postgres/stored-texts.js';
import type { ExecutionRow } from '../execution/execution.service.js';
import type { RunRow } from '../finding/list/run-rows.js';

/** Fields as COPY sends them; infra/postgres/bulk/copy-text.ts reads them. */
export type ExportRow = ReturnType<typeof rowOf>;

const texts = storedTexts('result');
/** In the order of {@link rowOf}, as are the columns that each statement adds. */
const columns = sql`result.id, result.finding_id, result.title, ${raw(texts.description)} AS description,
  result.severity AS reported, coalesce(finding.severity, result.severity) AS severity, result.rule_id,
  ${raw(texts.cweIds)} AS cwe_ids, ${raw(texts.cveIds)} AS cve_ids, ${raw(texts.vulnerabilityIds)} AS vulnerability_ids,
  result.cvss_vector, result.cvss_score, result.location, result.evidence, ${raw(texts.remediation)} AS remediation,
  ${raw(texts.references)} AS "references", ${raw(texts.tags)} AS tags, finding.triage, finding.triage_reason,
  finding.triage_comment, finding.accepted_until, finding.first_seen_at, finding.due_at`;

/** A line of COPY's text format as a row. */
export function rowOf(line: string) {
  const fields = line.split('\t');
  return {
    id: fields[0] ?? '',
    findingId: fields[1] ?? '',
    title: fields[2] ?? '',
    description: fields[3] ?? '',
    /** Rank as the tool reported it; 0 INFO to 4 CRITICAL. */
    reported: fields[4] ?? '',
    /** Rank with the override of people. */
    severity: fields[5] ?? '',
    ruleId: fields[6] ?? '',
    cweIds: fields[7] ?? '',
    cveIds: fields[8] ?? '',
    vulnerabilityIds: fields[9] ?? '',
    cvssVector: fields[10] ?? '',
    cvssScore: fields[11] ?? '',
    location: fields[12] ?? '',
    evidence: fields[13] ?? '',
    remediation: fields[14] ?? '',
    references: fields[15] ?? '',
    tags: fields[16] ?? '',
    triage: fields[17] ?? '',
    triageReason: fields[18] ?? '',
    triageComment: fields[19] ?? '',
    acceptedUntil: fields[20] ?? '',
    firstSeenAt: fields[21] ?? '',
    dueAt: fields[22] ?? '',
    target: fields[23] ?? '',
    tool: fields[24] ?? '',
    toolVersion: fields[25] ?? '',
    category: fields[26] ?? '',
    /** Rows with the same value belong to one scan and come one after the other. */
    scan: fields[27] ?? '',
    /** new, unchanged or absent against the base; NULL without one. */
    baseline: fields[28] ?? '',
  };
}

/** Order of the rows within a scan; rows with equal keys come by their id. */
export type RowOrder = 'id' | 'worst first' | 'cleared first';

const orders: Record<RowOrder, Sql> = {
  id: sql``,
  'worst first': sql`severity DESC,`,
  // A consumer of VEX takes the last statement about a vulnerability of a component: an open one must win.
  'cleared first': sql`triage IS DISTINCT FROM 'FALSE_POSITIVE', triage IS DISTINCT FROM 'RESOLVED', triage <> 'OPEN',`,
};

/** The results that a base saw. */
export type Base = { run: RunRow } | { scanBranchId: number };

/**
 * The results of an execution, in the order in which they were added.
 * @param base the results that they are compared with; its absent ones follow
 */
export function rowsOfExecution(
  execution: ExecutionRow,
  { order, base }: { order: RowOrder; base?: Base | undefined },
): Sql {
  const { target, tool, toolVersion, category } = execution;
  const scan = sql`${target}::text AS target, ${tool}::text AS tool, ${toolVersion}::text AS tool_version,
    ${category}::text AS category, '' AS scan`;
  const inRun = (alias: Sql) => ofRun(execution, alias);
  const from = sql`FROM test_results AS result LEFT JOIN findings AS finding ON finding.id = result.finding_id
    ${joinedTexts}`;
  if (base === undefined)
    return sql`SELECT ${columns}, ${scan}, NULL::text AS baseline ${from} WHERE ${inRun(sql`result`)}
      ORDER BY ${orders[order]} result.id`;
  const inBase = (alias: Sql) => ofBase(base, alias);
  return sql`SELECT * FROM (
      SELECT ${columns}, ${scan}, CASE WHEN seen.finding_id IS NULL THEN 'new' ELSE 'unchanged' END AS baseline ${from}
      LEFT JOIN (SELECT DISTINCT finding_id FROM test_results AS old WHERE ${inBase(sql`old`)}) AS seen
        ON seen.finding_id = result.finding_id
      WHERE ${inRun(sql`result`)}
    UNION ALL SELECT ${columns}, ${scan}, 'absent' ${from} WHERE ${inBase(sql`result`)} AND result.finding_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM test_results AS head WHERE ${inRun(sql`head`)} AND head.finding_id = result.finding_id)
    
    ) AS compared ORDER BY baseline = 'absent', id`;
}

/** The conditions of a findings export on the table findings. */
export interface FindingConditions {
  head: Sql[];
  /** Findings of the base; undefined without one. */
  base?: Sql[];
}

/** Findings with their newest results, scan by scan. */
export function rowsOfFindings({ head, base }: FindingConditions, order: RowOrder): Sql {
  const scan = sql`series.target, nullif(series.tool, '') AS tool, NULL::text AS tool_version,
    nullif(series.category, '') AS category, series.id AS scan`;
  const from = (matching: Sql) => sql`
    FROM (${matching}) AS matching JOIN findings AS finding ON finding.id = matching.id
      JOIN test_results AS result ON result.id = finding.result_id JOIN scan_series AS series ON series.id = finding.series_id
      ${joinedTexts}`;
  const ids = (conditions: Sql[]) => sql`SELECT id FROM findings ${where(conditions)}`;
  if (base === undefined)
    return sql`SELECT ${columns}, ${scan}, NULL::text AS baseline ${from(ids(head))}
      ORDER BY series.id, ${orders[order]} finding.id`;
  const both = sql`SELECT coalesce(head.id, base.id) AS id, head.id IS NOT NULL AS is_in_head, base.id IS NOT NULL AS is_in_base
    FROM (${ids(head)}) AS head FULL JOIN (${ids(base)}) AS base ON base.id = head.id`;
  return sql`SELECT ${columns}, ${scan},
      CASE WHEN NOT is_in_base THEN 'new' WHEN is_in_head THEN 'unchanged' ELSE 'absent' END AS baseline
    ${from(both)} ORDER BY series.id, finding.id`;
}

/** The condition that a row of test_results is of a run. */
function ofRun({ id, isShared, scanBranchId, runNumber }: RunRow, alias: Sql): Sql {
  if (!isShared || scanBranchId === null || runNumber === null)
    return sql`${alias}.execution_id = ${id}::uuid AND NOT ${alias}.is_shared`;
  return join(
    [
      sql`${alias}.is_shared AND ${alias}.scan_branch_id = ${scanBranchId}::int AND ${alias}.from_run <= ${runNumber}::int`,
      sql`(${alias}.until_run IS NULL OR ${alias}.until_run >= ${runNumber}::int)`,
    ],
    ' AND ',
  );
}

function ofBase(base: Base, alias: Sql): Sql {
  if ('run' in base) return ofRun(base.run, alias);
  return sql`${alias}.scan_branch_id = ${base.scanBranchId}::int AND ${alias}.until_run IS NULL`;
}
