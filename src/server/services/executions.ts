// Creates the services of executions: their states, results, runners and retention, and the events that clients follow.
import { defaultTiming } from '../../core/timeouts.js';
import type { AuditService } from '../../features/audit/audit.service.js';
import { createExecutionService } from '../../features/execution/execution.service.js';
import { createRetention } from '../../features/execution/retention.js';
import { createRunnerService } from '../../features/execution/runner.service.js';
import { createEventService } from '../../features/execution-event/execution-event.service.js';
import { unmergeRun } from '../../features/finding/runs/unmerge.js';
import { createResultService } from '../../features/result/result.service.js';
import { reportExecution } from '../../features/webhook/webhook.events.js';
import type { Infra } from '../../infra/infra.js';
import type { RunTransaction } from '../../infra/postgres/transaction.js';

/** Creates the services that run executions and store what they report. */
export function createExecutionServices(
  { config, db, events, log, now, timing = defaultTiming }: Infra,
  audit: AuditService,
  transactLong: RunTransaction,
) {
  const executions = createExecutionService({
    db,
    events,
    audit,
    now,
    unmerge: unmergeRun,
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
    retention: createRetention({ transactLong, audit, events, unmerge: unmergeRun, log, now }),
    runners: createRunnerService({ db, audit, executions, log, now }),
    events: createEventService({ db, events, executions, log, timing }),
  };
}
