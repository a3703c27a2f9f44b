// Users, their sessions and keys in GraphQL: types and queries. Mutations are in user-mutations.schema.ts.
import { toPublicId } from '../../core/ids.js';
import { can, type Permission } from '../../core/permissions.js';
import type { User } from '../../generated/prisma/client.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType, pageArgs } from '../../graphql/schema-kit/connection.js';
import type { GraphQLContext } from '../../graphql/schema-kit/context.js';
import { orNull, time } from '../../graphql/schema-kit/field-options.js';
import { query } from '../../graphql/schema-kit/root-fields.js';
import type { ReadsColumns } from '../../graphql/schema-kit/selected-columns.js';
import { enumType, filterArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { ApiKeyType } from '../api-key/api-key.schema.js';
import { newestKeys } from '../api-key/api-key.service.js';
import type { Invitation } from './password-link.service.js';
import { role, userFilter, userStatus } from './user.input.js';
import { statusOf } from './user.status.js';

/** Access to personal fields: the user (with an API key, within its scopes) and viewers with user:read. */
export const personalFor =
  (permission: Permission) =>
  (user: User, _args: object, { viewer, signedInUserId }: GraphQLContext) =>
    user.id === signedInUserId || {
      can: user.id === viewer?.userId && !can(viewer, 'user:read') ? permission : ('user:read' as const),
    };
export const personal = personalFor('profile:read');

const SessionType = builder.prismaObject('Session', {
  description: 'A session that has not ended.',
  fields: (t) => ({
    id: t.id({ description: 'Id of the session.', resolve: ({ id }) => toPublicId('Session', id) }),
    createdAt: t.expose('createdAt', time('Time of the sign-in.')),
    lastUsedAt: t.expose('lastUsedAt', time('Time of the last refresh.')),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'Time at which it ends unless it is refreshed.',
      resolve: ({ idleExpiresAt, expiresAt }) =>
        new Date(Math.min(idleExpiresAt.getTime(), expiresAt.getTime())),
    }),
    ip: t.exposeString('ip', orNull('IP address of the sign-in.')),
    userAgent: t.exposeString('userAgent', orNull('User agent of the sign-in.')),
    current: t.boolean({
      description: 'Whether this request belongs to it.',
      resolve: ({ id }, _args, { viewer }) => id === viewer?.sessionId,
    }),
  }),
});

export const UserType = builder.prismaObject('User', {
  description:
    'A person or program that signs in. All users may read id, name and role; the user and admins may read the rest.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Id of the user.', resolve: ({ id }) => toPublicId('User', id) }),
    email: t.exposeString('email', {
      authScopes: personal,
      description: 'E-mail address; an international domain in ASCII.',
    }),
    name: t.exposeString('name', { description: 'Display name.' }),
    role: t.field({
      type: enumType(role),
      description:
        'Role. For a service account of one project, the role of its membership in that project applies instead.',
      resolve: (user) => user.role,
    }),
    status: t.field({
      type: enumType(userStatus),
      authScopes: personal,
      description: 'Whether the user can sign in.',
      resolve: (user) => statusOf(user),
    }),
    lastLoginAt: t.expose('lastLoginAt', {
      type: 'DateTime',
      nullable: true,
      authScopes: personal,
      description: 'Time of the last sign-in.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      authScopes: personal,
      description: 'Time of creation.',
    }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      authScopes: personal,
      description: 'Time of the last change.',
    }),
    hasSecondFactor: t.boolean({
      authScopes: personal,
      description:
        'Whether signing in with the password also needs a code of an authenticator app, or a passkey.',
      resolve: ({ id }, _args, { loaders }) => loaders.secondFactors.load(id),
    }),
    sessions: t.relation('sessions', {
      extensions: { weight: { entries: 50 } },
      type: SessionType,
      authScopes: personalFor('session:manage'),
      description: 'Sessions that have not ended, newest first, at most 50.',
      query: (_args, { services }) => services.sessions.live(),
    }),
    apiKeys: t.relation('apiKeys', {
      extensions: { weight: { entries: 50 } },
      type: ApiKeyType,
      authScopes: personalFor('api_key:manage'),
      description: 'API keys, newest first and revoked ones last, at most 50; never the secret.',
      query: newestKeys,
    }),
  }),
});

/** A field that shows the user whose id the column has, if any. */
export function userOrNull<Column extends string>(column: Column, description: string) {
  return {
    type: UserType,
    nullable: true as const,
    description,
    extensions: { columns: [column] } satisfies ReadsColumns,
    resolve: (
      { [column]: id }: Record<Column, string | null>,
      _args: object,
      { services, loaders }: Pick<GraphQLContext, 'services' | 'loaders'>,
    ) => (id === null ? null : (services.users.recall(id) ?? loaders.users.load(id))),
  };
}

const UserConnection = connectionType('User', UserType, 'users');

const InvitationType = builder.objectRef<Invitation>('Invitation').implement({
  description: 'A one-time link to choose a password (setPassword); give it to the user only.',
  fields: (t) => ({
    token: t.exposeString('token', { description: 'Token, shown once; 256 random bits.' }),
    expiresAt: t.expose(
      'expiresAt',
      time('Time of expiry, after a day. A new address, role or password also voids it.'),
    ),
  }),
});

export const UserPayload = builder
  .objectRef<{ user: User; invitation?: Invitation | null; mailedTo?: string | null }>('UserPayload')
  .implement({
    description: 'A user after a change.',
    fields: (t) => ({
      user: t.field({ type: UserType, description: 'The user.', resolve: ({ user }) => user }),
      invitation: t.field({
        type: InvitationType,
        nullable: true,
        description:
          'After createUser without a password, resendInvitation and resetPassword; shown once. Null where the server mails the link.',
        resolve: ({ invitation }) => invitation ?? null,
      }),
      mailedTo: t.string({
        nullable: true,
        description: 'Address to which the server mails the link in place of showing it.',
        resolve: ({ mailedTo }) => mailedTo ?? null,
      }),
    }),
  });

query('me', UserType, 'identity:read', {
  description: 'The signed-in user.',
  run: ({ users }, viewer) => users.get(viewer, viewer.userId),
});

query('user', UserType, 'user:read', {
  nullable: true,
  description: 'One user. Error NOT_FOUND when it does not exist.',
  args: (arg) => ({ id: simpleArg(arg, idOf('User'), 'Id of the user.') }),
  run: ({ users }, viewer, { id }) => users.get(viewer, id),
});

query('users', UserConnection, 'user:read', {
  description: 'All users, newest first.',
  args: (arg) => ({ ...pageArgs(arg), filter: filterArg(arg, 'UserFilter', userFilter) }),
  run: ({ users }, viewer, { filter, ...page }) => users.list(viewer, filter ?? {}, page),
});
