// The rows that exports are made of: a result with the decision about its finding, in SQL.
import { type Sql, sql, where } from '../../infra/postgres/sql.js';
import type { ExecutionRow } from '../execution/execution.service.js';

/** A result, or the newest result of a finding, with what people decided. */
export interface ExportRow {
  id: string;
  findingId: string | null;
  title: string;
  description: string | null;
  /** Rank as the tool reported it; 0 INFO to 4 CRITICAL. */
  reportedSeverity: number;
  /** Rank with the override of people. */
  severity: number;
  ruleId: string | null;
  cweIds: number[];
  cveIds: string[];
  vulnerabilityIds: string[];
  cvssVector: string | null;
  cvssScore: number | null;
  location: Record<string, string | number> | null;
  evidence: string | null;
  remediation: string | null;
  references: string[];
  tags: string[];
  triage: string | null;
  triageReason: string | null;
  triageComment: string | null;
  acceptedUntil: Date | null;
  firstSeenAt: Date | null;
  dueAt: Date | null;
  target: string;
  tool: string | null;
  toolVersion: string | null;
  category: string | null;
  /** Rows with the same value belong to one scan and come one after the other. */
  scan: string;
}

const resultColumns = sql`result.id, result.finding_id AS "findingId", result.title, result.description,
  result.severity AS "reportedSeverity", coalesce(finding.severity, result.severity) AS severity, result.rule_id AS "ruleId",
  result.cwe_ids AS "cweIds", result.cve_ids AS "cveIds", result.vulnerability_ids AS "vulnerabilityIds",
  result.cvss_vector AS "cvssVector", result.cvss_score AS "cvssScore", result.location, result.evidence, result.remediation,
  result."references", result.tags, finding.triage, finding.triage_reason AS "triageReason",
  finding.triage_comment AS "triageComment", finding.accepted_until AS "acceptedUntil", finding.first_seen_at AS "firstSeenAt",
  finding.due_at AS "dueAt"`;

/** The results of an execution, in the order in which they were added. */
export function rowsOfExecution(execution: ExecutionRow): Sql {
  const { id, isShared, scanBranchId, runNumber, target, tool, toolVersion, category } = execution;
  const ofRun =
    isShared && scanBranchId !== null && runNumber !== null
      ? sql`result.is_shared AND result.scan_branch_id = ${scanBranchId} AND result.from_run <= ${runNumber}
          AND (result.until_run IS NULL OR result.until_run >= ${runNumber})`
      : sql`result.execution_id = ${id}::uuid AND NOT result.is_shared`;
  return sql`
    SELECT ${resultColumns}, ${target}::text AS target, ${tool}::text AS tool, ${toolVersion}::text AS "toolVersion",
      ${category}::text AS category, '' AS scan
    FROM test_results AS result LEFT JOIN findings AS finding ON finding.id = result.finding_id
    WHERE ${ofRun} ORDER BY result.id`;
}

/**
 * Findings with their newest results, scan by scan.
 * @param conditions on the table findings
 */
export function rowsOfFindings(conditions: Sql[]): Sql {
  return sql`
    SELECT ${resultColumns}, series.target, nullif(series.tool, '') AS tool, NULL::text AS "toolVersion",
      nullif(series.category, '') AS category, series.id::text AS scan
    FROM findings AS finding JOIN test_results AS result ON result.id = finding.result_id
      JOIN scan_series AS series ON series.id = finding.series_id
    WHERE finding.id IN (SELECT id FROM findings ${where(conditions)}) ORDER BY finding.series_id, finding.id`;
}
