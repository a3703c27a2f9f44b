// Users as directories see them: the row, the account that a document stands for, and the resource made of a row.
import { createHash } from 'node:crypto';
import { toPublicId } from '../../../core/ids.js';
import { sql } from '../../../infra/postgres/sql.js';
import { displayNameOf } from '../../../validation/display-name.js';
import { emailKeyOf } from '../../../validation/email.js';
import { accountEmail } from '../scim.input.js';
import { type Complex, type Document, invalidValue } from './document.js';
import { valuesOf } from './match.js';
import { urns } from './schemas.js';

/** A user of a directory with the account. */
export interface UserRow {
  id: string;
  email: string;
  name: string;
  status: 'ACTIVE' | 'DEACTIVATED';
  /** As the directory sent them, without `active`, which the account has. */
  attributes: Document;
  groups: { value: string; display: string }[] | null;
  createdAt: string;
  updatedAt: string;
}

/** The select list of {@link UserRow}; `s` is scim_users and `u` is users. */
export const userColumns = sql`u.id, u.email, u.name, u.status, s.attributes, s.created_at AS "createdAt",
  GREATEST(u.updated_at, s.created_at) AS "updatedAt",
  (SELECT jsonb_agg(jsonb_build_object('value', 'grp_' || g.id, 'display', g.display_name) ORDER BY g.id)
    FROM scim_group_members m JOIN scim_groups g ON g.id = m.group_id WHERE m.user_id = s.user_id) AS groups`;

/** A resource as it is sent. */
export interface Resource extends Document {
  schemas: string[];
  id: string;
  meta: { resourceType: string; created: string; lastModified: string; location: string; version: string };
}

/** The name of a user in the directory, without regard to case. */
export const userNameKeyOf = (userName: string): string => userName.normalize('NFC').toLowerCase();

/** The index of the address that is the account's: the primary one, else the first of type work, else the first. */
function chosenOf(emails: readonly Complex[]): number {
  const primary = emails.findIndex((email) => email.primary === true);
  if (primary !== -1) return primary;
  return Math.max(
    0,
    emails.findIndex(({ type }) => String(type).toLowerCase() === 'work'),
  );
}

/**
 * The e-mail address and name of the account that a document stands for.
 * @throws VALIDATION_FAILED (invalidValue) without a valid address
 */
export function accountOf(document: Document): { email: string; name: string } {
  const emails = valuesOf(document, 'emails');
  const given = emails[chosenOf(emails)]?.value ?? document.userName;
  const email = accountEmail.safeParse(given);
  if (!email.success)
    throw invalidValue(
      emails.length > 0 ? 'emails' : 'userName',
      'must be a valid e-mail address where emails has none',
    );
  return { email: email.data, name: nameOf(document) || email.data };
}

function nameOf({ displayName, name = {}, userName }: Document): string {
  const { formatted, givenName, familyName } = name as Complex;
  const parts = [givenName, familyName].filter((part) => part !== undefined).join(' ');
  for (const text of [displayName, formatted, parts, userName]) {
    const shown = displayNameOf(String(text ?? ''));
    if (shown !== '') return shown;
  }
  return '';
}

/** The address of an account as a directory reads it that sent none. */
export const addressOf = (email: string): Complex[] => [{ value: email, type: 'work', primary: true }];

/** The document of a row: what the directory sent, and what admins have changed of the account since. */
export function documentOf({ attributes, email, name, status }: UserRow): Document {
  const document: Document = { ...attributes, active: status === 'ACTIVE' };
  const sent = accountOf(attributes);
  if (sent.name !== name) document.displayName = name;
  if (emailKeyOf(sent.email) === emailKeyOf(email)) return document;
  const emails = valuesOf(attributes, 'emails');
  const chosen = chosenOf(emails);
  document.emails =
    emails.length === 0
      ? addressOf(email)
      : emails.map((entry, index) => (index === chosen ? { ...entry, value: email } : entry));
  return document;
}

/** The resource of a row. @param baseUrl of SCIM */
export function resourceOfUser(row: UserRow, baseUrl: string): Resource {
  const document = documentOf(row);
  const shown: Document = {
    ...document,
    displayName: row.name,
    emails: document.emails ?? addressOf(row.email),
  };
  const id = toPublicId('User', row.id);
  return {
    schemas: [urns.user, ...(document[urns.enterprise] === undefined ? [] : [urns.enterprise])],
    id,
    ...shown,
    ...(row.groups !== null && { groups: row.groups }),
    meta: {
      resourceType: 'User',
      created: row.createdAt,
      lastModified: row.updatedAt,
      location: `${baseUrl}/Users/${id}`,
      version: versionOf(JSON.stringify(shown)),
    },
  };
}

/** A weak entity tag (RFC 9110). */
export const versionOf = (text: string): string =>
  `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
