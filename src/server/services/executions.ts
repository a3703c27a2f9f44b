// Creates the services of executions: their states, results, runners and retention, and the events that clients follow.
import { defaultTiming } from '../../core/timeouts.js';
import type { AuditService } from '../../features/audit/audit.service.js';
import { createExecutionService } from '../../features/execution/execution.service.js';
import { createRunnerService } from '../../features/execution/runner.service.js';
import { createEventService } from '../../features/execution-event/execution-event.service.js';
import { createResultService } from '../../features/result/result.service.js';
import type { Removal } from '../../features/retention/removal.js';
import { createRetentionService } from '../../features/retention/retention.service.js';
import { reportExecution } from '../../features/webhook/webhook.events.js';
import type { Infra } from '../../infra/infra.js';
import type { RunTransaction } from '../../infra/postgres/transaction.js';

/** The services that executions are built on. */
export interface ExecutionParts {
  audit: AuditService;
  removal: Removal;
  transactLong: RunTransaction;
}

/** Creates the services that run executions, store what they report, and delete them. */
export function createExecutionServices(
  { config, db, bulk, events, log, now, timing = defaultTiming }: Infra,
  { audit, removal, transactLong }: ExecutionParts,
) {
  const executions = createExecutionService({
    db,
    events,
    audit,
    now,
    removeExecution: removal.removeExecution,
    reportExecution,
    transactLong,
  });
  return {
    executions,
    results: createResultService({
      db,
      audit,
      executions,
      now,
      batchWaitMs: config.databaseStatementTimeoutMs,
    }),
    retention: createRetentionService({ db, bulk, transactLong, audit, removal, log, now }),
    runners: createRunnerService({ db, audit, executions, log, now }),
    events: createEventService({ db, events, executions, log, timing }),
  };
}
