// The statements that queue notes to users about their accounts. Each is part of the statement or transaction that reports it, and
// is bounded for each user, so that nobody can fill a mailbox.
import { type Sql, sql } from '../../infra/postgres/sql.js';
import { insertion } from './mail.outbox.js';

const hours = (number: number) => sql`make_interval(hours => ${number})`;
const inWords = (at: Sql) => sql`to_char(${at} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')`;

/** Whether a user has got fewer mails of a kind than `limit` in the last hours. */
const isBelow = (
  userId: Sql,
  kind: string,
  limit: number,
  { at, withinHours }: { at: Date; withinHours: number },
) => sql`
  (SELECT count(*) FROM mails WHERE mails.user_id = ${userId} AND mails.kind = ${kind}::mail_kind
    AND mails.created_at > ${at}::timestamptz - ${hours(withinHours)}) < ${limit}`;

/** Resets that a user may ask for within an hour; those by admins count. */
export const maxResetsPerHour = 3;
/** Notes of sign-ins on new devices that a user gets within a day. */
export const maxDeviceNotesPerDay = 10;

/** Condition that a user may ask for another reset. */
export const mayAskForReset = (userId: Sql, at: Date) =>
  isBelow(userId, 'PASSWORD_RESET', maxResetsPerHour, { at, withinHours: 1 });

/** The mail with a link that a user has asked for. @param link names the row of the link, in a statement that makes it */
export function resetMail(linkId: string, at: Date, link: Sql): Sql {
  return insertion('PASSWORD_RESET', at, sql`SELECT user_id, ${linkId}::uuid, '{}'::jsonb FROM ${link}`);
}

/** Notes that API keys of people end soon. */
export function expiringKeyNotes(keyIds: readonly string[], at: Date): Sql {
  return insertion(
    'API_KEY_EXPIRING',
    at,
    sql`SELECT owner.id, NULL::uuid, jsonb_build_object('key', key.name, 'prefix', left(key.prefix, 12),
        'expires', ${inWords(sql`key.expires_at`)})
      FROM api_keys AS key JOIN users AS owner ON owner.id = key.user_id
      WHERE key.id = ANY(${[...keyIds]}::uuid[]) AND owner.kind = 'PERSON' AND owner.status = 'ACTIVE'`,
  );
}

/** A note that an account was locked, once a day. @param userId null where nobody has the account: then there is none */
export function lockNote(userId: string | null, { at, ip }: { at: Date; ip: string | null }): Sql {
  return insertion(
    'ACCOUNT_LOCKED',
    at,
    sql`SELECT id, NULL::uuid, ${seenAt(at, ip)} FROM users
      WHERE id = ${userId}::uuid AND status = 'ACTIVE' AND password_hash IS NOT NULL
        AND ${isBelow(sql`users.id`, 'ACCOUNT_LOCKED', 1, { at, withinHours: 24 })}`,
  );
}

/**
 * A note of a sign-in on a new device, unless it is the first of the account. A device is known too when a session of the last 90
 * days had its address and program.
 * @param proved names the row of the user who has signed in, in a statement that opens the session
 */
export function newDeviceNote(
  proved: Sql,
  { at, ip, userAgent }: { at: Date; ip: string | null; userAgent: string | null },
): Sql {
  return insertion(
    'NEW_DEVICE',
    at,
    sql`SELECT ${proved}.id, NULL::uuid, ${seenAt(at, ip)}
      FROM ${proved} JOIN users AS before ON before.id = ${proved}.id AND before.last_login_at IS NOT NULL
      WHERE NOT EXISTS (
          SELECT FROM sessions WHERE sessions.user_id = before.id AND sessions.created_at > ${at}::timestamptz - ${hours(90 * 24)}
            AND sessions.ip IS NOT DISTINCT FROM ${ip}::text AND sessions.user_agent IS NOT DISTINCT FROM ${userAgent}::text)
        AND ${isBelow(sql`before.id`, 'NEW_DEVICE', maxDeviceNotesPerDay, { at, withinHours: 24 })}`,
  );
}

const seenAt = (at: Date, ip: string | null) =>
  sql`jsonb_build_object('time', ${inWords(sql`${at}::timestamptz`)}, 'address', ${ip ?? 'unknown'}::text)`;
