// Groups of a directory: lists, reads, and changes, each in one transaction with its audit events. Rights follow at once.
import { AppError } from '../../core/errors.js';
import { newId, toPublicId } from '../../core/ids.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import type { Mapping } from '../sso/groups.js';
import { addMembers, type ChangedGroup, changeMembers, replaceMembers } from './members.js';
import { byOf, nameTaken, type ScimOptions, type ScimRequest, taken } from './options.js';
import { type Document, readDocument } from './resource/document.js';
import { parsePath } from './resource/filter.js';
import {
  documentOfGroup,
  type GroupRow,
  groupColumnOf,
  groupColumns,
  groupKeyOf,
  type Member,
  resourceOfGroup,
  uuidOfGroup,
  versionOfGroup,
} from './resource/group-row.js';
import { type ListResponse, listRequestOf, listResponse, pathsOf, shownOf } from './resource/list.js';
import { applyOperation, assertComplete, readOperations, spread } from './resource/patch.js';
import { groupSchema } from './resource/schemas.js';
import type { Resource } from './resource/user-row.js';
import { assertVersion } from './resource/versions.js';
import type { ListQuery } from './scim.input.js';
import type { ScimCaller } from './token/token.checks.js';

type Shown = Pick<ListQuery, 'attributes' | 'excludedAttributes'>;
type Change = (tx: Transaction, document: Document, group: ChangedGroup) => Promise<Document>;

/** Groups that a directory may have. */
const maxGroups = 10_000;
/** Members of all groups of a page together. */
const maxListedMembers = 50_000;

/** Reads and changes groups of directories. */
export function createScimGroups(options: ScimOptions) {
  return {
    /** A page. @throws VALIDATION_FAILED (invalidFilter, invalidValue, tooMany) */
    list: (request: ScimRequest, query: ListQuery) => listGroups(options, request, query),

    /** @throws NOT_FOUND */
    async get({ caller, baseUrl }: ScimRequest, id: string, query: Shown): Promise<Resource> {
      const row = await findGroup(options.db, caller, id);
      return resourceOfGroup(row, await membersFor(options, [row], query), baseUrl);
    },

    /** Creates a group. @throws VALIDATION_FAILED (invalidValue) @throws CONFLICT (uniqueness) */
    create: (request: ScimRequest, body: unknown) => createGroup(options, request, body),

    /**
     * Replaces name and members; absent members stay.
     * @throws NOT_FOUND @throws PRECONDITION_FAILED @throws VALIDATION_FAILED (invalidValue) @throws CONFLICT (uniqueness)
     */
    async replace(request: ScimRequest, id: string, body: unknown): Promise<Resource> {
      const after = readDocument(groupSchema, body);
      const members = membersIn(body);
      return changeGroup(options, request, id, async (tx, _before, group) => {
        if (members !== undefined) await replaceMembers(tx, group, members);
        return after;
      });
    },

    /** Applies operations, all or none. As {@link replace}, and VALIDATION_FAILED (invalidPath, invalidFilter, noTarget). */
    async patch(request: ScimRequest, id: string, body: unknown): Promise<Resource> {
      const operations = readOperations(body).flatMap((operation) => spread(groupSchema, operation));
      return changeGroup(options, request, id, async (tx, document, group) => {
        for (const operation of operations) {
          const { path, filter, sub } = parsePath(operation.path);
          const isMembers = /(^|:)members$/i.test(path) && sub === undefined;
          if (isMembers) await changeMembers(tx, group, { op: operation.op, filter, value: operation.value });
          else applyOperation(groupSchema, document, operation);
        }
        return document;
      });
    },

    /** Deletes a group; its members lose what it gave. @throws NOT_FOUND @throws PRECONDITION_FAILED */
    remove: (request: ScimRequest, id: string) => removeGroup(options, request, id),
  };
}

/** The members in a body; undefined where it has none. */
function membersIn(body: unknown): unknown {
  return Object.entries(body as object).find(([name]) => name.toLowerCase() === 'members')?.[1];
}

async function listGroups(
  options: ScimOptions,
  { caller, baseUrl }: ScimRequest,
  query: ListQuery,
): Promise<ListResponse> {
  const { where, order, startIndex, count } = listRequestOf(query, groupColumnOf, sql`g.id`);
  const from = sql`FROM scim_groups g WHERE g.provider = ${caller.provider} AND ${where}`;
  const [totals, rows] = await Promise.all([
    options.db.queryUncached<{ total: number }>(sql`SELECT count(*)::int AS total ${from}`),
    options.db.queryUncached<GroupRow>(
      sql`SELECT ${groupColumns} ${from} ORDER BY ${order} LIMIT ${count} OFFSET ${startIndex - 1}`,
    ),
  ]);
  const members = await membersFor(options, rows, query);
  const resources = rows.map((row) => {
    const own = members?.filter(({ groupId }) => groupId === row.id);
    return shownOf(resourceOfGroup(row, own, baseUrl), query);
  });
  return listResponse(resources, totals[0]?.total ?? 0, startIndex);
}

/** Members of groups, unless the request leaves them out. @throws VALIDATION_FAILED (tooMany) */
async function membersFor(
  { db }: ScimOptions,
  rows: readonly GroupRow[],
  { attributes, excludedAttributes }: Shown,
): Promise<Member[] | undefined> {
  const wanted = pathsOf(attributes);
  const isAsked = wanted === undefined || [...wanted].some((path) => /^members(\.|$)/.test(path));
  if (!isAsked || pathsOf(excludedAttributes)?.has('members') === true || rows.length === 0) return undefined;
  const found = await db.query<Member>(sql`
    SELECT m.group_id AS "groupId", m.user_id AS "userId", u.name FROM scim_group_members m JOIN users u ON u.id = m.user_id
    WHERE m.group_id = ANY(${rows.map(({ id }) => id)}::uuid[]) ORDER BY m.user_id LIMIT ${maxListedMembers + 1}`);
  if (found.length > maxListedMembers)
    throw new AppError('VALIDATION_FAILED', {
      message: `The page has more than ${maxListedMembers} members: ask for fewer groups, or exclude members.`,
      scimType: 'tooMany',
    });
  return found;
}

/** @throws NOT_FOUND */
async function findGroup(
  { query }: { query: <Row>(statement: Sql) => Promise<Row[]> },
  { provider }: ScimCaller,
  id: string,
  lock: Sql = sql``,
): Promise<GroupRow> {
  const uuid = uuidOfGroup(id);
  const [row] =
    uuid === null
      ? []
      : await query<GroupRow>(sql`
          SELECT ${groupColumns} FROM scim_groups g WHERE g.id = ${uuid} AND g.provider = ${provider} ${lock}`);
  if (row === undefined) throw new AppError('NOT_FOUND', { message: 'The directory has no such group.' });
  return row;
}

async function createGroup(
  options: ScimOptions,
  { caller, baseUrl }: ScimRequest,
  body: unknown,
): Promise<Resource> {
  const document = readDocument(groupSchema, body);
  assertComplete(groupSchema, document);
  const mappings = await options.groupMappings.of(caller.provider);
  const [id, at] = [newId(), new Date(options.now())];
  const { displayName, externalId = null } = document as { displayName: string; externalId?: string };
  const work = async (tx: Transaction) => {
    const made = await tx.query(sql`
      INSERT INTO scim_groups (id, provider, display_name, display_name_key, external_id, created_at, updated_at)
      SELECT ${id}::uuid, ${caller.provider}, ${displayName}, ${groupKeyOf(displayName)}, ${externalId}::text, ${at}::timestamptz, ${at}::timestamptz
      WHERE (SELECT count(*) FROM scim_groups WHERE provider = ${caller.provider}) < ${maxGroups} RETURNING id`);
    if (made.length === 0) throw taken(`A directory has at most ${maxGroups} groups.`);
    const group: ChangedGroup = { id, provider: caller.provider, touched: new Set() };
    await addMembers(tx, group, membersIn(body));
    await settle(options, tx, caller, 'scim_group.create', group, mappings, { displayName });
    return findGroup(tx, caller, toPublicId('ScimGroup', id));
  };
  const row = await options.db.transaction(work).catch(nameTaken);
  return resourceOfGroup(row, await membersFor(options, [row], {}), baseUrl);
}

async function changeGroup(
  options: ScimOptions,
  { caller, baseUrl, ifMatch }: ScimRequest,
  id: string,
  change: Change,
): Promise<Resource> {
  const mappings = await options.groupMappings.of(caller.provider);
  const work = async (tx: Transaction) => {
    const before = await findGroup(tx, caller, id, sql`FOR UPDATE`);
    assertVersion(ifMatch, versionOfGroup(before));
    const group: ChangedGroup = { id: before.id, provider: caller.provider, touched: new Set() };
    const after = await change(tx, documentOfGroup(before), group);
    assertComplete(groupSchema, after);
    const { displayName, externalId = null } = after as { displayName: string; externalId?: string };
    const isRenamed = displayName !== before.displayName || externalId !== before.externalId;
    if (!isRenamed && group.touched.size === 0) return before;
    await tx.query(sql`
      UPDATE scim_groups SET display_name = ${displayName}, display_name_key = ${groupKeyOf(displayName)},
        external_id = ${externalId}, version = version + 1, updated_at = ${new Date(options.now())}
      WHERE id = ${before.id}`);
    const changed = group.touched.size;
    if (isRenamed) await touchMembers(tx, group);
    await settle(options, tx, caller, 'scim_group.update', group, mappings, {
      ...(isRenamed && { displayName: { from: before.displayName, to: displayName } }),
      changedMembers: changed,
    });
    return findGroup(tx, caller, id);
  };
  const row = await options.db.transaction(work).catch(nameTaken);
  return resourceOfGroup(row, await membersFor(options, [row], {}), baseUrl);
}

async function removeGroup(
  options: ScimOptions,
  { caller, ifMatch }: ScimRequest,
  id: string,
): Promise<void> {
  const mappings = await options.groupMappings.of(caller.provider);
  await options.db.transaction(async (tx) => {
    const before = await findGroup(tx, caller, id, sql`FOR UPDATE`);
    assertVersion(ifMatch, versionOfGroup(before));
    const group: ChangedGroup = { id: before.id, provider: caller.provider, touched: new Set() };
    await touchMembers(tx, group);
    await tx.query(sql`DELETE FROM scim_groups WHERE id = ${before.id}`);
    await settle(options, tx, caller, 'scim_group.delete', group, mappings, {
      displayName: before.displayName,
    });
  });
}

/** Marks all members: what the group gives them changes with its name. */
async function touchMembers(tx: Transaction, { id, touched }: ChangedGroup): Promise<void> {
  const rows = await tx.query<{ id: string }>(
    sql`SELECT user_id AS id FROM scim_group_members WHERE group_id = ${id}`,
  );
  for (const row of rows) touched.add(row.id);
}

/** Gives the touched users what their groups give now, and records the change. */
async function settle(
  { grants, audit }: ScimOptions,
  tx: Transaction,
  caller: ScimCaller,
  action: 'scim_group.create' | 'scim_group.update' | 'scim_group.delete',
  { id, provider, touched }: ChangedGroup,
  mappings: readonly Mapping[],
  changes: Record<string, unknown>,
): Promise<void> {
  await grants.giveAgain(tx, provider, mappings, [...touched]);
  audit.record(tx, {
    action,
    ...byOf(caller),
    targetType: 'ScimGroup',
    targetId: id,
    changes: { ...changes, scimTokenId: toPublicId('ScimToken', caller.id) },
  });
}
