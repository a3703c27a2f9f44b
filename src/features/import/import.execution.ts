// The execution that a report belongs to: one that runs already, or one that the import makes.
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { TestKind } from '../../generated/prisma/enums.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { ReportFormatName } from '../../reports/format.js';
import type { ExecutionRow, ExecutionService } from '../execution/execution.service.js';
import type { AcceptOptions, ReportClaims } from './import.claims.js';
import type { ImportRow } from './import.rows.js';

/** Format → kind; OTHER for formats that are not listed. */
const kindsOfFormats: Partial<Record<ReportFormatName, TestKind>> = {
  SARIF: 'SAST',
  SEMGREP: 'SAST',
  BANDIT: 'SAST',
  ESLINT: 'SAST',
  CPPCHECK_XML: 'SAST',
  CYCLONEDX: 'SCA',
  GRYPE: 'SCA',
  NPM_AUDIT: 'SCA',
  TRIVY: 'SCA',
  GITLEAKS: 'SECRETS',
  CHECKOV: 'IAC',
  ZAP_JSON: 'DAST',
  ZAP_XML: 'DAST',
  NUCLEI: 'DAST',
  BURP_XML: 'DAST',
  NMAP_XML: 'DAST',
  TESTSSL: 'DAST',
};

/** Locks the execution that the report is added to, or makes and starts one. */
export async function enterExecution(
  tx: Transaction,
  { executions, executionLeaseMs }: AcceptOptions,
  viewer: Viewer,
  claims: ReportClaims,
  format: ReportFormatName,
): Promise<ExecutionRow> {
  if (claims.executionId != null) {
    const row = await executions.lockChangeable(tx, viewer, claims.executionId);
    assertActive(executions, row);
    return row;
  }
  if (claims.target == null)
    throw new AppError('VALIDATION_FAILED', { fields: [{ path: 'target', message: 'is required' }] });
  return executions.createStarted(
    tx,
    viewer,
    {
      name: claims.name ?? `Import of a report (${format})`,
      target: claims.target,
      kind: claims.kind ?? kindsOfFormats[format] ?? 'OTHER',
      branch: claims.branch,
      commitSha: claims.commit,
      project: claims.project,
      category: claims.category,
    },
    Math.ceil(executionLeaseMs / 1000),
  );
}

/** @throws CONFLICT @throws EXECUTION_FINISHED unless the execution runs */
export function assertActive(executions: ExecutionService, row: ExecutionRow): void {
  if (!executions.activeStatuses.includes(row.status)) throw executions.refusal(row, 'take a report');
}

/**
 * An execution whose tool is known from its reports takes only reports of that tool: under the name of the report that happened
 * to come first, the findings of the others would be new whenever the order changes.
 * @throws CONFLICT
 */
export async function assertSameTool(
  tx: Transaction,
  { executionId }: ImportRow,
  tool: string | null,
): Promise<void> {
  if (tool === null) return;
  const [other] = await tx.query<{ tool: string }>(sql`
    SELECT earlier.tool FROM imports AS earlier JOIN test_executions AS execution ON execution.id = earlier.execution_id
    WHERE execution_id = ${executionId}::uuid AND state = 'COMPLETED' AND lower(earlier.tool COLLATE "C") = lower(execution.tool COLLATE "C")
      AND lower(earlier.tool COLLATE "C") <> lower(${tool}::text COLLATE "C") LIMIT 1`);
  if (other === undefined) return;
  throw new AppError('CONFLICT', {
    message:
      `The execution holds a report of ${other.tool}, this one is of ${tool}: import it as an execution of its own, or name ` +
      'the tool when you create the execution.',
  });
}
