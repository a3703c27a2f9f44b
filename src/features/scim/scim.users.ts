// Users of a directory: lists, reads, and changes, each in one transaction with its audit events.
import { AppError } from '../../core/errors.js';
import { toPublicId } from '../../core/ids.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import { adopt, assertManaged, byOf, nameTaken, type ScimOptions, type ScimRequest } from './options.js';
import { type Document, readDocument } from './resource/document.js';
import { type ListResponse, listRequestOf, listResponse, shownOf } from './resource/list.js';
import { applyOperation, assertComplete, readOperations, spread } from './resource/patch.js';
import { userSchema } from './resource/schemas.js';
import { userColumnOf, uuidOfUser } from './resource/user-columns.js';
import {
  accountOf,
  addressOf,
  documentOf,
  type Resource,
  resourceOfUser,
  type UserRow,
  userColumns,
  userNameKeyOf,
} from './resource/user-row.js';
import { assertVersion } from './resource/versions.js';
import type { ListQuery } from './scim.input.js';
import type { ScimCaller } from './token/token.checks.js';

const noOne = () => new AppError('NOT_FOUND', { message: 'The directory has no such user.' });

/** Reads and changes users of directories. */
export function createScimUsers(options: ScimOptions) {
  return {
    /** A page. @throws VALIDATION_FAILED (invalidFilter, invalidValue) */
    list: (request: ScimRequest, query: ListQuery) => listUsers(options, request, query),

    /** @throws NOT_FOUND */
    async get({ caller, baseUrl }: ScimRequest, id: string): Promise<Resource> {
      return resourceOfUser(await findUser(options.db, caller, id), baseUrl);
    },

    /** The provider whose directory has each user; null for one whom none has. */
    providersOf: (userIds: readonly string[]) => providersOf(options, userIds),

    /**
     * Creates a user, or lets the directory adopt an account where its token may.
     * @throws VALIDATION_FAILED (invalidValue)
     * @throws CONFLICT (uniqueness)
     */
    create: (request: ScimRequest, body: unknown) => createUser(options, request, body),

    /**
     * Replaces what the directory said. An absent `active` changes nothing.
     * @throws NOT_FOUND
     * @throws PRECONDITION_FAILED
     * @throws VALIDATION_FAILED (invalidValue)
     * @throws CONFLICT (uniqueness, mutability)
     */
    async replace(request: ScimRequest, id: string, body: unknown): Promise<Resource> {
      const after = readDocument(userSchema, body);
      return changeUser(options, request, id, () => after);
    },

    /** Applies operations, all or none. As {@link replace}, and VALIDATION_FAILED (invalidPath, noTarget, mutability). */
    async patch(request: ScimRequest, id: string, body: unknown): Promise<Resource> {
      const operations = readOperations(body).flatMap((operation) => spread(userSchema, operation));
      return changeUser(options, request, id, (before) => {
        const after = structuredClone(before);
        for (const operation of operations) {
          // What the directory reads it can select, also the address that it has not sent.
          if (/^(?:urn:[^[]+:)?emails\[/i.test(operation.path))
            after.emails ??= addressOf(accountOf(after).email);
          applyOperation(userSchema, after, operation);
        }
        return after;
      });
    },

    /**
     * Deletes the user with sessions and keys.
     * @throws NOT_FOUND
     * @throws PRECONDITION_FAILED
     * @throws CONFLICT (mutability) for the last active admin
     */
    remove: (request: ScimRequest, id: string) => removeUser(options, request, id),
  };
}

async function providersOf({ db }: ScimOptions, userIds: readonly string[]): Promise<(string | null)[]> {
  const rows = await db.query<{ userId: string; provider: string }>(
    sql`SELECT user_id AS "userId", provider FROM scim_users WHERE user_id = ANY(${[...userIds]}::uuid[])`,
  );
  const found = new Map(rows.map(({ userId, provider }) => [userId, provider]));
  return userIds.map((id) => found.get(id) ?? null);
}

async function listUsers(
  { db }: ScimOptions,
  { caller, baseUrl }: ScimRequest,
  query: ListQuery,
): Promise<ListResponse> {
  const { where, order, startIndex, count } = listRequestOf(query, userColumnOf, sql`u.id`);
  const from = sql`FROM scim_users s JOIN users u ON u.id = s.user_id WHERE s.provider = ${caller.provider} AND ${where}`;
  const [totals, rows] = await Promise.all([
    db.queryUncached<{ total: number }>(sql`SELECT count(*)::int AS total ${from}`),
    db.queryUncached<UserRow>(
      sql`SELECT ${userColumns} ${from} ORDER BY ${order} LIMIT ${count} OFFSET ${startIndex - 1}`,
    ),
  ]);
  const resources = rows.map((row) => shownOf(resourceOfUser(row, baseUrl), query));
  return listResponse(resources, totals[0]?.total ?? 0, startIndex);
}

/** @throws NOT_FOUND */
async function findUser(
  { query }: { query: <Row>(statement: Sql) => Promise<Row[]> },
  { provider }: ScimCaller,
  id: string,
  lock: Sql = sql``,
): Promise<UserRow> {
  const uuid = uuidOfUser(id);
  if (uuid === null) throw noOne();
  const [row] = await query<UserRow>(sql`
    SELECT ${userColumns} FROM scim_users s JOIN users u ON u.id = s.user_id
    WHERE s.user_id = ${uuid} AND s.provider = ${provider} ${lock}`);
  if (row === undefined) throw noOne();
  return row;
}

async function createUser(
  options: ScimOptions,
  { caller, baseUrl }: ScimRequest,
  body: unknown,
): Promise<Resource> {
  const document = readDocument(userSchema, body);
  assertComplete(userSchema, document);
  const account = accountOf(document);
  const mappings = await options.groupMappings.of(caller.provider);
  const by = byOf(caller);
  const row = await options.db
    .transaction(async (tx) => {
      const { provider } = caller;
      const id =
        (await adopt(options, tx, caller, account.email)) ??
        (await options.users.directory.create(tx, by, { ...account, provider }));
      await tx.query(sql`
        INSERT INTO scim_users (user_id, provider, user_name_key, external_id, attributes, created_at)
        VALUES (${id}, ${provider}, '', NULL, '{}', ${new Date(options.now())})`);
      await store(options, tx, caller, id, document);
      if (document.roles !== undefined) await options.grants.giveAgain(tx, provider, mappings, [id]);
      return findUser(tx, caller, toPublicId('User', id));
    })
    .catch(nameTaken);
  return resourceOfUser(row, baseUrl);
}

async function changeUser(
  options: ScimOptions,
  { caller, baseUrl, ifMatch }: ScimRequest,
  id: string,
  change: (before: Document) => Document,
): Promise<Resource> {
  const mappings = await options.groupMappings.of(caller.provider);
  const row = await options.db
    .transaction(async (tx) => {
      // The row of the directory, not the account: changes of admins lock accounts in an order of their own.
      const before = await findUser(tx, caller, id, sql`FOR UPDATE OF s`);
      assertVersion(ifMatch, resourceOfUser(before, baseUrl).meta.version);
      const stored = documentOf(before);
      const after = change(stored);
      assertComplete(userSchema, after);
      const changed = changedNames(stored, { active: stored.active, ...after });
      if (changed.length === 0) return before;
      assertManaged(options, before.email);
      await store(options, tx, caller, before.id, after);
      noteChange(options, tx, caller, before.id, changed);
      if (changed.includes('roles'))
        await options.grants.giveAgain(tx, caller.provider, mappings, [before.id]);
      return findUser(tx, caller, id);
    })
    .catch(nameTaken);
  return resourceOfUser(row, baseUrl);
}

async function removeUser(
  options: ScimOptions,
  { caller, baseUrl, ifMatch }: ScimRequest,
  id: string,
): Promise<void> {
  await options.db.transaction(async (tx) => {
    const before = await findUser(tx, caller, id, sql`FOR UPDATE OF s`);
    assertVersion(ifMatch, resourceOfUser(before, baseUrl).meta.version);
    assertManaged(options, before.email);
    await options.users.directory.remove(tx, byOf(caller), before.id);
  });
}

/** Writes a document: the account's part to the account, all of it beside. */
async function store(
  { users }: ScimOptions,
  tx: Transaction,
  caller: ScimCaller,
  id: string,
  { active, ...attributes }: Document,
): Promise<void> {
  const by = byOf(caller);
  await users.directory.change(tx, by, { id, ...accountOf(attributes) });
  if (active !== undefined)
    await users.directory.setStatus(tx, by, id, active === true ? 'ACTIVE' : 'DEACTIVATED');
  const { userName, externalId = null } = attributes;
  await tx.query(sql`
    UPDATE scim_users SET user_name_key = ${userNameKeyOf(String(userName))}, external_id = ${externalId as string | null},
      attributes = ${JSON.stringify(attributes)}::jsonb
    WHERE user_id = ${id}`);
}

/** Names of attributes that differ, without their values. */
function changedNames(before: Document, after: Document): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}

/** Records what has no event of its own, and moves the time of the last change. */
function noteChange(
  { audit, now }: ScimOptions,
  tx: Transaction,
  caller: ScimCaller,
  id: string,
  attributes: string[],
): void {
  tx.finally(sql`UPDATE users SET updated_at = ${new Date(now())} WHERE id = ${id}`);
  audit.record(tx, {
    action: 'user.provision',
    ...byOf(caller),
    targetType: 'User',
    targetId: id,
    changes: { attributes, scimTokenId: toPublicId('ScimToken', caller.id) },
  });
}
