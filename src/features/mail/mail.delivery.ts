// Delivers mails: at least once, with growing pauses after failures. Instances share the work: each mail is held by one of them.
import { randomInt } from 'node:crypto';
import type { Logger } from 'pino';
import type { Mailer, MailMessage } from '../../infra/mail/mailer.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { PasswordLinkService } from '../user/password-link.service.js';
import type { MailKind } from './mail.kinds.js';
import { render, type Template } from './mail.templates.js';

/** Dependencies of delivering mails. */
export interface MailDeliveryOptions {
  db: Database;
  log: Logger;
  mailer: Mailer;
  links: PasswordLinkService;
  templates: Readonly<Record<MailKind, Template>>;
  language: string;
  /** Where users find the server, as mails name it. */
  serverUrl: string;
  /** The page that takes the token of a link, with `{token}`. */
  linkUrl: string;
  /** Attempts since the start. */
  attempts: MailAttempts;
  /** Longest time of an attempt, in milliseconds. */
  timeoutMs: number;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Attempts by outcome. */
export interface MailAttempts {
  sent: number;
  failed: number;
}

/** A mail that this instance holds for one attempt. */
export interface HeldMail {
  id: string;
  kind: MailKind;
  linkId: string | null;
  data: Record<string, string>;
  attempts: number;
  email: string;
  name: string;
  isActive: boolean;
}

/** Seconds between the attempts of a mail: ten attempts within 16 hours. */
const pauses = [10, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800];
/** Time that an attempt may take beside the mail server, in milliseconds. */
const marginMs = 10_000;

/** Holds due mails for this instance, and counts the attempt. A mail whose instance has died is due again after the hold. */
export function holdDue({ db, now, timeoutMs }: MailDeliveryOptions, limit: number): Promise<HeldMail[]> {
  const at = new Date(now());
  return db.query<HeldMail>(sql`
    WITH due AS (
      SELECT id FROM mails WHERE state = 'PENDING' AND next_attempt_at <= ${at}
      ORDER BY next_attempt_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
    )
    UPDATE mails AS mail SET attempts = attempts + 1, next_attempt_at = ${new Date(at.getTime() + timeoutMs + marginMs)}
    FROM due, users WHERE mail.id = due.id AND users.id = mail.user_id
    RETURNING mail.id, mail.kind, mail.link_id AS "linkId", mail.data, mail.attempts, users.email, users.name,
      users.status = 'ACTIVE' AS "isActive"`);
}

/** Sends a mail that this instance holds, unless its reason is gone, and notes the outcome. */
export async function deliver(
  options: MailDeliveryOptions,
  mail: HeldMail,
  stopped: AbortSignal,
): Promise<void> {
  const { mailer, attempts } = options;
  if (mail.attempts > pauses.length + 1)
    return noteFailure(options, mail, 'every attempt ended the process', true);
  const message = await compose(options, mail);
  if (message === undefined) return noteEnd(options, mail, 'OBSOLETE');
  const { error, isPermanent = false } = await mailer.send(message, stopped);
  attempts[error === undefined ? 'sent' : 'failed'] += 1;
  if (error === undefined) return noteEnd(options, mail, 'SENT');
  return noteFailure(options, mail, error, isPermanent);
}

/** The mail as it is sent; undefined when its reason is gone. The token of a link begins to exist here. */
async function compose(options: MailDeliveryOptions, mail: HeldMail): Promise<MailMessage | undefined> {
  const { db, links, templates, language, serverUrl, linkUrl } = options;
  const { id, kind, linkId, data, email, name, isActive } = mail;
  if (!isActive) return undefined;
  const values: Record<string, string> = { ...data, name, email, server: serverUrl };
  if (linkId !== null) {
    const link = await links.renew(db, linkId);
    if (link === undefined) return undefined;
    values.link = linkUrl.replace('{token}', link.token);
    values.expires = inWords(link.expiresAt);
  }
  return { id, to: email, language, ...render(templates[kind], values) };
}

/** A moment as mails show it, in any language: `2026-11-28 10:44 UTC`. */
export function inWords(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

async function noteEnd({ db, now }: MailDeliveryOptions, mail: HeldMail, state: 'SENT' | 'OBSOLETE') {
  const sentAt = state === 'SENT' ? new Date(now()) : null;
  await db.query(sql`
    UPDATE mails SET state = ${state}::mail_state, sent_at = ${sentAt}::timestamptz, last_error = NULL, next_attempt_at = NULL
    WHERE id = ${mail.id}::uuid`);
}

/** Notes a failure, unless another instance holds the mail by now. */
async function noteFailure(
  { db, log, now }: MailDeliveryOptions,
  { id, kind, attempts }: HeldMail,
  error: string,
  isPermanent: boolean,
): Promise<void> {
  const pause = isPermanent ? undefined : pauses[attempts - 1];
  const next = pause === undefined ? null : new Date(now() + pause * 1000 * (1 + randomInt(1000) / 10_000));
  const facts = { mailId: id, kind, attempts, reason: error };
  log.warn(next === null ? { event: 'mail_given_up', ...facts } : { event: 'mail_failed', ...facts });
  await db.query(sql`
    UPDATE mails SET state = ${next === null ? 'FAILED' : 'PENDING'}::mail_state, last_error = ${error}, next_attempt_at = ${next}::timestamptz
    WHERE id = ${id}::uuid AND state = 'PENDING' AND attempts = ${attempts}`);
}
