// Creates the services of findings: how reports become findings, what is made of them, and who hears of them.
import { join } from 'node:path';
import type { AuditService } from '../../features/audit/audit.service.js';
import type { ExecutionService } from '../../features/execution/execution.service.js';
import { createExportService } from '../../features/export/export.service.js';
import { createFindingService } from '../../features/finding/finding.service.js';
import { createComparisonService } from '../../features/finding/list/compare.service.js';
import { rowsOfRun } from '../../features/finding/list/run-rows.js';
import { mergeRun } from '../../features/finding/runs/merge.js';
import { createGateService } from '../../features/gate/gate.service.js';
import { createImportService } from '../../features/import/import.service.js';
import type { ProjectService } from '../../features/project/project.service.js';
import { createStatisticsService } from '../../features/statistics/statistics.service.js';
import { reportOverdue, reportRun, reportTriage } from '../../features/webhook/webhook.events.js';
import { createWebhookService } from '../../features/webhook/webhook.service.js';
import type { Infra } from '../../infra/infra.js';
import { createCopyOut } from '../../infra/postgres/replica/lists.js';
import type { RunTransaction } from '../../infra/postgres/transaction.js';

/** The services that findings are built on. */
export interface FindingParts {
  audit: AuditService;
  executions: ExecutionService;
  projects: ProjectService;
  transactLong: RunTransaction;
}

/** Creates the services that import, triage, compare, gate, count, export and announce findings. */
export function createFindingServices(infra: Infra, parts: FindingParts) {
  const { config, db, bulk, log, now } = infra;
  const { audit, executions, projects, transactLong } = parts;
  const findings = createFindingService({
    db,
    transactLong,
    audit,
    reportTriage,
    reportOverdue,
    log,
    now,
    maxAcceptanceDays: config.riskAcceptanceMaxDays,
  });
  return {
    findings,
    comparisons: createComparisonService({ db, executions }),
    statistics: createStatisticsService({ db, log, now }),
    gates: createGateService({ db, audit, executions, findings, projects, rowsOfRun, now }),
    imports: createImports(infra, audit, executions),
    webhooks: createWebhooks(infra, audit),
    exports: createExportService({ copyOut: createCopyOut(bulk, db.replica), db, executions, findings }),
  };
}

function createImports(
  { config, db, bulk, log, now }: Infra,
  audit: AuditService,
  executions: ExecutionService,
) {
  return createImportService({
    db,
    bulk,
    audit,
    executions,
    merge: mergeRun,
    reportRun,
    log,
    now,
    directory: config.importDir ?? join(config.dataDir, 'imports'),
    maxBytes: config.importMaxBytes,
    maxUnpackedBytes: config.importMaxUnpackedBytes,
    atOnce: config.importsAtOnce,
  });
}

function createWebhooks({ config, db, log, now }: Infra, audit: AuditService) {
  const key = config.webhookKey === undefined ? undefined : Buffer.from(config.webhookKey, 'base64');
  const isPrivateAllowed = config.arePrivateWebhooksAllowed;
  return createWebhookService({ db, audit, log, key, isPrivateAllowed, now });
}
