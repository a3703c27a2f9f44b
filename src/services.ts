// The composition root: which service gets what, one line each.
import type { Logger } from 'pino';
import type { Config } from './config.js';
import { createApiKeyService } from './features/api-key/api-key.service.js';
import { createAuditService } from './features/audit/audit.service.js';
import { createSealService } from './features/audit/seal.service.js';
import { createAuthService } from './features/auth/auth.service.js';
import { createEventService } from './features/event/event.service.js';
import { createExecutionService } from './features/execution/execution.service.js';
import { createRunnerService } from './features/execution/runner.service.js';
import { createHealthService } from './features/health/health.service.js';
import { createResultService } from './features/result/result.service.js';
import { createSessionService } from './features/session/session.service.js';
import { createStreamService } from './features/session/stream.service.js';
import { createUserService } from './features/user/user.service.js';
import type { Database } from './infra/database.js';
import type { Events } from './infra/events.js';
import type { PasswordHasher } from './infra/passwords.js';
import { createRateLimiter } from './infra/rate-limit.js';
import type { RedisConnections } from './infra/redis.js';
import type { Tokens } from './infra/tokens.js';

/** What the services stand on. */
export interface Infra {
  config: Config;
  log: Logger;
  db: Database;
  redis: RedisConnections | undefined;
  events: Events;
  tokens: Tokens;
  passwords: PasswordHasher;
  /** Milliseconds since 1970; tests turn it. */
  now: () => number;
}

export type Services = ReturnType<typeof createServices>;

export function createServices({ config, log, db, redis, events: bus, tokens, passwords, now }: Infra) {
  const { passwordMinLength, accessTokenTtlSeconds, refreshIdleTtlSeconds, sessionTtlSeconds } = config;
  const { loginMaxFailures, loginLockSeconds } = config;
  const accounts = createRateLimiter(redis, {
    name: 'login-account',
    points: loginMaxFailures,
    windowSeconds: loginLockSeconds,
  });
  const addresses = createRateLimiter(redis, {
    name: 'login-address',
    points: loginMaxFailures * 10,
    windowSeconds: 60,
  });

  const audit = createAuditService({ db, log, now });
  const { auditSealEverySeconds: everySeconds, auditSealKey: key } = config;
  const seals = createSealService({ db, log, now, everySeconds, key });
  const sessions = createSessionService({
    db,
    events: bus,
    now,
    idleTtlSeconds: refreshIdleTtlSeconds,
    ttlSeconds: sessionTtlSeconds,
  });
  const users = createUserService({ db, events: bus, passwords, audit, sessions, now, passwordMinLength });
  const apiKeys = createApiKeyService({ db, events: bus, audit, now });
  const auth = createAuthService({
    ...{ db, events: bus, passwords, tokens, audit, sessions, users, apiKeys, accounts, addresses, now },
    ...{ accessTokenTtlSeconds, passwordMinLength },
  });
  const executions = createExecutionService({ db, events: bus, audit, now });
  const results = createResultService({ db, audit, executions, now });
  const runners = createRunnerService({ db, audit, executions, log, now });
  const events = createEventService({ db, events: bus, executions, log });
  const streams = createStreamService({ db, events: bus, log, now, maxPerUser: config.streamsMaxPerUser });
  const health = createHealthService({ db, redis, now });
  return {
    audit,
    seals,
    sessions,
    users,
    auth,
    apiKeys,
    executions,
    results,
    runners,
    events,
    streams,
    health,
  };
}
