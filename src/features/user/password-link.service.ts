// One-time rights to choose a password: invitations and resets. The token is shown once; only its SHA-256 is kept.
import { createHash, randomBytes } from 'node:crypto';
import { AppError } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';

/** What an admin hands to a user. */
export interface Invitation {
  token: string;
  expiresAt: Date;
}

/** How long one can be used. */
export const invitationTtlSeconds = 24 * 60 * 60;

const tokenPattern = /^sti_[A-Za-z0-9_-]{43}$/;
const hashOf = (token: string) => createHash('sha256').update(token).digest();

export type PasswordLinkService = ReturnType<typeof createPasswordLinkService>;

export function createPasswordLinkService({ now }: { now: () => number }) {
  /** One answer, whether it never was, was used, was replaced or is too old. */
  const invalidToken = () =>
    new AppError('UNAUTHENTICATED', {
      message: 'This invitation cannot be used: it was used, replaced or has expired.',
    });
  const found = (rows: { userId: string }[]): string => {
    const [row] = rows;
    if (row === undefined) throw invalidToken();
    return row.userId;
  };

  return {
    /** A new one; those that the user had are void. */
    async create(tx: Transaction, userId: string): Promise<Invitation> {
      const token = `sti_${randomBytes(32).toString('base64url')}`;
      const at = now();
      const expiresAt = new Date(at + invitationTtlSeconds * 1000);
      await tx.query(sql`DELETE FROM password_links WHERE user_id = ${userId}`);
      await tx.query(sql`
        INSERT INTO password_links (id, user_id, token_hash, created_at, expires_at)
        VALUES (${newId()}, ${userId}, ${hashOf(token)}, ${new Date(at)}, ${expiresAt})`);
      return { token, expiresAt };
    },

    /**
     * Whose it is; nothing is used up by asking.
     * @throws UNAUTHENTICATED
     */
    async ownerOf(tx: Pick<Transaction, 'query'>, token: string): Promise<string> {
      if (!tokenPattern.test(token)) throw invalidToken();
      return found(
        await tx.query(sql`
          SELECT l.user_id AS "userId" FROM password_links l JOIN users u ON u.id = l.user_id
          WHERE l.token_hash = ${hashOf(token)} AND l.expires_at > ${new Date(now())} AND u.status = 'ACTIVE'`),
      );
    },

    /**
     * Uses it up: of racing requests one gets it.
     * @throws UNAUTHENTICATED
     */
    async use(tx: Transaction, token: string): Promise<string> {
      return found(
        await tx.query(sql`
          DELETE FROM password_links WHERE token_hash = ${hashOf(token)} AND expires_at > ${new Date(now())}
          RETURNING user_id AS "userId"`),
      );
    },
  };
}
