// The composition root: which service gets what, one line each.
import type { Logger } from 'pino';
import type { Config } from './config.js';
import { defaultTiming, type Timing } from './core/timing.js';
import { createApiKeyService } from './features/api-key/api-key.service.js';
import { createAuditService } from './features/audit/audit.service.js';
import { createSealService } from './features/audit/seal.service.js';
import { createAuthService } from './features/auth/auth.service.js';
import { createCredentialsService } from './features/auth/credentials.service.js';
import { createPasswordService } from './features/auth/password.service.js';
import { createSecondFactorService } from './features/auth/second-factor.service.js';
import { createSignInService } from './features/auth/sign-in.service.js';
import { createSignOutService } from './features/auth/sign-out.service.js';
import { createEventService } from './features/event/event.service.js';
import { createExecutionService } from './features/execution/execution.service.js';
import { createRunnerService } from './features/execution/runner.service.js';
import { createHealthService } from './features/health/health.service.js';
import { createResultService } from './features/result/result.service.js';
import { createOpeningService } from './features/session/opening.service.js';
import { createSessionService } from './features/session/session.service.js';
import { createStreamService } from './features/session/stream.service.js';
import { createPasswordLinkService } from './features/user/password-link.service.js';
import { createUserService } from './features/user/user.service.js';
import { createAttemptLock } from './infra/attempt-lock.js';
import type { Database } from './infra/database.js';
import type { Events } from './infra/events.js';
import type { Metrics } from './infra/metrics.js';
import type { PasswordHasher } from './infra/passwords.js';
import { createAddressBudget } from './infra/rate-limit.js';
import type { RedisConnections } from './infra/redis.js';
import { createRequestMeter } from './infra/request-meter.js';
import type { Tokens } from './infra/tokens.js';
import type { Tracing } from './infra/tracing.js';

/** What the services stand on. */
export interface Infra {
  config: Config;
  log: Logger;
  db: Database;
  redis: RedisConnections | undefined;
  events: Events;
  tokens: Tokens;
  passwords: PasswordHasher;
  metrics: Metrics;
  /** Absent unless traces are switched on. */
  tracing: Tracing | undefined;
  /** Milliseconds since 1970; tests turn it. */
  now: () => number;
  timing?: Timing;
}

/** Failed sign-ins that an address may make in a minute, in multiples of what an account may. */
export const addressFactor = 10;
/** Failed refreshes that an address may make in a minute, likewise. */
export const refreshFactor = 60;

export type Services = ReturnType<typeof createServices>;

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
  const { loginMaxFailures, loginLockSeconds } = config;
  const lock = {
    ...{ maxFailures: loginMaxFailures, lockSeconds: loginLockSeconds },
    ...{ queueMax: config.hashQueueMax * 2, now },
  };
  const named = (name: string) => ({ name, ...lock, onRefusal: metrics.refusalsOf(`${name}-account`) });
  const limits = {
    accounts: createAttemptLock(redis, named('login')),
    passwordChanges: createAttemptLock(redis, named('password')),
    addresses: createAddressBudget(redis, {
      ...{ name: 'login', points: loginMaxFailures * addressFactor, windowSeconds: 60 },
      onRefusal: metrics.refusalsOf('login-address'),
    }),
    refreshes: createAddressBudget(redis, {
      ...{ name: 'refresh', points: loginMaxFailures * refreshFactor, windowSeconds: 60 },
      onRefusal: metrics.refusalsOf('refresh-address'),
    }),
  };
  const requests = createRequestMeter(redis, {
    perMinute: config.rateLimitPerMinute,
    anonymousPerMinute: config.rateLimitAnonymousPerMinute,
    onRefusal: metrics.refusalsOf('requests'),
    now,
  });

  const audit = createAuditService({ db, log, now });
  const { auditSealEverySeconds: everySeconds, auditSealKey: key } = config;
  const seals = createSealService({ db, log, now, everySeconds, key });
  const bounds = { idleTtlSeconds: refreshIdleTtlSeconds, maxPerUser: config.sessionsMaxPerUser };
  const sessions = createSessionService({
    ...{ db, events: bus, now, ...bounds, metrics },
    rolesWithSecondFactor: config.secondFactorRoles,
    timing,
  });
  const opening = createOpeningService({
    ...{ db, events: bus, audit, sessions, now, ...bounds, ttlSeconds: sessionTtlSeconds },
    maxAtOnce: loginMaxFailures,
  });
  const links = createPasswordLinkService({ now });
  const users = createUserService({
    ...{ db, events: bus, passwords, audit, sessions, links, now, passwordMinLength },
    isPasswordChangeRequired: config.isPasswordChangeRequired,
    metrics,
    timing,
  });
  const apiKeys = createApiKeyService({ db, events: bus, audit, now, metrics });
  const secondFactors = createSecondFactorService({
    ...{ db, events: bus, audit, now, issuer: 'SEC-TESTER' },
    attempts: createAttemptLock(redis, named('second-factor')),
    key: config.secondFactorKey === undefined ? undefined : Buffer.from(config.secondFactorKey, 'base64'),
  });
  const credentials = createCredentialsService({ db, audit });
  const signIns = createSignInService({
    ...{ db, passwords, credentials, opening, secondFactors },
    ...{ accounts: limits.accounts, addresses: limits.addresses },
  });
  const passwordChanges = createPasswordService({
    ...{ db, events: bus, passwords, audit, credentials, sessions, users, links, now, passwordMinLength },
    ...{ attempts: limits.passwordChanges, addresses: limits.addresses },
  });
  const signOuts = createSignOutService({ db, audit, sessions, users });
  const auth = createAuthService({
    ...{ db, tokens, audit, sessions, users, apiKeys, signIns, signOuts, passwordChanges },
    ...{ refreshes: limits.refreshes, now, accessTokenTtlSeconds },
  });
  const executions = createExecutionService({ db, events: bus, audit, now });
  const results = createResultService({ db, audit, executions, now });
  const runners = createRunnerService({ db, audit, executions, log, now });
  const events = createEventService({ db, events: bus, executions, log, timing });
  const streams = createStreamService({
    ...{ db, events: bus, log, now, timing, maxPerUser: config.streamsMaxPerUser },
    onRefusal: metrics.refusalsOf('streams'),
  });
  const health = createHealthService({ db, redis, now, metrics, timing });
  return {
    ...{ audit, seals, sessions, users, auth, secondFactors, apiKeys, requests },
    ...{ executions, results, runners, events, streams, health },
  };
}
