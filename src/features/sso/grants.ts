// Gives users what their groups give: a role and memberships. The last active admin keeps the role.
import type { Logger } from 'pino';
import type { Transaction } from '../../infra/postgres/database.js';
import type { ProjectService } from '../project/project.service.js';
import type { IdentityOwner } from '../user/user.identities.js';
import type { UserService } from '../user/user.service.js';
import { type Groups, grantsOf, type Mapping } from './groups.js';

/** What rights are given with. */
export interface GrantOptions {
  users: UserService;
  projects: ProjectService;
  log: Logger;
}

/** Gives users what their groups give. */
export type Grants = ReturnType<typeof createGrants>;

/** Creates it, for sign-ins and for directories. */
export function createGrants({ users, projects, log }: GrantOptions) {
  return {
    /** Sets role and memberships of a user by the mappings of the provider, and logs what could not be done. */
    async give(
      tx: Transaction,
      provider: string,
      mappings: readonly Mapping[],
      groups: Groups,
      owner: Pick<IdentityOwner, 'userId' | 'role'>,
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
    },
  };
}
