// Shared by the functions of passkeys: their dependencies, and the number of passkeys that a user may have.
import type { Logger } from 'pino';
import type { RelyingParty } from '../../config/relying-party.js';
import type { Prisma } from '../../generated/prisma/client.js';
import type { Database } from '../../infra/postgres/database.js';
import type { AddressBudget } from '../../infra/rate-limiting/address-limiter.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { PasswordRule } from '../../validation/password-rule.js';
import type { AuditService } from '../audit/audit.service.js';
import type { SecondFactorService } from '../auth/second-factor.service.js';

/** Dependencies of storing and checking passkeys. */
export interface PasskeyServiceOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  log: Logger;
  secondFactors: Pick<SecondFactorService, 'replaceRecoveryCodes' | 'dropRecoveryCodes'>;
  party: RelyingParty;
  /** Decides which users may sign in with a password, and so with a passkey instead of it. */
  mayHavePassword: PasswordRule;
  /** Ids of the identity providers in the settings. */
  providerIds: readonly string[];
  /** Sign-ins that begin, by address. */
  addresses: AddressBudget;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Passkeys of a user. */
export const maxPasskeys = 20;

/** Prisma's query of the passkeys of a user, newest first. */
export const newestPasskeys = {
  orderBy: { id: 'desc' },
  take: maxPasskeys,
} satisfies Prisma.PasskeyFindManyArgs;
