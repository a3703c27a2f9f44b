// Groups as directories see them: the row, the columns that lists are filtered by, and the resource made of a row.
import { parsePublicId, toPublicId } from '../../../core/ids.js';
import { sql } from '../../../infra/postgres/sql.js';
import type { Document } from './document.js';
import type { Column } from './filter-sql.js';
import { groupSchema, urns } from './schemas.js';
import { uuidOfUser } from './user-columns.js';
import { type Resource, userNameKeyOf } from './user-row.js';

/** A group of a directory. */
export interface GroupRow {
  id: string;
  displayName: string;
  externalId: string | null;
  version: number;
  createdAt: string;
  updatedAt: string;
}

/** The select list of {@link GroupRow}; `g` is scim_groups. */
export const groupColumns = sql`g.id, g.display_name AS "displayName", g.external_id AS "externalId", g.version,
  g.created_at AS "createdAt", g.updated_at AS "updatedAt"`;

/** A member as it is sent. */
export interface Member {
  groupId: string;
  userId: string;
  name: string;
}

/** The UUID of a group's public id; null for any other text, which is no group's. */
export function uuidOfGroup(id: string): string | null {
  const parsed = parsePublicId(id);
  return parsed?.type === 'ScimGroup' ? parsed.uuid : null;
}

const members: Column = {
  kind: 'many',
  exists: (condition) =>
    sql`EXISTS (SELECT FROM scim_group_members m WHERE m.group_id = g.id AND ${condition})`,
  columnOf: (path) =>
    path.toLowerCase() === 'value'
      ? { kind: 'key', of: sql`m.user_id`, type: 'uuid', read: uuidOfUser }
      : undefined,
};

const own = new Map<string, Column>(
  Object.entries({
    id: { kind: 'key', of: sql`g.id`, type: 'uuid', read: uuidOfGroup },
    displayname: { kind: 'text', of: sql`g.display_name` },
    externalid: { kind: 'exact', of: sql`g.external_id` },
    members,
    'members.value': members,
    'meta.created': { kind: 'time', of: sql`g.created_at` },
    'meta.lastmodified': { kind: 'time', of: sql`g.updated_at` },
  }),
);

/** The column of a path of groups. */
export function groupColumnOf(path: string): Column | undefined {
  const prefix = `${groupSchema.urn.toLowerCase()}:`;
  const bare = path.toLowerCase();
  return own.get(bare.startsWith(prefix) ? bare.slice(prefix.length) : bare);
}

/** The name of a group in the directory, without regard to case. */
export const groupKeyOf = userNameKeyOf;

/** The document of a row, without members. */
export const documentOfGroup = ({ displayName, externalId }: GroupRow): Document => ({
  displayName,
  ...(externalId !== null && { externalId }),
});

/** A weak entity tag of a group. */
export const versionOfGroup = ({ version }: GroupRow): string => `W/"${version}"`;

/**
 * The resource of a row.
 * @param list its members; undefined where the request leaves them out
 * @param baseUrl of SCIM
 */
export function resourceOfGroup(
  row: GroupRow,
  list: readonly Member[] | undefined,
  baseUrl: string,
): Resource {
  const id = toPublicId('ScimGroup', row.id);
  return {
    schemas: [urns.group],
    id,
    ...documentOfGroup(row),
    ...(list !== undefined && {
      members: list.map(({ userId, name }) => ({
        value: toPublicId('User', userId),
        display: name,
        type: 'User',
      })),
    }),
    meta: {
      resourceType: 'Group',
      created: row.createdAt,
      lastModified: row.updatedAt,
      location: `${baseUrl}/Groups/${id}`,
      version: versionOfGroup(row),
    },
  };
}
