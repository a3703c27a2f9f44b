// Creates the services of SCIM, for the composition root.

import { createScimGroups } from '../../features/scim/scim.groups.js';
import { createScimUsers } from '../../features/scim/scim.users.js';
import { createScimTokenService, type ScimTokenOptions } from '../../features/scim/token/token.service.js';
import type { Grants } from '../../features/sso/grants.js';
import type { UserService } from '../../features/user/user.service.js';
import type { Infra } from '../../infra/infra.js';
import type { Limits } from '../limits.js';

type Needed = Pick<ScimTokenOptions, 'audit' | 'groupMappings'> & {
  limits: Limits;
  users: UserService;
  grants: Grants;
};

/** Creates them: tokens of directories, and the resources that directories keep here. */
export function createScim({ config, db, events, metrics, now }: Infra, needed: Needed) {
  const { limits, audit, groupMappings, users, grants } = needed;
  const options = {
    db,
    audit,
    groupMappings,
    users,
    grants,
    now,
    breakGlassAdmin: config.breakGlassAdmin,
  };
  return {
    tokens: createScimTokenService({
      db,
      events,
      audit,
      groupMappings,
      metrics,
      now,
      guesses: limits.scimTokens,
    }),
    users: createScimUsers(options),
    groups: createScimGroups(options),
  };
}
