// The status of a user as clients see it.
import type { User } from '../../generated/prisma/client.js';

/** An active person who has neither a password nor signed in with an identity provider is invited. */
export function statusOf({
  kind,
  status,
  passwordHash,
  lastLoginAt,
}: User): 'ACTIVE' | 'INVITED' | 'DEACTIVATED' {
  const isInvited = kind === 'PERSON' && passwordHash === null && lastLoginAt === null;
  return status === 'ACTIVE' && isInvited ? 'INVITED' : status;
}
