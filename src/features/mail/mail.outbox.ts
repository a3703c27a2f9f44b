// Writes mails in the transaction of the change that they are about: either both are there, or neither.
import { AppError } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import type { MailKind } from './mail.kinds.js';

/** Mails that may wait; beyond them, notes are left out and links are refused. */
export const maxWaiting = 10_000;

/**
 * The statement that queues mails; none while too many wait. Ids are in the order of time, and differ in their last 48 bits.
 * @param recipients rows of (user id, link id, data)
 */
export function insertion(kind: MailKind, at: Date, recipients: Sql): Sql {
  const prefix = newId().slice(0, 24);
  return sql`
    INSERT INTO mails (id, user_id, kind, link_id, data, created_at, next_attempt_at)
    SELECT (${prefix} || substr(gen_random_uuid()::text, 25))::uuid, recipient.user_id, ${kind}::mail_kind, recipient.link_id,
      recipient.data, ${at}::timestamptz, ${at}::timestamptz
    FROM (${recipients}) AS recipient(user_id, link_id, data)
    WHERE (SELECT count(*) FROM (SELECT FROM mails WHERE state = 'PENDING' LIMIT ${maxWaiting}) AS waiting) < ${maxWaiting}`;
}

/**
 * Queues the mail with a link to choose a password.
 * @throws UNAVAILABLE while too many mails wait
 */
export async function queueLink(
  tx: Transaction,
  kind: 'INVITATION' | 'PASSWORD_RESET',
  { userId, linkId, at }: { userId: string; linkId: string; at: Date },
): Promise<void> {
  const recipient = sql`SELECT ${userId}::uuid, ${linkId}::uuid, '{}'::jsonb`;
  const queued = await tx.query(sql`${insertion(kind, at, recipient)} RETURNING id`);
  if (queued.length === 0)
    throw new AppError('UNAVAILABLE', {
      message: 'Too many mails wait for their delivery: see undeliveredMails.',
      retryAfterSeconds: 60,
    });
}
