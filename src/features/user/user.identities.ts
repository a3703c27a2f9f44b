// Finds, joins and creates the users behind identities at identity providers, unlinks them, and sets the role that groups give.
import { AppError } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Role, Viewer } from '../../core/permissions.js';
import type { User } from '../../generated/prisma/client.js';
import { ownsSecondFactor } from '../../infra/credentials/second-factor.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import { emailKeyOf } from '../../validation/email.js';
import { isLastAdmin, reloadUser, type UserChangeOptions } from './user.changes.js';
import { provisionUser } from './user.creation.js';
import { email as emailShape } from './user.input.js';

/** A user according to an identity provider. */
export interface ProvedIdentity {
  /** Id of the provider in the settings. */
  provider: string;
  issuer: string;
  subject: string;
  /** As the provider gives it; what is no e-mail address counts as none. */
  email: string | undefined;
  isEmailVerified: boolean;
  name: string | undefined;
  /** Ids by which a directory of the provider may know the user (SCIM externalId). */
  directoryIds: readonly string[];
}

/** Permissions in a provider's settings. */
export interface JoinRules {
  /** Whether a first sign-in creates an account; otherwise an invitation is needed. */
  provision: boolean;
  /** Whether a verified address joins an account that exists. */
  joinByEmail: boolean;
}

/** The user of an identity. */
export interface IdentityOwner {
  userId: string;
  identityId: string;
  email: string;
  role: Role;
}

/** Why an identity gets no account. */
export type IdentityRefusal = 'deactivated' | 'not_invited' | 'account_exists' | 'no_email';

/**
 * The user of an identity, by issuer and subject. A new identity joins the account with its verified e-mail address where the
 * rules allow it, or gets an account of its own.
 * @returns the user; or why there is none
 */
export async function findByIdentity(
  options: UserChangeOptions,
  tx: Transaction,
  identity: ProvedIdentity,
  rules: JoinRules,
): Promise<IdentityOwner | IdentityRefusal> {
  const { provider, issuer, subject } = identity;
  const [known] = await tx.query<IdentityOwner & { status: string }>(sql`
    UPDATE user_identities i SET last_login_at = ${new Date(options.now())}, provider = ${provider}
    FROM users u WHERE u.id = i.user_id AND i.issuer = ${issuer} AND i.subject = ${subject}
    RETURNING u.id AS "userId", i.id AS "identityId", u.email, u.role, u.status`);
  if (known !== undefined) {
    const { status, ...owner } = known;
    return status === 'ACTIVE' ? owner : 'deactivated';
  }
  const address = emailShape.safeParse(identity.email);
  const checked = { ...identity, email: address.success ? address.data : undefined };
  const joined =
    (await joinProvisioned(options, tx, checked, rules)) ?? (await joinByEmail(options, tx, checked, rules));
  return joined ?? provision(options, tx, checked, rules);
}

interface Candidate {
  id: string;
  email: string;
  role: Role;
  status: string;
  hasPassword: boolean;
  hasSecondFactor: boolean;
  hasIdentity: boolean;
  isService: boolean;
  /** Whether a directory of the same provider has made the account, or taken it over. */
  isProvisioned: boolean;
}

const candidateColumns = (provider: string) => sql`
  users.id, email, role, status, password_hash IS NOT NULL AS "hasPassword", kind = 'SERVICE' AS "isService",
  ${ownsSecondFactor(sql`users.id`)} AS "hasSecondFactor",
  EXISTS (SELECT FROM user_identities i WHERE i.user_id = users.id) AS "hasIdentity",
  EXISTS (SELECT FROM scim_users s WHERE s.user_id = users.id AND s.provider = ${provider}) AS "isProvisioned"`;

/** Locks first and reads then: a statement that waits for a lock does not see the identity that has joined meanwhile. */
async function lockedCandidates(tx: Transaction, provider: string, condition: Sql): Promise<Candidate[]> {
  await tx.query(sql`SELECT id FROM users WHERE ${condition} ORDER BY id FOR UPDATE`);
  return tx.query<Candidate>(sql`SELECT ${candidateColumns(provider)} FROM users WHERE ${condition}`);
}

/** @returns undefined when the provider's directory has no such user whom nothing else protects */
async function joinProvisioned(
  options: UserChangeOptions,
  tx: Transaction,
  identity: ProvedIdentity,
  rules: JoinRules,
): Promise<IdentityOwner | IdentityRefusal | undefined> {
  const { provider, directoryIds } = identity;
  const [found, ...others] = await lockedCandidates(
    tx,
    provider,
    sql`id IN (SELECT user_id FROM scim_users
      WHERE provider = ${provider} AND external_id = ANY(${[...directoryIds]}::text[]) LIMIT 2)`,
  );
  if (found === undefined || others.length > 0 || found.hasPassword || !mayJoin(found, rules))
    return undefined;
  if (found.status !== 'ACTIVE') return 'deactivated';
  return join(options, tx, found, identity);
}

/** @returns undefined when no account has the address */
async function joinByEmail(
  options: UserChangeOptions,
  tx: Transaction,
  identity: ProvedIdentity,
  rules: JoinRules,
): Promise<IdentityOwner | IdentityRefusal | undefined> {
  if (identity.email === undefined) return undefined;
  const isOfAddress = sql`email_key = ${emailKeyOf(identity.email)}`;
  const [found] = await lockedCandidates(tx, identity.provider, isOfAddress);
  if (found === undefined) return undefined;
  if (found.status !== 'ACTIVE') return 'deactivated';
  if (!identity.isEmailVerified || !mayJoin(found, rules)) return 'account_exists';
  return join(options, tx, found, identity);
}

async function join(
  options: UserChangeOptions,
  tx: Transaction,
  { id, email, role }: Candidate,
  identity: ProvedIdentity,
): Promise<IdentityOwner> {
  const identityId = await link(options, tx, { id }, identity);
  await options.links.revoke(tx, id);
  return { userId: id, identityId, email, role };
}

/** Whether a verified address is enough: never for a program, nor for what a password or second factor of an admin protects. */
function mayJoin(
  { role, isService, hasPassword, hasSecondFactor, hasIdentity, isProvisioned }: Candidate,
  rules: JoinRules,
): boolean {
  if (isService || hasIdentity || hasSecondFactor) return false;
  if (!hasPassword) return isProvisioned || rules.joinByEmail || !rules.provision; // invited: an admin awaits this address
  return rules.joinByEmail && role !== 'ADMIN';
}

async function provision(
  options: UserChangeOptions,
  tx: Transaction,
  identity: ProvedIdentity,
  rules: JoinRules,
): Promise<IdentityOwner | IdentityRefusal> {
  if (!rules.provision) return 'not_invited';
  const { email, provider } = identity;
  if (email === undefined) return 'no_email';
  const by = { actor: null, actorLabel: labelOf(provider) };
  const id = await provisionUser(options, tx, by, { email, name: identity.name ?? email, provider });
  const identityId = await link(options, tx, { id }, identity);
  return { userId: id, identityId, email, role: 'VIEWER' };
}

async function link(
  { audit, now }: UserChangeOptions,
  tx: Transaction,
  { id: userId }: { id: string },
  { provider, issuer, subject }: ProvedIdentity,
): Promise<string> {
  const [id, at] = [newId(), new Date(now())];
  await tx.query(sql`
    INSERT INTO user_identities (id, user_id, provider, issuer, subject, created_at, last_login_at)
    VALUES (${id}, ${userId}, ${provider}, ${issuer}, ${subject}, ${at}, ${at})`);
  audit.record(tx, {
    action: 'identity.link',
    actor: null,
    actorLabel: labelOf(provider),
    targetType: 'User',
    targetId: userId,
    changes: { provider, issuer, subject },
  });
  return id;
}

/**
 * Unlinks an identity from its user, and ends the sessions that it opened.
 * @throws NOT_FOUND
 */
export async function unlinkIdentity(options: UserChangeOptions, viewer: Viewer, id: string): Promise<User> {
  const { db, audit, sessions } = options;
  const userId = await db.transaction(async (tx) => {
    // A session that it opens at this moment is there before the lock, or not at all.
    const [identity] = await tx.query<{ userId: string; provider: string; issuer: string; subject: string }>(
      sql`SELECT user_id AS "userId", provider, issuer, subject FROM user_identities WHERE id = ${id} FOR UPDATE`,
    );
    if (identity === undefined) throw new AppError('NOT_FOUND');
    const { userId, ...of } = identity;
    const ended = await sessions.revokeByIdentity(tx, id);
    await tx.query(sql`DELETE FROM user_identities WHERE id = ${id}`);
    audit.record(tx, {
      action: 'identity.unlink',
      actor: viewer,
      targetType: 'User',
      targetId: userId,
      changes: { ...of, revokedSessions: ended.length },
    });
    return userId;
  });
  return reloadUser(options, userId);
}

/** The name of a provider as an actor of the audit trail. */
export const labelOf = (provider: string): string => `identity provider ${provider}`;

/**
 * Sets the role that groups give. The last active admin keeps the role, so that the provider cannot lock everyone out.
 * @returns whether that kept the role
 */
export async function setRoleByGroups(
  { audit, events, now }: UserChangeOptions,
  tx: Transaction,
  { userId, role: before }: Pick<IdentityOwner, 'userId' | 'role'>,
  role: Role,
  provider: string,
): Promise<boolean> {
  if (before === role) return false;
  if (before === 'ADMIN' && (await isLastAdmin(tx, userId))) return true;
  await tx.query(sql`UPDATE users SET role = ${role}, updated_at = ${new Date(now())} WHERE id = ${userId}`);
  audit.record(tx, {
    action: 'user.update',
    actor: null,
    actorLabel: labelOf(provider),
    targetType: 'User',
    targetId: userId,
    changes: { role: { from: before, to: role } },
  });
  tx.afterCommit(() => events.publish('user.changed', { userId }));
  return false;
}
