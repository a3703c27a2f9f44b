// Changes of users: making, inviting, changing and removing them, each with its audit row. Reading is in user.service.ts.

import { AppError, invalid } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import { checkNewPassword } from '../../core/password-policy.js';
import { assertFresh, type Role, type Viewer } from '../../core/permissions.js';
import type { User } from '../../generated/prisma/client.js';
import type { PasswordHasher } from '../../infra/credentials/password-hasher.js';
import { estimateGuesses } from '../../infra/credentials/password-strength.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { join, type Sql, sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { AuditService } from '../audit/audit.service.js';
import type { SessionService } from '../session/session.service.js';
import type { Invitation, PasswordLinkService } from './password-link.service.js';
import type { CreateUserInput, UpdateUserInput } from './user.input.js';

export interface UserChangeOptions {
  db: Database;
  events: Events;
  passwords: PasswordHasher;
  audit: AuditService;
  sessions: SessionService;
  links: PasswordLinkService;
  now: () => number;
  passwordMinLength: number;
  /** Whether a password that an admin chose must be changed first of all. */
  isPasswordChangeRequired: boolean;
}

/** A user after a change, and what to hand to them. */
export interface UserAfter {
  user: User;
  invitation: Invitation | null;
}

export function createUserChanges({
  db,
  events,
  passwords,
  audit,
  sessions,
  links,
  now,
  passwordMinLength,
  isPasswordChangeRequired,
}: UserChangeOptions) {
  /** The row as it is now, past the cache. */
  async function reload(id: string): Promise<User> {
    const row = await db.prisma.user.findUnique({ where: { id } });
    if (row === null) throw new AppError('NOT_FOUND');
    return row;
  }

  /** Locks all active admins, so that racing changes meet here, and refuses to lose the last. */
  async function keepOneAdmin(tx: Transaction, withoutId: string): Promise<void> {
    const admins = await tx.query<{ id: string }>(
      sql`SELECT id FROM users WHERE role = 'ADMIN' AND status = 'ACTIVE' ORDER BY id FOR UPDATE`,
    );
    if (admins.some(({ id }) => id === withoutId) && admins.length === 1) {
      throw new AppError('CONFLICT', { message: 'At least one active admin must remain.' });
    }
  }

  async function lock(
    tx: Transaction,
    id: string,
  ): Promise<{ email: string; name: string; role: Role; status: string }> {
    const [row] = await tx.query<{ email: string; name: string; role: Role; status: string }>(
      sql`SELECT email, name, role, status FROM users WHERE id = ${id} FOR UPDATE`,
    );
    if (row === undefined) throw new AppError('NOT_FOUND');
    return row;
  }

  async function setStatus(viewer: Viewer, id: string, status: 'ACTIVE' | 'DEACTIVATED'): Promise<User> {
    await db.transaction(async (tx) => {
      if (status === 'DEACTIVATED') await keepOneAdmin(tx, id);
      const before = await lock(tx, id);
      if (before.status === status) return;
      await tx.query(
        sql`UPDATE users SET status = ${status}, updated_at = ${new Date(now())} WHERE id = ${id}`,
      );
      if (status === 'DEACTIVATED') await sessions.revokeAll(tx, id, 'user_deactivated');
      audit.record(tx, {
        action: status === 'ACTIVE' ? 'user.activate' : 'user.deactivate',
        actor: viewer,
        targetType: 'User',
        targetId: id,
        changes: { status: { from: before.status, to: status } },
      });
      tx.afterCommit(() => events.publish('user.changed', { userId: id }));
    });
    return reload(id);
  }

  return {
    /**
     * Makes a user; without a password, with an invitation to choose one.
     * @param viewer null for the first admin, made by the server itself
     * @throws VALIDATION_FAILED for a weak password
     * @throws CONFLICT when the e-mail is taken
     */
    async create(viewer: Viewer | null, input: CreateUserInput): Promise<UserAfter> {
      const { email, name, role, password } = input;
      if (password != null) {
        const path = 'input.password';
        await checkNewPassword(password, {
          path,
          minLength: passwordMinLength,
          user: input,
          estimate: estimateGuesses,
        });
      }
      const passwordHash = password == null ? null : await passwords.hash(password);
      const mustChange = password != null && viewer !== null && isPasswordChangeRequired;
      const id = newId();
      const at = new Date(now());
      const invitation = await db
        .transaction(async (tx) => {
          await tx.query(sql`
            INSERT INTO users (id, email, name, role, status, password_hash, must_change_password, created_at, updated_at)
            VALUES (${id}, ${email}, ${name}, ${role}, 'ACTIVE', ${passwordHash}, ${mustChange}, ${at}, ${at})`);
          audit.record(tx, {
            action: 'user.create',
            actor: viewer,
            actorLabel: 'system',
            targetType: 'User',
            targetId: id,
            changes: { email, name, role, ...(password == null && { isInvited: true }) },
          });
          return password == null ? links.create(tx, id) : null;
        })
        .catch(emailTaken);
      return { user: await reload(id), invitation };
    },

    /**
     * Gives a one-time right to choose a new password; the present one stays good until then.
     * @throws NOT_FOUND
     */
    async resetPassword(viewer: Viewer, id: string): Promise<UserAfter> {
      const invitation = await db.transaction(async (tx) => {
        await lock(tx, id);
        const made = await links.create(tx, id);
        audit.record(tx, {
          action: 'user.reset_password',
          actor: viewer,
          targetType: 'User',
          targetId: id,
          changes: { expiresAt: made.expiresAt.toISOString() },
        });
        return made;
      });
      return { user: await reload(id), invitation };
    },

    /**
     * Changes what is given; a new role acts at once.
     * @throws NOT_FOUND
     * @throws CONFLICT when the e-mail is taken or the last admin would lose the role
     */
    async update(viewer: Viewer, input: UpdateUserInput): Promise<User> {
      const { id, email, name, role } = input;
      if (email == null && name == null && role == null) throw invalid('input', 'gives nothing to change');
      if (email != null && id === viewer.userId) assertFresh(viewer, now());
      await db
        .transaction(async (tx) => {
          if (role != null && role !== 'ADMIN') await keepOneAdmin(tx, id);
          const before = await lock(tx, id);
          const changes: Record<string, { from: string; to: string }> = {};
          const assignments: Sql[] = [];
          const assign = (
            field: 'email' | 'name' | 'role',
            value: string | null | undefined,
            assignment: Sql,
          ) => {
            if (value == null || value === before[field]) return;
            changes[field] = { from: before[field], to: value };
            assignments.push(assignment);
          };
          assign('email', email, sql`email = ${email}`);
          assign('name', name, sql`name = ${name}`);
          assign('role', role, sql`role = ${role}`);
          if (assignments.length === 0) return;
          assignments.push(sql`updated_at = ${new Date(now())}`);
          await tx.query(sql`UPDATE users SET ${join(assignments)} WHERE id = ${id}`);
          audit.record(tx, {
            action: 'user.update',
            actor: viewer,
            targetType: 'User',
            targetId: id,
            changes,
          });
          tx.afterCommit(() => events.publish('user.changed', { userId: id }));
        })
        .catch(emailTaken);
      return reload(id);
    },

    /** @throws NOT_FOUND */
    activate: (viewer: Viewer, id: string): Promise<User> => setStatus(viewer, id, 'ACTIVE'),

    /**
     * Ends all sessions too.
     * @throws NOT_FOUND
     * @throws CONFLICT for the last active admin
     */
    deactivate: (viewer: Viewer, id: string): Promise<User> => setStatus(viewer, id, 'DEACTIVATED'),

    /**
     * Removes a user with sessions and keys; executions and the audit trail stay.
     * @throws NOT_FOUND
     * @throws CONFLICT for the last active admin
     */
    async remove(viewer: Viewer, id: string): Promise<void> {
      await db.transaction(async (tx) => {
        await keepOneAdmin(tx, id);
        const before = await lock(tx, id);
        await sessions.revokeAll(tx, id, 'user_deactivated');
        await tx.query(sql`DELETE FROM users WHERE id = ${id}`);
        audit.record(tx, {
          action: 'user.delete',
          actor: viewer,
          targetType: 'User',
          targetId: id,
          changes: { email: before.email, name: before.name, role: before.role },
        });
        tx.afterCommit(() => events.publish('user.changed', { userId: id }));
      });
    },
  };
}

function emailTaken(error: unknown): never {
  if (violates(error, 'users_email_key')) {
    throw new AppError('CONFLICT', {
      message: 'Another user has this e-mail address.',
      fields: [{ path: 'input.email', message: 'is taken' }],
    });
  }
  throw error;
}
