// A forgotten password: queues the mail with a link, and tells nobody whether there is such an account.
import { AppError } from '../../core/errors.js';
import { lockKeys } from '../../infra/postgres/advisory-lock.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AddressBudget } from '../../infra/rate-limiting/address-limiter.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import { emailKeyOf } from '../../validation/email.js';
import type { PasswordRule } from '../../validation/password-rule.js';
import type { AuditService } from '../audit/audit.service.js';
import type { MailService } from '../mail/mail.service.js';
import type { PasswordLinkService } from '../user/password-link.service.js';
import type { CredentialsService } from './credentials.service.js';

/** Dependencies of password resets. */
export interface PasswordResetOptions {
  db: Database;
  audit: AuditService;
  credentials: CredentialsService;
  links: PasswordLinkService;
  mails: MailService;
  /** Requests by address. */
  addresses: AddressBudget;
  mayHavePassword: PasswordRule;
  /** Milliseconds since 1970. */
  now: () => number;
}

/**
 * Mails a link to choose a new password to the owner of an account, up to three times an hour. An unknown account, a deactivated
 * one and one without a password get the same answer after the same statements, and no mail.
 * @throws FORBIDDEN where no mail server is set
 * @throws RATE_LIMITED
 */
export async function requestPasswordReset(options: PasswordResetOptions, email: string): Promise<void> {
  const { db, audit, credentials, links, mails, addresses, mayHavePassword, now } = options;
  if (!mails.isEnabled)
    throw new AppError('FORBIDDEN', { message: 'This server sends no mail: ask an admin for a reset.' });
  await addresses.spend(currentRequest()?.ip);
  const key = emailKeyOf(email);
  const found = await credentials.find(sql`email_key = ${key}`);
  const isEntitled = found?.passwordHash != null && found.status === 'ACTIVE' && mayHavePassword(found);
  const at = new Date(now());
  const link = links.insertion(sql`SELECT id FROM account`);
  const { mayAskForReset, resetMail } = mails.statements;
  await db.transaction(async (tx) => {
    // Requests for one address come one after the other, so that none overlooks the mails of the others.
    await tx.query(sql`SELECT pg_advisory_xact_lock(${lockKeys.passwordReset}::int, hashtext(${key}))`);
    // This lock makes the statement wait for a change that voids the user's links, and see the account after it.
    await tx.query(sql`
      WITH account AS (
        SELECT id FROM users WHERE id = ${isEntitled ? found.id : null}::uuid AND status = 'ACTIVE' AND password_hash IS NOT NULL
          AND ${mayAskForReset(sql`users.id`, at)} FOR KEY SHARE
      ), link AS (${link.insert} RETURNING user_id)
      ${resetMail(link.id, at, sql`link`)}`);
    audit.record(tx, {
      action: 'auth.request_reset',
      outcome: isEntitled ? 'SUCCESS' : 'FAILURE',
      actor: null,
      actorLabel: found?.email ?? 'unknown account',
      ...(found !== undefined && { targetType: 'User' as const, targetId: found.id }),
    });
  });
}
