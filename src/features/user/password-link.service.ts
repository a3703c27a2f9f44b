// One-time links to choose a password: invitations and resets. The token is shown once; only its SHA-256 is stored.
import { createHash, randomBytes } from 'node:crypto';
import { AppError } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';

/** The link that an admin hands to a user, or that the server mails. */
export interface Invitation {
  token: string;
  expiresAt: Date;
}

/** Lifetime of a link. */
export const invitationTtlSeconds = 24 * 60 * 60;

const tokenPattern = /^sti_[A-Za-z0-9_-]{43}$/;
const newToken = () => `sti_${randomBytes(32).toString('base64url')}`;
const hashOf = (token: string) => createHash('sha256').update(token).digest();

/** The values that a link is bound to: when one of them changes, the link is void. */
const stateHash = sql`sha256(convert_to(ROW(users.email, users.role, users.password_hash)::text, 'UTF8'))`;

/** Creates, checks and uses links. */
export type PasswordLinkService = ReturnType<typeof createPasswordLinkService>;

/** Creates the service. */
export function createPasswordLinkService({ now }: { now: () => number }) {
  const isOpen = () => sql`
    password_links.expires_at > ${new Date(now())} AND users.id = password_links.user_id AND users.status = 'ACTIVE'
    AND (password_links.state_hash IS NULL OR password_links.state_hash = ${stateHash})`;
  const isValid = (token: string) => sql`password_links.token_hash = ${hashOf(token)} AND ${isOpen()}`;

  return {
    /** A new link; earlier ones of the user are void. The caller holds a lock on the user's row. */
    async create(tx: Transaction, userId: string): Promise<Invitation & { id: string }> {
      const [id, token] = [newId(), newToken()];
      const at = now();
      const expiresAt = new Date(at + invitationTtlSeconds * 1000);
      await tx.query(sql`DELETE FROM password_links WHERE user_id = ${userId}`);
      await tx.query(sql`
        INSERT INTO password_links (id, user_id, token_hash, state_hash, created_at, expires_at)
        SELECT ${id}::uuid, id, ${hashOf(token)}::bytea, ${stateHash}, ${new Date(at)}::timestamptz,
          ${expiresAt}::timestamptz
        FROM users WHERE id = ${userId}`);
      return { id, token, expiresAt };
    },

    /** See {@link linkInsertion}. */
    insertion: (userId: Sql) => linkInsertion(userId, now()),

    /** See {@link renewLink}. */
    renew: (db: Pick<Transaction, 'query'>, linkId: string) => renewLink(db, linkId, isOpen()),

    /**
     * The user whom a link belongs to; checking uses nothing up.
     * @throws UNAUTHENTICATED
     */
    async ownerOf(tx: Pick<Transaction, 'query'>, token: string): Promise<string> {
      if (!tokenPattern.test(token)) throw invalidToken();
      return ownerIn(
        await tx.query(
          sql`SELECT password_links.user_id AS "userId" FROM password_links, users WHERE ${isValid(token)}`,
        ),
      );
    },

    /**
     * Uses a link up: of racing requests one gets it.
     * @throws UNAUTHENTICATED
     */
    async use(tx: Transaction, token: string): Promise<string> {
      return ownerIn(
        await tx.query(
          sql`DELETE FROM password_links USING users WHERE ${isValid(token)} RETURNING user_id AS "userId"`,
        ),
      );
    },

    /** Voids a user's links; returns whether there were any. */
    async revoke(tx: Transaction, userId: string): Promise<boolean> {
      const gone = await tx.query(sql`DELETE FROM password_links WHERE user_id = ${userId} RETURNING id`);
      return gone.length > 0;
    },
  };
}

/**
 * The statement that makes a link for a mail alone: nobody has its token, and {@link renewLink} makes those of the mail. Earlier
 * links of the user stay valid.
 * @param userId gives the user, or no row for no link
 */
function linkInsertion(userId: Sql, at: number): { id: string; insert: Sql } {
  const id = newId();
  const expiresAt = new Date(at + invitationTtlSeconds * 1000);
  const insert = sql`
    INSERT INTO password_links (id, user_id, token_hash, state_hash, created_at, expires_at)
    SELECT ${id}::uuid, id, ${hashOf(newToken())}::bytea, ${stateHash}, ${new Date(at)}::timestamptz, ${expiresAt}::timestamptz
    FROM users WHERE id = (${userId})`;
  return { id, insert };
}

/**
 * Makes a further token of a link, for the mail with it, so that the outbox holds none. An earlier mail keeps its own: its
 * delivery may have been taken for a failure. The lock keeps the new row from being missed by a change that voids the user's links at this moment.
 * @returns undefined when the link is void
 */
async function renewLink(
  db: Pick<Transaction, 'query'>,
  linkId: string,
  isOpen: Sql,
): Promise<Invitation | undefined> {
  const token = newToken();
  const [row] = await db.query<{ expiresAt: string }>(sql`
    INSERT INTO password_links (id, user_id, token_hash, state_hash, created_at, expires_at)
    SELECT ${newId()}::uuid, users.id, ${hashOf(token)}::bytea, password_links.state_hash, password_links.created_at,
      password_links.expires_at
    FROM users, password_links WHERE password_links.id = ${linkId}::uuid AND ${isOpen}
    FOR KEY SHARE OF users, password_links RETURNING expires_at AS "expiresAt"`);
  return row && { token, expiresAt: new Date(row.expiresAt) };
}

/** One answer, whether the link never existed, was used, was replaced, has expired, or its reason is gone. */
function invalidToken(): AppError {
  return new AppError('UNAUTHENTICATED', {
    message: 'This link cannot be used: it was used, replaced or has expired.',
  });
}

function ownerIn(rows: { userId: string }[]): string {
  const [row] = rows;
  if (row === undefined) throw invalidToken();
  return row.userId;
}
