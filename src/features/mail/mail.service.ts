// Mails to users: queueing them, the list of undelivered ones for admins, and their delivery in the background.
import type { Logger } from 'pino';
import type { PageArgs } from '../../core/pagination.js';
import type { Mail } from '../../generated/prisma/client.js';
import type { Mailer } from '../../infra/mail/mailer.js';
import type { Database, SqlRow, Statements, Transaction } from '../../infra/postgres/database.js';
import { fetchPage, type KeysetOrder } from '../../infra/postgres/keyset-page.js';
import { sql } from '../../infra/postgres/sql.js';
import type { PasswordLinkService } from '../user/password-link.service.js';
import type { MailKind } from './mail.kinds.js';
import { expiringKeyNotes, lockNote, mayAskForReset, newDeviceNote, resetMail } from './mail.notes.js';
import { queueLink } from './mail.outbox.js';
import type { Template } from './mail.templates.js';
import { startMailing } from './mail.worker.js';

/** Dependencies of making and sending mails. */
export interface Post {
  mailer: Mailer;
  templates: Readonly<Record<MailKind, Template>>;
  language: string;
  /** Where users find the server. */
  serverUrl: string;
  /** The page that takes the token of a link, with `{token}`. */
  linkUrl: string;
  /** Longest time of an attempt, in milliseconds. */
  timeoutMs: number;
}

interface MailServiceOptions {
  db: Database;
  log: Logger;
  links: PasswordLinkService;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Absent where no mail server is set: nothing is queued then. */
  post: Post | undefined;
}

/** A mail as admins see it. */
export type MailRow = Omit<SqlRow<Mail>, 'linkId' | 'data'>;

const newestFirst: KeysetOrder<MailRow> = { name: 'CREATED_AT', isDescending: true };

/** Queues and delivers mails. */
export type MailService = ReturnType<typeof createMailService>;

/** Creates the service. */
export function createMailService({ db, log, links, now, post }: MailServiceOptions) {
  const attempts = { sent: 0, failed: 0 };
  return {
    /** Whether the server sends mails. */
    isEnabled: post !== undefined,

    /** Attempts of this instance since its start. */
    attempts: () => attempts,

    /** See {@link queueLink}. */
    queueLink: (
      tx: Transaction,
      kind: 'INVITATION' | 'PASSWORD_RESET',
      { userId, linkId }: { userId: string; linkId: string },
    ) => queueLink(tx, kind, { userId, linkId, at: new Date(now()) }),

    /** Statements, or parts of them, that queue mails, for services that report in a statement of their own. */
    statements: { lockNote, newDeviceNote, mayAskForReset, resetMail },

    /** Notes that API keys of people end soon; none where no mail server is set. */
    async reportExpiringKeys(tx: Statements, keyIds: readonly string[], at: Date): Promise<void> {
      if (post !== undefined) await tx.query(expiringKeyNotes(keyIds, at));
    },

    /** One keyset page of the mails that were not delivered, newest first. */
    undelivered: (args: PageArgs) => {
      const select = sql`SELECT id, user_id AS "userId", kind, state, attempts, last_error AS "lastError",
        created_at AS "createdAt", sent_at AS "sentAt", next_attempt_at AS "nextAttemptAt" FROM mails`;
      const undelivered = sql`state IN ('PENDING', 'FAILED')`;
      return fetchPage<MailRow>(
        db.query,
        { select, conditions: [undelivered], order: newestFirst },
        args,
        async () => {
          const [row] = await db.query<{ count: number }>(
            sql`SELECT count(*)::int AS count FROM mails WHERE ${undelivered}`,
          );
          return row?.count ?? 0;
        },
      );
    },

    /** See {@link startMailing}; does nothing where no mail server is set. */
    start: (): (() => Promise<void>) =>
      post === undefined ? async () => {} : startMailing({ db, log, links, now, attempts, ...post }),
  };
}
