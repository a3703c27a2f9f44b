// Chooses a new password: with the current one, or with an invitation or reset. core/password-policy.ts says which are accepted.
import { AppError, invalid } from '../../core/errors.js';
import { checkNewPassword } from '../../core/password-policy.js';
import type { Viewer } from '../../core/permissions.js';
import type { User } from '../../generated/prisma/client.js';
import type { PasswordHasher } from '../../infra/credentials/password-hasher.js';
import { estimateGuesses } from '../../infra/credentials/password-strength.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AddressBudget } from '../../infra/rate-limiting/address-limiter.js';
import type { LoginThrottle } from '../../infra/rate-limiting/login-throttle.js';
import type { Events } from '../../infra/redis/message-bus.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import { emailKeyOf } from '../../validation/email.js';
import type { PasswordRule } from '../../validation/password-rule.js';
import type { AuditService } from '../audit/audit.service.js';
import type { SessionService } from '../session/session.service.js';
import type { PasswordLinkService } from '../user/password-link.service.js';
import type { SetPasswordInput } from '../user/user.input.js';
import type { UserService } from '../user/user.service.js';
import type { ChangePasswordInput } from './auth.input.js';
import type { Credentials, CredentialsService } from './credentials.service.js';

/** Dependencies of changing passwords. */
export interface PasswordServiceOptions {
  db: Database;
  events: Events;
  passwords: PasswordHasher;
  audit: AuditService;
  credentials: CredentialsService;
  sessions: SessionService;
  users: UserService;
  links: PasswordLinkService;
  /** Wrong current passwords, by user. */
  attempts: LoginThrottle;
  /** Failed sign-ins, by account. */
  accounts: LoginThrottle;
  addresses: AddressBudget;
  /** Milliseconds since 1970. */
  now: () => number;
  passwordMinLength: number;
  mayHavePassword: PasswordRule;
}

/** Changes passwords. */
export type PasswordService = ReturnType<typeof createPasswordService>;

/** Creates the service. */
export function createPasswordService(options: PasswordServiceOptions) {
  return {
    /**
     * Chooses a password with an invitation or a reset, once; ends the user's sessions and lifts a lock of the account.
     * @param path prefix of the input's fields in errors
     * @throws UNAUTHENTICATED for a link that is not valid
     * @throws FORBIDDEN where passwords are switched off
     * @throws VALIDATION_FAILED for a weak password; the link stays valid
     * @throws RATE_LIMITED
     */
    setPassword: (input: SetPasswordInput, path = 'input.') => setPassword(options, input, path),

    /**
     * Sets a new password and ends the user's other sessions.
     * @param path prefix of the input's fields in errors
     * @throws VALIDATION_FAILED when the new password is not accepted
     * @throws INVALID_CREDENTIALS when the current one is wrong
     */
    changePassword: (viewer: Viewer, input: ChangePasswordInput, path = 'input.') =>
      changePassword(options, viewer, input, path),

    /**
     * Lifts the lock that failed sign-ins have put on a user's account.
     * @throws NOT_FOUND
     */
    unlock: (viewer: Viewer, userId: string) => unlock(options, viewer, userId),
  };
}

async function setPassword(
  options: PasswordServiceOptions,
  { token, newPassword }: SetPasswordInput,
  path: string,
): Promise<User> {
  const { db, users, links, passwords, sessions, audit, events, accounts, now } = options;
  const refund = await options.addresses.spend(currentRequest()?.ip);
  const [owner] = await users.byIds([await links.ownerOf(db, token)]);
  if (owner == null) throw new AppError('UNAUTHENTICATED');
  assertMayHavePassword(options, owner);
  await checkPassword(options, newPassword, owner, `${path}newPassword`);
  const hash = await passwords.hash(newPassword);
  await db.transaction(async (tx) => {
    const userId = await links.use(tx, token);
    await tx.query(sql`
      UPDATE users SET password_hash = ${hash}, must_change_password = false, updated_at = ${new Date(now())}
      WHERE id = ${userId}`);
    await sessions.revokeAll(tx, userId, 'password_changed');
    audit.record(tx, {
      action: 'auth.set_password',
      actor: { userId, email: owner.email },
      targetType: 'User',
      targetId: userId,
    });
    tx.afterCommit(() => events.publish('user.changed', { userId }));
  });
  // A valid link proves the ownership: failed attempts of others count no longer.
  await accounts.lift(emailKeyOf(owner.email));
  const [[user]] = await Promise.all([users.byIds([owner.id]), refund()]);
  return user ?? owner;
}

async function changePassword(
  options: PasswordServiceOptions,
  viewer: Viewer,
  input: ChangePasswordInput,
  path: string,
): Promise<User> {
  const { db, events, passwords, audit, credentials, sessions, users, attempts, now } = options;
  assertMayHavePassword(options, viewer);
  await checkPassword(options, input.newPassword, viewer, `${path}newPassword`);
  const refund = await options.addresses.spend(currentRequest()?.ip);
  const account = { id: viewer.userId, email: viewer.email };
  const found = await attempts.attempt(
    viewer.userId,
    (isAllowed) => prove(options, viewer, input.currentPassword, isAllowed),
    () => credentials.recordLock('password_change', account, viewer),
  );
  await refund();
  if (input.newPassword === input.currentPassword)
    throw invalid(`${path}newPassword`, 'must differ from the current one');
  const hash = await passwords.hash(input.newPassword);
  await db.transaction(async (tx) => {
    const [changed] = await tx.query(sql`
      UPDATE users SET password_hash = ${hash}, must_change_password = false, updated_at = ${new Date(now())}
      WHERE id = ${viewer.userId} AND password_hash = ${found.passwordHash} RETURNING id`);
    if (changed === undefined)
      throw new AppError('CONFLICT', { message: 'The password was changed at the same time.' });
    tx.afterCommit(() => events.publish('user.changed', { userId: viewer.userId }));
    await sessions.revokeAll(tx, viewer.userId, 'password_changed', viewer.sessionId);
    audit.record(tx, {
      action: 'auth.change_password',
      actor: viewer,
      targetType: 'User',
      targetId: viewer.userId,
    });
  });
  return users.get(viewer, viewer.userId);
}

async function unlock(
  { db, users, accounts, audit }: PasswordServiceOptions,
  viewer: Viewer,
  userId: string,
): Promise<User> {
  const user = await users.get(viewer, userId);
  await accounts.lift(emailKeyOf(user.email));
  await db.transaction(async (tx) =>
    audit.record(tx, { action: 'user.unlock', actor: viewer, targetType: 'User', targetId: userId }),
  );
  return user;
}

/** @throws FORBIDDEN where passwords are switched off for the user */
function assertMayHavePassword(
  { mayHavePassword }: PasswordServiceOptions,
  owner: { email: string; role: string },
): void {
  if (!mayHavePassword(owner))
    throw new AppError('FORBIDDEN', {
      message: 'Passwords are switched off: sign in at the identity provider.',
    });
}

function checkPassword(
  { passwordMinLength }: PasswordServiceOptions,
  password: string,
  user: { email: string; name: string },
  path: string,
): Promise<void> {
  return checkNewPassword(password, { path, user, minLength: passwordMinLength, estimate: estimateGuesses });
}

/** @throws INVALID_CREDENTIALS for a wrong password, or after too many */
async function prove(
  { credentials, passwords }: PasswordServiceOptions,
  viewer: Viewer,
  password: string,
  isAllowed: boolean,
): Promise<Credentials> {
  const found = await credentials.find(sql`id = ${viewer.userId}`);
  const hash = isAllowed ? (found?.passwordHash ?? undefined) : undefined;
  const isRight = await passwords.verify(hash, password);
  if (found !== undefined && isRight) return found;
  return credentials.refuse('auth.change_password', { id: viewer.userId, email: viewer.email }, viewer);
}
