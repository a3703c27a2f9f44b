// Members of groups as rows: which a request names, and how operations add, remove and replace them.
import { AppError } from '../../core/errors.js';
import { parsePublicId, toPublicId } from '../../core/ids.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import { invalidValue } from './resource/document.js';
import type { Filter } from './resource/filter.js';

/** Members that a group may have. */
export const maxMembers = 10_000;

/** A group whose members change. */
export interface ChangedGroup {
  id: string;
  provider: string;
  /** Users who were added or removed. */
  touched: Set<string>;
}

/** The UUID of each member of a value: objects with `value`, or ids. What is no user's id is null. */
function idsIn(given: unknown): (string | null)[] {
  const items = Array.isArray(given) ? given : given == null ? [] : [given];
  if (items.length > maxMembers) throw invalidValue('members', `has more than ${maxMembers} values`);
  return items.map((item: unknown) => {
    const id = typeof item === 'object' && item !== null ? (item as { value?: unknown }).value : item;
    if (typeof id !== 'string') throw invalidValue('members', 'must have an id as value');
    const parsed = parsePublicId(id);
    return parsed?.type === 'User' ? parsed.uuid : null;
  });
}

/** @throws VALIDATION_FAILED (invalidValue) for an id that is none */
function knownIdsIn(given: unknown): string[] {
  const ids = idsIn(given);
  if (ids.includes(null)) throw invalidValue('members', 'must be ids of users of the directory');
  return [...new Set(ids as string[])];
}

/**
 * Adds members; users who are in already stay.
 * @throws VALIDATION_FAILED (invalidValue) for users whom the directory has not, and beyond the limit
 */
export async function addMembers(tx: Transaction, group: ChangedGroup, given: unknown): Promise<void> {
  const ids = knownIdsIn(given);
  if (ids.length === 0) return;
  const known = await tx.query<{ id: string }>(
    sql`SELECT user_id AS id FROM scim_users WHERE provider = ${group.provider} AND user_id = ANY(${ids}::uuid[])`,
  );
  if (known.length < ids.length) {
    const unknown = ids.find((id) => !known.some((row) => row.id === id)) ?? '';
    throw invalidValue('members', `the directory has no user ${toPublicId('User', unknown)}`);
  }
  const added = await tx.query<{ id: string }>(sql`
    INSERT INTO scim_group_members (group_id, user_id) SELECT ${group.id}::uuid, unnest(${ids}::uuid[])
    ON CONFLICT DO NOTHING RETURNING user_id AS id`);
  for (const { id } of added) group.touched.add(id);
  const [row] = await tx.query<{ count: number }>(
    sql`SELECT count(*)::int AS count FROM scim_group_members WHERE group_id = ${group.id}`,
  );
  if ((row?.count ?? 0) > maxMembers)
    throw invalidValue('members', `a group has at most ${maxMembers} members`);
}

/** Removes members, or all but some. */
async function remove(tx: Transaction, group: ChangedGroup, ids: string[], isKept: boolean): Promise<void> {
  const which = isKept ? sql`user_id <> ALL(${ids}::uuid[])` : sql`user_id = ANY(${ids}::uuid[])`;
  const gone = await tx.query<{ id: string }>(
    sql`DELETE FROM scim_group_members WHERE group_id = ${group.id} AND ${which} RETURNING user_id AS id`,
  );
  for (const { id } of gone) group.touched.add(id);
}

/** Makes these the only members. */
export async function replaceMembers(tx: Transaction, group: ChangedGroup, given: unknown): Promise<void> {
  await remove(tx, group, knownIdsIn(given), true);
  await addMembers(tx, group, given);
}

/**
 * Applies one operation to members. Removing users who are no members changes nothing.
 * @throws VALIDATION_FAILED (invalidValue, invalidFilter, noTarget)
 */
export async function changeMembers(
  tx: Transaction,
  group: ChangedGroup,
  { op, filter, value }: { op: 'add' | 'replace' | 'remove'; filter: Filter | undefined; value: unknown },
): Promise<void> {
  if (filter !== undefined) {
    if (op !== 'remove')
      throw new AppError('VALIDATION_FAILED', {
        message: 'members: a filter selects members to remove only',
        scimType: 'noTarget',
      });
    await remove(tx, group, knownOf(idsIn(valuesIn(filter))), false);
  } else if (op === 'add') await addMembers(tx, group, value);
  else if (op === 'replace') await replaceMembers(tx, group, value);
  else if (value == null) await remove(tx, group, [], true);
  else await remove(tx, group, knownOf(idsIn(value)), false);
}

const knownOf = (ids: (string | null)[]): string[] => ids.filter((id) => id !== null);

/** The ids that a filter like `value eq "usr_…" or value eq "usr_…"` names. */
function valuesIn(filter: Filter): string[] {
  if (filter.op === 'or') return filter.of.flatMap(valuesIn);
  if (filter.op === 'eq' && filter.path.toLowerCase() === 'value' && typeof filter.value === 'string')
    return [filter.value];
  throw new AppError('VALIDATION_FAILED', {
    message: 'members: can only be selected by value eq "…", several of them with or',
    scimType: 'invalidFilter',
  });
}
