// Attributes of users that lists can be filtered and sorted by, as SQL; `s` is scim_users and `u` is users.
import { parsePublicId } from '../../../core/ids.js';
import { type Sql, sql } from '../../../infra/postgres/sql.js';
import type { Column } from './filter-sql.js';
import { attributeOf, locate, userSchema } from './schemas.js';
import { userNameKeyOf } from './user-row.js';

/** The columns that have a place of their own. */
const own = new Map<string, Column>(
  Object.entries({
    id: { kind: 'key', of: sql`u.id`, type: 'uuid', read: uuidOfUser },
    username: { kind: 'key', of: sql`s.user_name_key`, type: 'text', read: userNameKeyOf },
    externalid: { kind: 'exact', of: sql`s.external_id` },
    displayname: { kind: 'text', of: sql`u.name` },
    active: { kind: 'flag', of: sql`(u.status = 'ACTIVE')` },
    'meta.created': { kind: 'time', of: sql`s.created_at` },
    'meta.lastmodified': { kind: 'time', of: sql`GREATEST(u.updated_at, s.created_at)` },
  }),
);

/** The UUID of a user's public id; null for any other text, which is no user's. */
export function uuidOfUser(id: string): string | null {
  const parsed = parsePublicId(id);
  return parsed?.type === 'User' ? parsed.uuid : null;
}

/** The column of a path of users. */
export function userColumnOf(path: string): Column | undefined {
  const bare = path.toLowerCase().startsWith(`${userSchema.urn.toLowerCase()}:`)
    ? path.slice(userSchema.urn.length + 1)
    : path;
  const column = own.get(bare.toLowerCase());
  if (column !== undefined) return column;
  const located = locate(userSchema, path);
  if (located === undefined || located === 'ignored') return undefined;
  const { attribute, sub, extension } = located;
  const holder = extension === undefined ? sql`s.attributes` : sql`s.attributes->${extension}::text`;
  if (attribute.isMultiValued === true) return manyOf(attribute.name, sub?.name);
  const name = sub ?? (attribute.type === 'complex' ? attributeOf(attribute.subs ?? [], 'value') : undefined);
  if (attribute.type === 'complex' && name === undefined) return undefined;
  const of =
    name === undefined
      ? sql`(${holder}->>${attribute.name}::text)`
      : sql`(${holder}->${attribute.name}::text->>${name.name}::text)`;
  return { kind: (name ?? attribute).isCaseExact === true ? 'exact' : 'text', of };
}

/** A multi-valued attribute; a path to one of its attributes (`emails.value`) is a condition on any value too. */
function manyOf(attribute: string, sub: string | undefined): Column {
  // The address of the account counts beside the sent ones: an admin may have changed it.
  const isEmails = attribute === 'emails';
  const entries = sql`jsonb_array_elements(COALESCE(s.attributes->${attribute}::text, '[]'))`;
  const account = sql`SELECT jsonb_build_object('value', u.email, 'type', 'work', 'primary', true)`;
  const all = isEmails
    ? sql`SELECT jsonb_array_elements(COALESCE(s.attributes->'emails', '[]')) UNION ALL ${account}`
    : sql`SELECT ${entries}`;
  const exists = (condition: Sql) => sql`EXISTS (SELECT FROM (${all}) AS entry(item) WHERE ${condition})`;
  const { subs = [] } = attributeOf(userSchema.attributes, attribute) ?? {};
  const columnOf = (path: string): Column | undefined => {
    const found = attributeOf(subs, sub !== undefined && path === 'value' ? sub : path);
    if (found === undefined) return undefined;
    const of = sql`(entry.item->>${found.name}::text)`;
    return found.type === 'boolean'
      ? { kind: 'flag', of: sql`(entry.item->${found.name}::text = 'true')` }
      : { kind: 'text', of };
  };
  return { kind: 'many', exists, columnOf };
}
