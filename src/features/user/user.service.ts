// Users: reading them, and the entry to creating and changing them. Signing in belongs to the auth feature.

import { AppError } from '../../core/errors.js';
import { encodeCursor, type Page, type PageArgs, parsePage, toPage } from '../../core/pagination.js';
import { can, type Role, type Viewer } from '../../core/permissions.js';
import type { Timing } from '../../core/timeouts.js';
import type { Prisma, User } from '../../generated/prisma/client.js';
import { createCache } from '../../infra/cache.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { newestFirst } from '../../infra/postgres/prisma-page.js';
import type { Metrics } from '../../infra/telemetry/metrics.js';
import { foldForSearch } from '../../validation/search-text.js';
import { createServiceAccount, type ServiceAccountOptions } from './service-account.js';
import {
  type ChangedBy,
  changeUserIn,
  removeIn,
  removeUser,
  setStatusIn,
  setUserStatus,
  updateUser,
} from './user.changes.js';
import {
  createUser,
  provisionUser,
  resendInvitation,
  resetPassword,
  revokeInvitation,
} from './user.creation.js';
import {
  findByIdentity,
  type IdentityOwner,
  type JoinRules,
  type ProvedIdentity,
  setRoleByGroups,
  unlinkIdentity,
} from './user.identities.js';
import type {
  CreateServiceAccountInput,
  CreateUserInput,
  UpdateUserInput,
  UserFilter,
} from './user.input.js';

const order = 'CREATED_AT';
const cursorOf = (row: { id: string }) => encodeCursor(order, { id: row.id });

/** Reads and changes users. */
export type UserService = ReturnType<typeof createUserService>;

/** Creates the service. Profiles are cached briefly; other instances announce their changes. */
export function createUserService(
  options: ServiceAccountOptions & { metrics: Metrics | undefined; timing: Timing },
) {
  const { db, events, metrics, timing } = options;
  const cached = createCache<User>({ name: 'user', max: 5000, ttlMs: timing.believeProfileMs, metrics });
  for (const topic of ['user.changed', 'user.signed_in'] as const)
    events.subscribe(topic, ({ userId }) => cached.forget(userId));

  /** Users by id, in the order of the ids; null for an id without a user. */
  const byIds = async (ids: readonly string[]): Promise<(User | null)[]> => {
    const found = await cached.many(ids, async (missing) => {
      const rows = await db.prisma.user.findMany({ where: { id: { in: missing } } });
      return new Map(rows.map((row) => [row.id, row]));
    });
    return ids.map((id) => found.get(id) ?? null);
  };

  return {
    byIds,
    /** A user who was read within the last ten seconds; undefined for any other. */
    recall: (id: string): User | undefined => cached.peek(id),
    /**
     * One user: the viewer, or any for viewers with user:read.
     * @throws NOT_FOUND
     */
    async get(viewer: Viewer, id: string): Promise<User> {
      const row = id === viewer.userId || can(viewer, 'user:read') ? (await byIds([id]))[0] : null;
      if (row == null) throw new AppError('NOT_FOUND');
      return row;
    },

    /** One keyset page, newest first. */
    list: (_viewer: Viewer, filter: UserFilter, args: PageArgs) => listUsers(db, filter, args),

    /** Whether there is no user: a new installation. */
    isEmpty: async () => (await db.prisma.user.findFirst({ select: { id: true } })) === null,

    /** See {@link createUser}. */
    create: (viewer: Viewer | null, input: CreateUserInput) => createUser(options, viewer, input),
    /** See {@link createServiceAccount}. */
    createServiceAccount: (viewer: Viewer, input: CreateServiceAccountInput) =>
      createServiceAccount(options, viewer, input),
    /** See {@link resetPassword}. */
    resetPassword: (viewer: Viewer, id: string) => resetPassword(options, viewer, id),
    /** See {@link resendInvitation}. */
    resendInvitation: (viewer: Viewer, id: string) => resendInvitation(options, viewer, id),
    /** See {@link revokeInvitation}. */
    revokeInvitation: (viewer: Viewer, id: string) => revokeInvitation(options, viewer, id),
    /** See {@link updateUser}. */
    update: (viewer: Viewer, input: UpdateUserInput) => updateUser(options, viewer, input),
    /** See {@link setUserStatus}. */
    activate: (viewer: Viewer, id: string) => setUserStatus(options, viewer, id, 'ACTIVE'),
    /** See {@link setUserStatus}. */
    deactivate: (viewer: Viewer, id: string) => setUserStatus(options, viewer, id, 'DEACTIVATED'),
    ...providedOf(options),
    /** See {@link removeUser}. */
    remove: (viewer: Viewer, id: string) => removeUser(options, viewer, id),
  };
}

function providedOf(options: ServiceAccountOptions) {
  return {
    /** Users as identity providers know them. */
    identities: identitiesOf(options),
    /** Changes of users within the transaction of a directory that provisions them. */
    directory: directoryOf(options),
  };
}

function identitiesOf(options: ServiceAccountOptions) {
  return {
    /** See {@link findByIdentity}. */
    find: (tx: Transaction, identity: ProvedIdentity, rules: JoinRules) =>
      findByIdentity(options, tx, identity, rules),
    /** See {@link setRoleByGroups}. */
    setRole: (tx: Transaction, owner: Pick<IdentityOwner, 'userId' | 'role'>, role: Role, provider: string) =>
      setRoleByGroups(options, tx, owner, role, provider),
    /** See {@link unlinkIdentity}. */
    unlink: (viewer: Viewer, id: string) => unlinkIdentity(options, viewer, id),
  };
}

function directoryOf(options: ServiceAccountOptions) {
  return {
    /** See {@link provisionUser}. */
    create: (tx: Transaction, by: ChangedBy, user: Parameters<typeof provisionUser>[3]) =>
      provisionUser(options, tx, by, user),
    /** See {@link changeUserIn}. */
    change: (tx: Transaction, by: ChangedBy, input: UpdateUserInput) => changeUserIn(options, tx, by, input),
    /** See {@link setStatusIn}. */
    setStatus: (tx: Transaction, by: ChangedBy, id: string, status: 'ACTIVE' | 'DEACTIVATED') =>
      setStatusIn(options, tx, by, id, status),
    /** See {@link removeIn}. */
    remove: (tx: Transaction, by: ChangedBy, id: string) => removeIn(options, tx, by, id),
  };
}

async function listUsers(db: Database, filter: UserFilter, args: PageArgs): Promise<Page<User>> {
  const request = parsePage(args, order);
  const matches = conditionsOf(filter);
  const rows = await db.prisma.user.findMany(newestFirst(matches, request));
  return toPage(request, rows, cursorOf, () => db.prisma.user.count({ where: matches }));
}

function conditionsOf({ role, kind, status, search }: UserFilter): Prisma.UserWhereInput {
  return {
    ...(role != null && { role }),
    ...(status === 'DEACTIVATED' && { status }),
    ...(kind != null && { kind }),
    // An invited user is an active person who has neither chosen a password nor signed in with an identity provider.
    ...(status === 'INVITED' && {
      status: 'ACTIVE',
      passwordHash: null,
      lastLoginAt: null,
      NOT: { kind: 'SERVICE' },
    }),
    ...(status === 'ACTIVE' && {
      status,
      OR: [{ passwordHash: { not: null } }, { lastLoginAt: { not: null } }, { kind: 'SERVICE' }],
    }),
    ...(search != null && { searchText: { contains: escapeLike(foldForSearch(search)) } }),
  };
}

/** Prisma's `contains` leaves LIKE's wildcards in the text in force. */
function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
