// Checks an account's credentials and records failed guesses. Its callers limit the guesses.
import { AppError } from '../../core/errors.js';
import type { Role, Viewer } from '../../core/permissions.js';
import { ownsSecondFactor } from '../../infra/credentials/second-factor.js';
import type { Database } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { AuditService } from '../audit/audit.service.js';
import type { MailService } from '../mail/mail.service.js';

/** An account as a sign-in checks it. */
export interface Credentials {
  id: string;
  email: string;
  name: string;
  role: Role;
  status: string;
  passwordHash: string | null;
  hasSecondFactor: boolean;
}

/** The owner of the account; undefined when there is none of that name. */
export type Account = { id: string; email: string } | undefined;

/** Dependencies of checking credentials. */
interface CredentialsOptions {
  db: Database;
  audit: AuditService;
  mails: MailService;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Finds accounts and records failed guesses. */
export type CredentialsService = ReturnType<typeof createCredentialsService>;

/** Creates the service. */
export function createCredentialsService({ db, audit, mails, now }: CredentialsOptions) {
  const recordOf = (account: Account, actor: Viewer | null) => ({
    actor,
    actorLabel: account?.email ?? 'unknown account',
    ...(account !== undefined && { targetType: 'User' as const, targetId: account.id }),
  });

  return {
    /** The account that meets a condition. */
    async find(condition: Sql): Promise<Credentials | undefined> {
      const [row] = await db.query<Credentials>(
        sql`SELECT id, email, name, role, status, password_hash AS "passwordHash",
            ${ownsSecondFactor(sql`users.id`)} AS "hasSecondFactor"
          FROM users WHERE ${condition}`,
      );
      return row;
    },

    /**
     * Records a failed guess.
     * @param actor who is signed in already; nobody is when it is the signing in that fails
     * @param message replaces that of the code; the same for every reason
     * @throws INVALID_CREDENTIALS always
     */
    async refuse(
      action: string,
      account: Account,
      actor: Viewer | null = null,
      message?: string,
    ): Promise<never> {
      await audit.recordAlone({ action, outcome: 'FAILURE', ...recordOf(account, actor) });
      throw new AppError('INVALID_CREDENTIALS', message === undefined ? {} : { message });
    },

    /**
     * Records that an account was locked for what was guessed at, and mails its owner where sign-ins were. Names that nobody has
     * are locked alike, with the same statement.
     */
    async recordLock(
      guessed: 'sign_in' | 'password_change',
      account: Account,
      actor: Viewer | null = null,
    ): Promise<void> {
      const entry = { action: 'auth.lock', outcome: 'DENIED' as const, changes: { guessed } };
      const event = { ...entry, ...recordOf(account, actor) };
      if (!mails.isEnabled || guessed !== 'sign_in') return audit.recordAlone(event);
      const audited = audit.part(event, sql`(SELECT) AS always`);
      const note = mails.statements.lockNote(account?.id ?? null, {
        at: new Date(now()),
        ip: currentRequest()?.ip ?? null,
      });
      await db.query(sql`WITH audited AS (${audited.insert}) ${note}`);
      audited.committed();
    },
  };
}
