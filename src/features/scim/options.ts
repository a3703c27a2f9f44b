// Shared by the parts of SCIM: their services, the caller, and rules on accounts that directories must not touch.
import { AppError } from '../../core/errors.js';
import { ownsSecondFactor } from '../../infra/credentials/second-factor.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { sql } from '../../infra/postgres/sql.js';
import { emailKeyOf } from '../../validation/email.js';
import type { AuditService } from '../audit/audit.service.js';
import type { Grants } from '../sso/grants.js';
import type { GroupMappings } from '../sso/group-mappings.js';
import type { ChangedBy } from '../user/user.changes.js';
import type { UserService } from '../user/user.service.js';
import type { ScimCaller } from './token/token.checks.js';

/** Dependencies of SCIM. */
export interface ScimOptions {
  db: Database;
  users: UserService;
  grants: Grants;
  audit: AuditService;
  groupMappings: GroupMappings;
  /** Address of the admin who gets in when the provider is lost: no directory's. */
  breakGlassAdmin: string | undefined;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Parts of a request beside its path and body. */
export interface ScimRequest {
  caller: ScimCaller;
  /** URL of SCIM here. */
  baseUrl: string;
  /** The header If-Match. */
  ifMatch?: string | undefined;
}

/** The actor, for the audit trail. */
export const byOf = ({ name }: ScimCaller): ChangedBy => ({ actor: null, actorLabel: `SCIM token ${name}` });

/** CONFLICT (uniqueness). */
export function taken(message: string): AppError {
  return new AppError('CONFLICT', { message, scimType: 'uniqueness' });
}

/** Turns a violated unique name into CONFLICT (uniqueness). */
export function nameTaken(error: unknown): never {
  if (violates(error, 'scim_users_provider_user_name_key_key'))
    throw taken('Another user of the directory has this userName.');
  if (violates(error, 'users_email_key_key')) throw taken('Another user has this e-mail address.');
  if (violates(error, 'scim_groups_provider_display_name_key_key'))
    throw taken('Another group of the directory has this displayName.');
  throw error;
}

const isBreakGlass = ({ breakGlassAdmin }: ScimOptions, email: string): boolean =>
  breakGlassAdmin !== undefined && emailKeyOf(breakGlassAdmin) === emailKeyOf(email);

/** @throws CONFLICT (mutability) for the break-glass admin */
export function assertManaged(options: ScimOptions, email: string): void {
  if (isBreakGlass(options, email))
    throw new AppError('CONFLICT', {
      message: 'No directory changes the break-glass admin.',
      scimType: 'mutability',
    });
}

interface Candidate {
  id: string;
  email: string;
  isPerson: boolean;
  isGuardedAdmin: boolean;
  provider: string | null;
}

/**
 * Lets a directory take over the account with an address: only where its token may, and never a program's, another
 * directory's, the break-glass admin's, or an admin's with a password or second factor.
 * @returns the account; undefined when no account has the address
 * @throws CONFLICT (uniqueness)
 */
export async function adopt(
  options: ScimOptions,
  tx: Transaction,
  caller: ScimCaller,
  email: string,
): Promise<string | undefined> {
  const [found] = await tx.query<Candidate>(sql`
    SELECT u.id, u.email, u.kind = 'PERSON' AS "isPerson", s.provider, u.role = 'ADMIN' AND (u.password_hash IS NOT NULL
      OR ${ownsSecondFactor(sql`u.id`)}) AS "isGuardedAdmin"
    FROM users u LEFT JOIN scim_users s ON s.user_id = u.id
    WHERE u.email_key = ${emailKeyOf(email)} FOR UPDATE OF u`);
  if (found === undefined) return undefined;
  const { id, isPerson, isGuardedAdmin, provider } = found;
  if (
    !caller.mayAdopt ||
    !isPerson ||
    isGuardedAdmin ||
    provider !== null ||
    isBreakGlass(options, found.email)
  )
    throw taken('Another user has this e-mail address.');
  options.audit.record(tx, {
    action: 'user.adopt',
    ...byOf(caller),
    targetType: 'User',
    targetId: id,
    changes: { provider: caller.provider },
  });
  return id;
}
