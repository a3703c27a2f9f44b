// The limits on attempts and requests, which instances share through Redis, or workers of one server through their primary.
import type { Infra } from '../infra/infra.js';
import { createAddressBudget } from '../infra/rate-limiting/address-limiter.js';
import { createDurableLocks } from '../infra/rate-limiting/durable-locks.js';
import { createLoginThrottle } from '../infra/rate-limiting/login-throttle.js';
import { createRequestQuota } from '../infra/rate-limiting/request-quota.js';

/** Failed sign-ins that an address may make in a minute, in multiples of what an account may. */
export const addressFactor = 10;
/** Failed refreshes that an address may make in a minute, in the same multiples. */
export const refreshFactor = 60;

/** The limits of a process. */
export type Limits = ReturnType<typeof createLimits>;

/** Creates the limits of a process. */
export function createLimits({ config, db, redis, primary, metrics, now }: Infra) {
  const shared = redis ?? primary;
  const { loginMaxFailures, loginLockSeconds } = config;
  const lock = {
    maxFailures: loginMaxFailures,
    lockSeconds: loginLockSeconds,
    queueMax: config.hashQueueMax * 2,
    now,
  };
  const named = (name: string) => ({
    name,
    ...lock,
    locks: createDurableLocks(db, name),
    onRefusal: metrics.refusalsOf(`${name}-account`),
  });
  const budget = (name: string, factor: number) =>
    createAddressBudget(shared, {
      name,
      points: loginMaxFailures * factor,
      windowSeconds: 60,
      onRefusal: metrics.refusalsOf(`${name}-address`),
    });
  return {
    accounts: createLoginThrottle(shared, named('login')),
    passwordChanges: createLoginThrottle(shared, named('password')),
    secondFactors: createLoginThrottle(shared, named('second-factor')),
    addresses: budget('login', addressFactor),
    refreshes: budget('refresh', refreshFactor),
    singleSignOns: budget('sso', refreshFactor),
    tokenExchanges: budget('token-exchange', refreshFactor),
    scimTokens: budget('scim', refreshFactor),
    passkeys: budget('passkey', refreshFactor),
    resets: budget('reset', 1),
    requests: createRequestQuota(shared, {
      perMinute: config.rateLimitPerMinute,
      anonymousPerMinute: config.rateLimitAnonymousPerMinute,
      onRefusal: metrics.refusalsOf('requests'),
      now,
    }),
  };
}
