// Choosing a new password: with the current one, or with an invitation. What makes one acceptable is said in
// core/password-policy.ts.

import { AppError, invalid } from '../../core/errors.js';
import { checkNewPassword } from '../../core/password-policy.js';
import type { Viewer } from '../../core/permissions.js';
import type { User } from '../../generated/prisma/client.js';
import type { PasswordHasher } from '../../infra/credentials/password-hasher.js';
import { estimateGuesses } from '../../infra/credentials/password-strength.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AddressBudget } from '../../infra/rate-limiting/address-limiter.js';
import type { AttemptLock } from '../../infra/rate-limiting/login-throttle.js';
import type { Events } from '../../infra/redis/message-bus.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { AuditService } from '../audit/audit.service.js';
import type { SessionService } from '../session/session.service.js';
import type { PasswordLinkService } from '../user/password-link.service.js';
import type { SetPasswordInput } from '../user/user.input.js';
import type { UserService } from '../user/user.service.js';
import type { ChangePasswordInput } from './auth.input.js';
import type { Credentials, CredentialsService } from './credentials.service.js';

interface PasswordServiceOptions {
  db: Database;
  events: Events;
  passwords: PasswordHasher;
  audit: AuditService;
  credentials: CredentialsService;
  sessions: SessionService;
  users: UserService;
  links: PasswordLinkService;
  /** Wrong current passwords, by user. */
  attempts: AttemptLock;
  addresses: AddressBudget;
  now: () => number;
  passwordMinLength: number;
}

export type PasswordService = ReturnType<typeof createPasswordService>;

export function createPasswordService(options: PasswordServiceOptions) {
  const { db, events, passwords, audit, credentials, sessions, users, links, attempts, addresses, now } =
    options;

  const check = (password: string, user: { email: string; name: string }, path: string): Promise<void> =>
    checkNewPassword(password, {
      path,
      user,
      minLength: options.passwordMinLength,
      estimate: estimateGuesses,
    });

  /** @throws INVALID_CREDENTIALS when it is not the viewer's password, or too many were tried */
  async function prove(viewer: Viewer, password: string, isAllowed: boolean): Promise<Credentials> {
    const found = await credentials.find(sql`id = ${viewer.userId}`);
    const fits = await passwords.verify(isAllowed ? (found?.passwordHash ?? undefined) : undefined, password);
    if (found !== undefined && fits) return found;
    return credentials.refuse('auth.change_password', { id: viewer.userId, email: viewer.email }, viewer);
  }

  return {
    /**
     * Chooses a password with an invitation or a reset, once, and ends the user's sessions.
     * @param path where the input's fields are, for errors
     * @throws UNAUTHENTICATED for an invitation that cannot be used
     * @throws VALIDATION_FAILED for a weak password; the invitation stays good
     * @throws RATE_LIMITED
     */
    async setPassword({ token, newPassword }: SetPasswordInput, path = 'input.'): Promise<User> {
      const refund = await addresses.spend(currentRequest()?.ip);
      const [owner] = await users.byIds([await links.ownerOf(db, token)]);
      if (owner == null) throw new AppError('UNAUTHENTICATED');
      await check(newPassword, owner, `${path}newPassword`);
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
      const [[user]] = await Promise.all([users.byIds([owner.id]), refund()]);
      return user ?? owner;
    },

    /**
     * Sets a new password and ends the user's other sessions.
     * @param path where the input's fields are, for errors
     * @throws VALIDATION_FAILED when the new one is not acceptable
     * @throws INVALID_CREDENTIALS when the current one is wrong
     */
    async changePassword(viewer: Viewer, input: ChangePasswordInput, path = 'input.'): Promise<User> {
      await check(input.newPassword, viewer, `${path}newPassword`);
      const refund = await addresses.spend(currentRequest()?.ip);
      const found = await attempts.attempt(
        viewer.userId,
        (isAllowed) => prove(viewer, input.currentPassword, isAllowed),
        () => credentials.recordLock('password_change', { id: viewer.userId, email: viewer.email }, viewer),
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
    },
  };
}
