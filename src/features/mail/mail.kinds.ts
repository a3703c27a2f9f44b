// The kinds of mails, and the placeholders that their templates may have.

/** The placeholders of each kind of mail, beside those of all. */
export const placeholders = {
  INVITATION: ['link', 'expires'],
  PASSWORD_RESET: ['link', 'expires'],
  NEW_DEVICE: ['time', 'address'],
  API_KEY_EXPIRING: ['key', 'prefix', 'expires'],
  ACCOUNT_LOCKED: ['time', 'address'],
} as const;
/** The placeholders of all kinds. */
export const commonPlaceholders = ['name', 'email', 'server'];

/** The subject of a mail. */
export type MailKind = keyof typeof placeholders;

/** Kind → template: `Subject: …`, an empty line, the text. */
export type Templates = Readonly<Record<MailKind, string>>;
