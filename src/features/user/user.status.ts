// The status of a user as clients see it.
import type { User } from '../../generated/prisma/client.js';

/** An active user who has neither a password nor signed in with an identity provider is invited. */
export function statusOf({ status, passwordHash, lastLoginAt }: User): 'ACTIVE' | 'INVITED' | 'DEACTIVATED' {
  return status === 'ACTIVE' && passwordHash === null && lastLoginAt === null ? 'INVITED' : status;
}
