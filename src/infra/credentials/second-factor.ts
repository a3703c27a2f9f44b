// The SQL condition for users with a second factor, for the statements of all features.
import { type Sql, sql } from '../postgres/sql.js';

/** Whether a user has a confirmed authenticator app or a passkey. @param userId the column, or a value with its type */
export const ownsSecondFactor = (userId: Sql): Sql => sql`(
  EXISTS (SELECT FROM second_factors f WHERE f.user_id = ${userId} AND f.confirmed_at IS NOT NULL)
  OR EXISTS (SELECT FROM passkeys k WHERE k.user_id = ${userId}))`;
