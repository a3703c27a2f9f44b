// Changes, activates, deactivates and deletes users, each with its audit event. Creating them is in user.creation.ts.
import { AppError, invalid } from '../../core/errors.js';
import { assertFresh, type Role, type Viewer } from '../../core/permissions.js';
import type { User } from '../../generated/prisma/client.js';
import type { PasswordHasher } from '../../infra/credentials/password-hasher.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { join, type Sql, sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import { emailKeyOf } from '../../validation/email.js';
import type { PasswordRule } from '../../validation/password-rule.js';
import { foldForSearch } from '../../validation/search-text.js';
import type { AuditEntry, AuditService } from '../audit/audit.service.js';
import type { MailService } from '../mail/mail.service.js';
import type { SessionService } from '../session/session.service.js';
import type { PasswordLinkService } from './password-link.service.js';
import type { UpdateUserInput } from './user.input.js';

/** Dependencies of changing users. */
export interface UserChangeOptions {
  db: Database;
  events: Events;
  passwords: PasswordHasher;
  audit: AuditService;
  sessions: SessionService;
  links: PasswordLinkService;
  mails: Pick<MailService, 'isEnabled' | 'queueLink'>;
  /** Milliseconds since 1970. */
  now: () => number;
  passwordMinLength: number;
  mayHavePassword: PasswordRule;
  /** Whether a password that an admin chose must be changed first. */
  isPasswordChangeRequired: boolean;
}

/** The actor of a change to a user: a person, or a program under a label of its own. */
export type ChangedBy = Pick<AuditEntry, 'actor' | 'actorLabel'>;

/** The text that a search looks for users in. */
export function searchTextOf({ name, email }: { name: string; email: string }): string {
  return foldForSearch(`${name}\n${email}`);
}

/** The row as it is now, past the cache. @throws NOT_FOUND */
export async function reloadUser({ db }: Pick<UserChangeOptions, 'db'>, id: string): Promise<User> {
  const row = await db.prisma.user.findUnique({ where: { id } });
  if (row === null) throw new AppError('NOT_FOUND');
  return row;
}

interface LockedUser {
  email: string;
  name: string;
  role: Role;
  status: string;
  hasPassword: boolean;
  isService: boolean;
  /** The only project of a service account. */
  projectId: string | null;
}

/** Locks a user's row until the transaction ends. @throws NOT_FOUND */
export async function lockUser(tx: Transaction, id: string): Promise<LockedUser> {
  const [row] = await tx.query<LockedUser>(sql`
    SELECT email, name, role, status, password_hash IS NOT NULL AS "hasPassword", kind = 'SERVICE' AS "isService",
      project_id AS "projectId" FROM users
    WHERE id = ${id} FOR UPDATE`);
  if (row === undefined) throw new AppError('NOT_FOUND');
  return row;
}

/** CONFLICT for a violated unique address; any other error as it is. */
export function emailTaken(error: unknown): never {
  if (violates(error, 'users_email_key_key'))
    throw new AppError('CONFLICT', {
      message: 'Another user has this e-mail address.',
      fields: [{ path: 'input.email', message: 'is taken' }],
      scimType: 'uniqueness',
    });
  throw error;
}

/** Whether a user is the only active admin. Locks all of them, so that racing changes meet here. */
export async function isLastAdmin(tx: Transaction, userId: string): Promise<boolean> {
  const admins = await tx.query<{ id: string }>(
    sql`SELECT id FROM users WHERE role = 'ADMIN' AND status = 'ACTIVE' AND kind = 'PERSON' ORDER BY id FOR UPDATE`,
  );
  return admins.length === 1 && admins[0]?.id === userId;
}

/** @throws CONFLICT when the last one would be lost */
async function keepOneAdmin(tx: Transaction, withoutId: string): Promise<void> {
  if (await isLastAdmin(tx, withoutId))
    throw new AppError('CONFLICT', {
      message: 'At least one active admin must remain.',
      scimType: 'mutability',
    });
}

/**
 * Changes what is given; a new role acts at once. A new address or role voids open invitations and resets.
 * @throws NOT_FOUND
 * @throws CONFLICT when the address is taken, the last admin would lose the role, or a service account of one project would get another
 */
export async function updateUser(
  options: UserChangeOptions,
  viewer: Viewer,
  input: UpdateUserInput,
): Promise<User> {
  const { db, now } = options;
  const { id, email, name, role } = input;
  if (email == null && name == null && role == null) throw invalid('input', 'has nothing to change');
  if (email != null && id === viewer.userId) assertFresh(viewer, now());
  await db.transaction((tx) => changeUserIn(options, tx, { actor: viewer }, input)).catch(emailTaken);
  return reloadUser(options, id);
}

/** As {@link updateUser}, within a transaction; a taken address violates `users_email_key_key`. */
export async function changeUserIn(
  { audit, events, now }: UserChangeOptions,
  tx: Transaction,
  by: ChangedBy,
  { id, email, name, role }: UpdateUserInput,
): Promise<void> {
  if (role != null && role !== 'ADMIN') await keepOneAdmin(tx, id);
  const before = await lockUser(tx, id);
  if (before.isService && (email != null || (role != null && before.projectId !== null)))
    throw fixedOfService();
  const after = { email: email ?? before.email, name: name ?? before.name, role: role ?? before.role };
  const { changes, assignments } = difference(before, after);
  if (assignments.length === 0) return;
  assignments.push(sql`search_text = ${searchTextOf(after)}`, sql`updated_at = ${new Date(now())}`);
  await tx.query(sql`UPDATE users SET ${join(assignments)} WHERE id = ${id}`);
  audit.record(tx, { action: 'user.update', ...by, targetType: 'User', targetId: id, changes });
  tx.afterCommit(() => events.publish('user.changed', { userId: id }));
}

function fixedOfService(): AppError {
  return new AppError('CONFLICT', {
    message:
      'A service account keeps its address. The role of one that belongs to a project is that of its membership.',
  });
}

type Changeable = Pick<LockedUser, 'email' | 'name' | 'role'>;

function difference(before: Changeable, after: Changeable) {
  const changes: Record<string, { from: string; to: string }> = {};
  const assignments: Sql[] = [];
  const columns = {
    email: sql`email = ${after.email}, email_key = ${emailKeyOf(after.email)}`,
    name: sql`name = ${after.name}`,
    role: sql`role = ${after.role}`,
  };
  for (const field of ['email', 'name', 'role'] as const) {
    if (before[field] === after[field]) continue;
    changes[field] = { from: before[field], to: after[field] };
    assignments.push(columns[field]);
  }
  return { changes, assignments };
}

/**
 * Activates or deactivates a user. Deactivation ends all sessions and revokes all API keys, invitations and resets for good:
 * a reactivated user signs in again and makes new keys.
 * @throws NOT_FOUND
 * @throws CONFLICT for the last active admin
 */
export async function setUserStatus(
  options: UserChangeOptions,
  viewer: Viewer,
  id: string,
  status: 'ACTIVE' | 'DEACTIVATED',
): Promise<User> {
  await options.db.transaction((tx) => setStatusIn(options, tx, { actor: viewer }, id, status));
  return reloadUser(options, id);
}

/** As {@link setUserStatus}, within a transaction. */
export async function setStatusIn(
  { audit, events, sessions, links, now }: UserChangeOptions,
  tx: Transaction,
  by: ChangedBy,
  id: string,
  status: 'ACTIVE' | 'DEACTIVATED',
): Promise<void> {
  if (status === 'DEACTIVATED') await keepOneAdmin(tx, id);
  const before = await lockUser(tx, id);
  if (before.status === status) return;
  const at = new Date(now());
  await tx.query(sql`UPDATE users SET status = ${status}, updated_at = ${at} WHERE id = ${id}`);
  let revokedApiKeys = 0;
  if (status === 'DEACTIVATED') {
    await sessions.revokeAll(tx, id, 'user_deactivated');
    await links.revoke(tx, id);
    const keys = await tx.query<{ id: string }>(
      sql`UPDATE api_keys SET revoked_at = ${at} WHERE user_id = ${id} AND revoked_at IS NULL RETURNING id`,
    );
    revokedApiKeys = keys.length;
    tx.afterCommit(() => {
      for (const key of keys) events.publish('key.ended', { apiKeyId: key.id });
    });
  }
  audit.record(tx, {
    action: status === 'ACTIVE' ? 'user.activate' : 'user.deactivate',
    ...by,
    targetType: 'User',
    targetId: id,
    changes: { status: { from: before.status, to: status }, ...(revokedApiKeys > 0 && { revokedApiKeys }) },
  });
  tx.afterCommit(() => events.publish('user.changed', { userId: id }));
}

/**
 * Deletes a user with sessions and keys; executions and the audit trail stay.
 * @throws NOT_FOUND
 * @throws CONFLICT for the last active admin
 */
export async function removeUser(options: UserChangeOptions, viewer: Viewer, id: string): Promise<void> {
  await options.db.transaction((tx) => removeIn(options, tx, { actor: viewer }, id));
}

/** As {@link removeUser}, within a transaction. */
export async function removeIn(
  { audit, events, sessions }: UserChangeOptions,
  tx: Transaction,
  by: ChangedBy,
  id: string,
): Promise<void> {
  await keepOneAdmin(tx, id);
  const { email, name, role } = await lockUser(tx, id);
  await sessions.revokeAll(tx, id, 'user_deactivated');
  await tx.query(sql`DELETE FROM users WHERE id = ${id}`);
  audit.record(tx, {
    action: 'user.delete',
    ...by,
    targetType: 'User',
    targetId: id,
    changes: { email, name, role },
  });
  tx.afterCommit(() => events.publish('user.changed', { userId: id }));
}
