// Gives users of a directory what its groups and roles give, by the mappings of single sign-on.
import type { Role } from '../../core/permissions.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import { emailKeyOf } from '../../validation/email.js';
import type { Mapping } from '../sso/groups.js';
import type { ScimOptions } from './options.js';

interface Row {
  userId: string;
  role: Role;
  names: string[];
}

/**
 * Sets role and memberships of users as their groups and roles in the directory have them now.
 * @param mappings read before the transaction, since it holds a connection
 */
export async function regrant(
  { grants, breakGlassAdmin }: ScimOptions,
  tx: Transaction,
  provider: string,
  mappings: readonly Mapping[],
  userIds: readonly string[],
): Promise<void> {
  if (userIds.length === 0) return;
  const ids = sql`${[...userIds]}::uuid[]`;
  // A change of another group of the same users waits here, and then sees this one.
  await tx.query(sql`SELECT id FROM users WHERE id = ANY(${ids}) ORDER BY id FOR UPDATE`);
  const rows = await tx.query<Row>(sql`
    SELECT u.id AS "userId", u.role, ARRAY(
      SELECT role->>'value' FROM jsonb_array_elements(COALESCE(s.attributes->'roles', '[]')) AS roles(role)
      WHERE role->>'value' IS NOT NULL) AS names
    FROM users u JOIN scim_users s ON s.user_id = u.id
    WHERE u.id = ANY(${ids}) AND s.provider = ${provider} AND u.email_key <> ${emailKeyOf(breakGlassAdmin ?? '')}
    ORDER BY u.id`);
  for (const { names, ...owner } of rows)
    await grants.give(tx, provider, mappings, { names: new Set(names), state: 'GIVEN' }, owner);
}
