// Gives users what their groups give: a role and memberships. The last active admin keeps the role.
import type { Logger } from 'pino';
import type { Role } from '../../core/permissions.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import { emailKeyOf } from '../../validation/email.js';
import type { ProjectService } from '../project/project.service.js';
import type { IdentityOwner } from '../user/user.identities.js';
import type { UserService } from '../user/user.service.js';
import { type Groups, grantsOf, type Mapping } from './groups.js';

/** Dependencies of granting rights. */
export interface GrantOptions {
  users: UserService;
  projects: ProjectService;
  log: Logger;
  /** Address of the admin who gets in when the provider is lost: no group changes what that one may do. */
  breakGlassAdmin: string | undefined;
}

/** Gives users what their groups give. */
export type Grants = ReturnType<typeof createGrants>;

/** Creates it, for sign-ins and for directories. */
export function createGrants(options: GrantOptions) {
  return {
    /** Sets role and memberships of a user by the mappings of the provider, and logs what could not be done. */
    give: (tx: Transaction, provider: string, mappings: readonly Mapping[], groups: Groups, owner: Owner) =>
      give(options, tx, provider, mappings, groups, owner),

    /** The names of a user's groups and roles that a directory of the provider has pushed; undefined where it pushes none. */
    pushed: (tx: Transaction, provider: string, userId: string) => pushed(tx, provider, userId),

    /**
     * Sets role and memberships of users as their directory has their groups and roles now.
     * @param mappings read before the transaction, since that holds a connection
     */
    giveAgain: (
      tx: Transaction,
      provider: string,
      mappings: readonly Mapping[],
      userIds: readonly string[],
    ) => giveAgain(options, tx, provider, mappings, userIds),
  };
}

type Owner = Pick<IdentityOwner, 'userId' | 'role'>;

async function give(
  { users, projects, log }: GrantOptions,
  tx: Transaction,
  provider: string,
  mappings: readonly Mapping[],
  groups: Groups,
  owner: Owner,
): Promise<void> {
  const { role, projects: wanted } = grantsOf(groups, mappings);
  const of = { provider, userId: owner.userId };
  if (role !== undefined && (await users.identities.setRole(tx, owner, role, provider)))
    log.warn({ event: 'identity_role_kept', ...of }, 'the last active admin keeps the role');
  const skipped = await projects.syncMemberships(tx, owner.userId, provider, wanted);
  if (skipped.length > 0)
    log.warn(
      { event: 'identity_projects_skipped', ...of, skipped },
      'projects of groups are missing or full',
    );
}

/** Names by which mappings know the groups and roles of a user of a directory; `s` is scim_users. */
const namesOf = sql`ARRAY(
  SELECT unnest(ARRAY[g.display_name, g.external_id]) FROM scim_group_members m JOIN scim_groups g ON g.id = m.group_id
  WHERE m.user_id = s.user_id
  UNION SELECT role->>'value' FROM jsonb_array_elements(COALESCE(s.attributes->'roles', '[]')) AS roles(role))`;

interface Pushed {
  userId: string;
  role: Role;
  names: (string | null)[];
}

const groupsOf = (names: readonly (string | null)[]): Groups => ({
  names: new Set(names.filter((name) => name !== null)),
  state: 'GIVEN',
});

async function pushed(tx: Transaction, provider: string, userId: string): Promise<Groups | undefined> {
  const [row] = await tx.query<Pick<Pushed, 'names'>>(sql`
    SELECT ${namesOf} AS names FROM scim_users s WHERE s.user_id = ${userId} AND s.provider = ${provider}
      AND (EXISTS (SELECT FROM scim_groups g WHERE g.provider = ${provider}) OR s.attributes ? 'roles')`);
  return row && groupsOf(row.names);
}

async function giveAgain(
  options: GrantOptions,
  tx: Transaction,
  provider: string,
  mappings: readonly Mapping[],
  userIds: readonly string[],
): Promise<void> {
  if (userIds.length === 0) return;
  const ids = sql`${[...userIds]}::uuid[]`;
  // A change of another group of the same users waits here, and then sees this one.
  await tx.query(sql`SELECT id FROM users WHERE id = ANY(${ids}) ORDER BY id FOR UPDATE`);
  const rows = await tx.query<Pushed>(sql`
    SELECT u.id AS "userId", u.role, ${namesOf} AS names FROM users u JOIN scim_users s ON s.user_id = u.id
    WHERE u.id = ANY(${ids}) AND s.provider = ${provider} AND u.email_key <> ${emailKeyOf(options.breakGlassAdmin ?? '')}
    ORDER BY u.id`);
  for (const { names, ...owner } of rows) await give(options, tx, provider, mappings, groupsOf(names), owner);
}
