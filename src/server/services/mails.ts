// Creates the service of mails from the settings of the mail server.
import { defaultTiming } from '../../core/timeouts.js';
import {
  type PasswordResetOptions,
  requestPasswordReset,
} from '../../features/auth/password-reset.service.js';
import { createMailService, type Post } from '../../features/mail/mail.service.js';
import { readTemplates } from '../../features/mail/mail.templates.js';
import type { PasswordLinkService } from '../../features/user/password-link.service.js';
import type { Infra } from '../../infra/infra.js';
import { createMailer } from '../../infra/mail/mailer.js';
import type { Limits } from '../limits.js';

/**
 * Creates the service; it sends nothing where no mail server is set.
 * @throws Error that names the template that is wrong
 */
export function createMails(infra: Infra, links: PasswordLinkService) {
  const { db, log, now } = infra;
  return createMailService({ db, log, links, now, post: postOf(infra) });
}

/** Creates the function that mails a link to a user who forgot the password. */
export function createResets(
  { db, now }: Infra,
  { limits, ...parts }: Omit<PasswordResetOptions, 'db' | 'now' | 'addresses'> & { limits: Limits },
) {
  return (email: string) => requestPasswordReset({ ...parts, db, now, addresses: limits.resets }, email);
}

function postOf({ config, timing = defaultTiming }: Infra): Post | undefined {
  const { smtpUrl, smtpFrom, publicUrl, passwordLinkUrl, mailLanguage, mailTemplatesDir } = config;
  if (smtpUrl === undefined || smtpFrom === undefined) return undefined;
  const linkUrl = passwordLinkUrl ?? `${publicUrl}/password#{token}`;
  const mailer = createMailer({
    server: smtpUrl,
    password: config.smtpPassword,
    tls: config.smtpTls,
    from: smtpFrom,
    timeoutMs: timing.mailMs,
  });
  return {
    mailer,
    templates: readTemplates(mailLanguage, mailTemplatesDir),
    language: mailLanguage,
    serverUrl: publicUrl ?? new URL(linkUrl).origin,
    linkUrl,
    timeoutMs: timing.mailMs,
  };
}
