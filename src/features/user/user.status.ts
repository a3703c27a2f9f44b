// The status of a user as clients see it.
import type { User } from '../../generated/prisma/client.js';

/** An active user without a password is invited. */
export function statusOf({ status, passwordHash }: User): 'ACTIVE' | 'INVITED' | 'DEACTIVATED' {
  return status === 'ACTIVE' && passwordHash === null ? 'INVITED' : status;
}
