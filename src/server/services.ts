// The composition root: creates the services of all features, group by group, each with what it depends on.
import { defaultTiming } from '../core/timeouts.js';
import { createDenialAudit } from '../features/audit/denials.js';
import { unmerging } from '../features/finding/runs/unmerge.js';
import { createHealthService } from '../features/health/health.service.js';
import { createProjectAccess } from '../features/project/access.js';
import { createProjectService } from '../features/project/project.service.js';
import { createRemoval } from '../features/retention/removal.js';
import { createStreamService } from '../features/session/stream-guard.service.js';
import type { Infra } from '../infra/infra.js';
import { runBulkTransaction } from '../infra/postgres/bulk/transaction.js';
import type { RunTransaction } from '../infra/postgres/transaction.js';
import { createLimits } from './limits.js';
import { createAccountServices } from './services/accounts.js';
import { createAuditTrail } from './services/audit-trail.js';
import { createExecutionServices } from './services/executions.js';
import { createFindingServices } from './services/findings.js';

/** The services of the features, by their names in the resolvers. */
export type Services = ReturnType<typeof createServices>;

declare module '../graphql/schema-kit/context.js' {
  interface ResolverServices extends Services {}
}

/** Creates the services in the order in which they need each other. */
export function createServices(infra: Infra) {
  const { config, log, db, redis, primary, events, metrics, now, timing = defaultTiming } = infra;
  const transactLong: RunTransaction = (work) => runBulkTransaction(infra.bulk, work);
  const limits = createLimits(infra);
  const { audit, seals } = createAuditTrail(infra);
  const access = createProjectAccess({ db, events, metrics, timing });
  const removal = createRemoval({ db, bulk: infra.bulk, events, unmerging, log, now });
  const projects = createProjectService({
    db,
    events,
    audit,
    now,
    transactLong,
    wakeRemoval: removal.wake,
  });
  const accounts = createAccountServices(infra, { audit, access, projects, limits });
  const runs = createExecutionServices(infra, { audit, removal, transactLong });
  const { executions } = runs;
  const scanning = createFindingServices(infra, { audit, executions, projects, transactLong });
  const streams = createStreamService({
    db,
    events,
    log,
    now,
    timing,
    access,
    maxPerUser: config.streamsMaxPerUser,
    onRefusal: metrics.refusalsOf('streams'),
  });
  return {
    ...accounts,
    ...runs,
    ...scanning,
    audit,
    seals,
    projects,
    streams,
    requests: limits.requests,
    denied: createDenialAudit({ audit, users: accounts.users, log }),
    health: createHealthService({ db, redis, workers: primary?.workers, now, metrics, timing }),
  };
}
