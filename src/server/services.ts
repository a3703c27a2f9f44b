// The composition root: creates each service with its dependencies, one line each.
import { join } from 'node:path';
import { defaultTiming } from '../core/timeouts.js';
import { createApiKeyService } from '../features/api-key/api-key.service.js';
import { createAuditService } from '../features/audit/audit.service.js';
import { createAuditHeadKeeper } from '../features/audit/audit-head.js';
import { createDenialAudit } from '../features/audit/denials.js';
import { createSealService } from '../features/audit/seal.service.js';
import { createAuthService } from '../features/auth/auth.service.js';
import { createCredentialsService } from '../features/auth/credentials.service.js';
import { createPasswordService } from '../features/auth/password.service.js';
import { createSecondFactorService } from '../features/auth/second-factor.service.js';
import { createSignInService } from '../features/auth/sign-in.service.js';
import { createSignOutService } from '../features/auth/sign-out.service.js';
import { createExecutionService } from '../features/execution/execution.service.js';
import { createRetention } from '../features/execution/retention.js';
import { createRunnerService } from '../features/execution/runner.service.js';
import { createEventService } from '../features/execution-event/execution-event.service.js';
import { createExportService } from '../features/export/export.service.js';
import { createFindingService } from '../features/finding/finding.service.js';
import { createComparisonService } from '../features/finding/list/compare.service.js';
import { rowsOfRun } from '../features/finding/list/run-rows.js';
import { mergeRun } from '../features/finding/runs/merge.js';
import { unmergeRun } from '../features/finding/runs/unmerge.js';
import { createGateService } from '../features/gate/gate.service.js';
import { createHealthService } from '../features/health/health.service.js';
import { createImportService } from '../features/import/import.service.js';
import { createProjectAccess } from '../features/project/access.js';
import { createProjectService } from '../features/project/project.service.js';
import { createResultService } from '../features/result/result.service.js';
import { createOpeningService } from '../features/session/create-session.service.js';
import { createSessionService } from '../features/session/session.service.js';
import { createStreamService } from '../features/session/stream-guard.service.js';
import { createStatisticsService } from '../features/statistics/statistics.service.js';
import { createPasswordLinkService } from '../features/user/password-link.service.js';
import { createUserService } from '../features/user/user.service.js';
import { reportEnd, reportOverdue, reportRun, reportTriage } from '../features/webhook/webhook.events.js';
import { createWebhookService } from '../features/webhook/webhook.service.js';
import type { Infra } from '../infra/infra.js';
import { runBulkTransaction } from '../infra/postgres/bulk/transaction.js';
import type { RunTransaction } from '../infra/postgres/transaction.js';
import { createLimits } from './limits.js';

/** The services of the features, by their names in the resolvers. */
export type Services = ReturnType<typeof createServices>;

declare module '../graphql/schema-kit/context.js' {
  interface ResolverServices extends Services {}
}

/** Creates the services in the order in which they need each other. */
export function createServices(infra: Infra) {
  const {
    config,
    log,
    db,
    redis,
    events: bus,
    tokens,
    passwords,
    metrics,
    now,
    timing = defaultTiming,
  } = infra;
  const { passwordMinLength, accessTokenTtlSeconds, refreshIdleTtlSeconds, sessionTtlSeconds } = config;
  const limits = createLimits(infra);
  const audit = createAuditService({ db, log, now });
  const { auditSealEverySeconds: everySeconds, auditSealKey: key } = config;
  const { auditHeadFile: file, auditHeadWebhook: webhook } = config;
  const keepHead = createAuditHeadKeeper({ log, file, webhook });
  const seals = createSealService({ db, log, now, everySeconds, key, keepHead });
  const access = createProjectAccess({ db, events: bus, metrics, timing });
  const bounds = { idleTtlSeconds: refreshIdleTtlSeconds, maxPerUser: config.sessionsMaxPerUser };
  const sessions = createSessionService({
    db,
    events: bus,
    now,
    ...bounds,
    metrics,
    rolesWithSecondFactor: config.secondFactorRoles,
    timing,
    access,
  });
  const opening = createOpeningService({
    db,
    events: bus,
    audit,
    sessions,
    now,
    ...bounds,
    ttlSeconds: sessionTtlSeconds,
    maxAtOnce: config.loginMaxFailures,
  });
  const links = createPasswordLinkService({ now });
  const users = createUserService({
    db,
    events: bus,
    passwords,
    audit,
    sessions,
    links,
    now,
    passwordMinLength,
    isPasswordChangeRequired: config.isPasswordChangeRequired,
    metrics,
    timing,
  });
  const base = { db, events: bus, audit, now };
  const projects = createProjectService(base);
  const apiKeys = createApiKeyService({
    ...base,
    metrics,
    access,
    projects,
    maxPerUser: config.apiKeysMaxPerUser,
  });
  const secondFactors = createSecondFactorService({
    ...base,
    issuer: 'SEC-TESTER',
    attempts: limits.secondFactors,
    key: config.secondFactorKey === undefined ? undefined : Buffer.from(config.secondFactorKey, 'base64'),
  });
  const credentials = createCredentialsService({ db, audit });
  const signIns = createSignInService({
    db,
    tokens,
    passwords,
    credentials,
    opening,
    secondFactors,
    accounts: limits.accounts,
    addresses: limits.addresses,
  });
  const passwordChanges = createPasswordService({
    db,
    events: bus,
    passwords,
    audit,
    credentials,
    sessions,
    users,
    links,
    now,
    passwordMinLength,
    attempts: limits.passwordChanges,
    accounts: limits.accounts,
    addresses: limits.addresses,
  });
  const signOuts = createSignOutService({ db, audit, sessions, users });
  const auth = createAuthService({
    db,
    tokens,
    audit,
    sessions,
    users,
    apiKeys,
    signIns,
    signOuts,
    passwordChanges,
    refreshes: limits.refreshes,
    now,
    accessTokenTtlSeconds,
  });
  const transactLong: RunTransaction = (work) => runBulkTransaction(infra.bulk, work);
  const executions = createExecutionService({
    ...base,
    unmerge: unmergeRun,
    reportEnd,
    transactLong,
  });
  const results = createResultService({
    db,
    audit,
    executions,
    now,
    batchWaitMs: config.databaseStatementTimeoutMs,
  });
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
  const comparisons = createComparisonService({ db, executions });
  const statistics = createStatisticsService({ db, log, now });
  const gates = createGateService({ db, audit, executions, findings, projects, rowsOfRun, now });
  const imports = createImportService({
    db,
    bulk: infra.bulk,
    audit,
    executions,
    merge: mergeRun,
    reportRun,
    log,
    directory: config.importDir ?? join(config.dataDir, 'imports'),
    maxBytes: config.importMaxBytes,
    maxUnpackedBytes: config.importMaxUnpackedBytes,
    atOnce: config.importsAtOnce,
    now,
  });
  const sealingKey = config.webhookKey === undefined ? undefined : Buffer.from(config.webhookKey, 'base64');
  const isPrivateAllowed = config.arePrivateWebhooksAllowed;
  const webhooks = createWebhookService({ db, audit, log, key: sealingKey, isPrivateAllowed, now });
  const exports = createExportService({ bulk: infra.bulk, db, executions, findings });
  const retention = createRetention({ transactLong, audit, events: bus, unmerge: unmergeRun, log, now });
  const runners = createRunnerService({ db, audit, executions, log, now });
  const events = createEventService({ db, events: bus, executions, log, timing });
  const streams = createStreamService({
    db,
    events: bus,
    log,
    now,
    timing,
    access,
    maxPerUser: config.streamsMaxPerUser,
    onRefusal: metrics.refusalsOf('streams'),
  });
  const health = createHealthService({ db, redis, now, metrics, timing });
  return {
    audit,
    seals,
    sessions,
    users,
    auth,
    secondFactors,
    apiKeys,
    projects,
    requests: limits.requests,
    denied: createDenialAudit({ audit, users, log }),
    executions,
    results,
    findings,
    comparisons,
    statistics,
    gates,
    imports,
    webhooks,
    exports,
    retention,
    runners,
    events,
    streams,
    health,
  };
}
