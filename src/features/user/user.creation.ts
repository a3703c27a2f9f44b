// Creates and invites users, and gives them one-time links to choose a password; each with its audit event.
import { AppError, invalid } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import { checkNewPassword } from '../../core/password-policy.js';
import type { Role, Viewer } from '../../core/permissions.js';
import type { User } from '../../generated/prisma/client.js';
import { estimateGuesses } from '../../infra/credentials/password-strength.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import { emailKeyOf } from '../../validation/email.js';
import type { Invitation } from './password-link.service.js';
import {
  type ChangedBy,
  emailTaken,
  lockUser,
  reloadUser,
  searchTextOf,
  type UserChangeOptions,
} from './user.changes.js';
import type { CreateUserInput } from './user.input.js';

/** A user after a change, and the one-time link to hand over, or the address to which it is mailed. */
export interface UserAfter {
  user: User;
  invitation: Invitation | null;
  mailedTo: string | null;
}

interface Recipient {
  id: string;
  email: string;
  role: Role;
}

/**
 * Queues the mail with a link, so that nobody but its reader gets the token; without mail, the caller hands it over. Where
 * passwords are switched off the link is of no use, and nothing is mailed.
 * @throws UNAVAILABLE while too many mails wait
 */
async function handOver(
  { mails, mayHavePassword }: UserChangeOptions,
  tx: Transaction,
  kind: 'INVITATION' | 'PASSWORD_RESET',
  user: Recipient,
  link: Invitation & { id: string },
): Promise<Invitation | null> {
  if (!mails.isEnabled || !mayHavePassword(user)) return link;
  await mails.queueLink(tx, kind, { userId: user.id, linkId: link.id });
  return null;
}

async function after(
  options: UserChangeOptions,
  id: string,
  invitation: Invitation | null,
  isLinked: boolean,
): Promise<UserAfter> {
  const user = await reloadUser(options, id);
  return { user, invitation, mailedTo: isLinked && invitation === null ? user.email : null };
}

/**
 * Creates a user; without a password, with an invitation to choose one.
 * @param viewer null for the first admin, which the server creates itself
 * @throws VALIDATION_FAILED for a weak password
 * @throws CONFLICT when the e-mail address is taken
 */
export async function createUser(
  options: UserChangeOptions,
  viewer: Viewer | null,
  input: CreateUserInput,
): Promise<UserAfter> {
  const { db, audit, links, passwords } = options;
  const { email, name, role, password } = input;
  if (password != null && viewer !== null && !options.mayHavePassword(input))
    throw invalid('input.password', 'cannot be given: passwords are switched off');
  if (password != null)
    await checkNewPassword(password, {
      path: 'input.password',
      minLength: options.passwordMinLength,
      user: input,
      estimate: estimateGuesses,
    });
  const passwordHash = password == null ? null : await passwords.hash(password);
  const mustChange = password != null && viewer !== null && options.isPasswordChangeRequired;
  const id = newId();
  const at = new Date(options.now());
  const work = async (tx: Transaction) => {
    await tx.query(sql`
      INSERT INTO users (id, email, email_key, search_text, name, role, status, password_hash, must_change_password,
        created_at, updated_at)
      VALUES (${id}, ${email}, ${emailKeyOf(email)}, ${searchTextOf({ name, email })}, ${name}, ${role}, 'ACTIVE',
        ${passwordHash}, ${mustChange}, ${at}, ${at})`);
    audit.record(tx, {
      action: 'user.create',
      actor: viewer,
      actorLabel: 'system',
      targetType: 'User',
      targetId: id,
      changes: { email, name, role, ...(password == null && { isInvited: true }) },
    });
    if (password != null) return null;
    return handOver(options, tx, 'INVITATION', { id, email, role }, await links.create(tx, id));
  };
  const invitation = await db.transaction(work).catch(emailTaken);
  return after(options, id, invitation, password == null);
}

/**
 * Creates a one-time link to choose a new password; the current password stays valid until then.
 * @throws NOT_FOUND
 * @throws CONFLICT for a service account
 */
export async function resetPassword(
  options: UserChangeOptions,
  viewer: Viewer,
  id: string,
): Promise<UserAfter> {
  return giveLink(options, viewer, id, 'user.reset_password');
}

/**
 * Replaces the invitation of a user who has not chosen a password.
 * @throws NOT_FOUND
 * @throws CONFLICT for a user who has one
 */
export async function resendInvitation(
  options: UserChangeOptions,
  viewer: Viewer,
  id: string,
): Promise<UserAfter> {
  return giveLink(options, viewer, id, 'user.resend_invitation');
}

async function giveLink(
  options: UserChangeOptions,
  viewer: Viewer,
  id: string,
  action: 'user.reset_password' | 'user.resend_invitation',
): Promise<UserAfter> {
  const { db, audit, links } = options;
  const invitation = await db.transaction(async (tx) => {
    const { hasPassword, isService, email, role } = await lockUser(tx, id);
    if (isService) throw noPassword();
    if (action === 'user.resend_invitation' && hasPassword) throw notInvited();
    const made = await links.create(tx, id);
    audit.record(tx, {
      action,
      actor: viewer,
      targetType: 'User',
      targetId: id,
      changes: { expiresAt: made.expiresAt.toISOString() },
    });
    return handOver(options, tx, hasPassword ? 'PASSWORD_RESET' : 'INVITATION', { id, email, role }, made);
  });
  return after(options, id, invitation, true);
}

/**
 * Revokes the invitation of a user who has not chosen a password.
 * @throws NOT_FOUND
 * @throws CONFLICT for a user who has one
 */
export async function revokeInvitation(
  options: UserChangeOptions,
  viewer: Viewer,
  id: string,
): Promise<User> {
  const { db, audit, links } = options;
  await db.transaction(async (tx) => {
    const { hasPassword, isService } = await lockUser(tx, id);
    if (isService) throw noPassword();
    if (hasPassword) throw notInvited();
    if (!(await links.revoke(tx, id))) return;
    audit.record(tx, {
      action: 'user.revoke_invitation',
      actor: viewer,
      targetType: 'User',
      targetId: id,
    });
  });
  return reloadUser(options, id);
}

function noPassword(): AppError {
  return new AppError('CONFLICT', { message: 'A service account has no password; it has API keys.' });
}

function notInvited(): AppError {
  return new AppError('CONFLICT', { message: 'This user has accepted the invitation already.' });
}

/** Creates a person without a password, a VIEWER, for a provider that vouches for the address. @returns the id */
export async function provisionUser(
  { audit, now }: UserChangeOptions,
  tx: Transaction,
  by: ChangedBy,
  { email, name, provider }: { email: string; name: string; provider: string },
): Promise<string> {
  const [id, at] = [newId(), new Date(now())];
  await tx.query(sql`
    INSERT INTO users (id, email, email_key, search_text, name, role, status, created_at, updated_at)
    VALUES (${id}, ${email}, ${emailKeyOf(email)}, ${searchTextOf({ name, email })}, ${name}, 'VIEWER', 'ACTIVE', ${at}, ${at})`);
  audit.record(tx, {
    action: 'user.create',
    ...by,
    targetType: 'User',
    targetId: id,
    changes: { email, name, role: 'VIEWER', provider },
  });
  return id;
}
