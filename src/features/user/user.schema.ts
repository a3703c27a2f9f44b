// Users, their sessions and keys in GraphQL: types and root fields.

import { toPublicId } from '../../core/ids.js';
import { can, type Permission } from '../../core/permissions.js';
import type { User } from '../../generated/prisma/client.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType, pageArgs } from '../../graphql/schema-kit/connection.js';
import { type GraphQLContext, viewerOf } from '../../graphql/schema-kit/context.js';
import { enumType, filterArg, inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { ApiKeyType } from '../api-key/api-key.schema.js';
import type { SessionRow } from '../session/session.service.js';
import type { Invitation } from './password-link.service.js';
import {
  createUserInput,
  role,
  setPasswordInput,
  updateUserInput,
  userFilter,
  userStatus,
} from './user.input.js';

/** What is personal: shown to oneself, with an API key within its scopes, and to those who may read users. */
const personalFor =
  (permission: Permission) =>
  (user: User, _args: object, { viewer, signedInUserId }: GraphQLContext) =>
    (user.id === viewer?.userId && can(viewer, permission)) ||
    user.id === signedInUserId || { can: 'user:read' as const };
const personal = personalFor('profile:read');

const SessionType = builder.objectRef<SessionRow>('Session').implement({
  description: 'A sign-in that is still good.',
  fields: (t) => ({
    id: t.id({ description: 'Id of the session.', resolve: ({ id }) => toPublicId('Session', id) }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the user signed in.' }),
    lastUsedAt: t.expose('lastUsedAt', { type: 'DateTime', description: 'When it was last refreshed.' }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'When it ends unless it is refreshed.',
      resolve: ({ idleExpiresAt, expiresAt }) =>
        new Date(Math.min(Date.parse(idleExpiresAt), Date.parse(expiresAt))),
    }),
    ip: t.exposeString('ip', { nullable: true, description: 'Address it was opened from.' }),
    userAgent: t.exposeString('userAgent', { nullable: true, description: 'Program it was opened with.' }),
    current: t.boolean({
      description: 'Whether this request came with it.',
      resolve: ({ id }, _args, { viewer }) => id === viewer?.sessionId,
    }),
  }),
});

export const UserType = builder.prismaObject('User', {
  description:
    'Someone who signs in. Id, name and role are open to all users, the rest to oneself and to admins.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Id of the user.', resolve: ({ id }) => toPublicId('User', id) }),
    email: t.exposeString('email', { authScopes: personal, description: 'E-mail address, as typed.' }),
    name: t.exposeString('name', { description: 'Display name.' }),
    role: t.field({
      type: enumType(role),
      description: 'What the user may do.',
      resolve: (user) => user.role,
    }),
    status: t.field({
      type: enumType(userStatus),
      authScopes: personal,
      description: 'Whether the user may sign in.',
      resolve: (user) => user.status,
    }),
    lastLoginAt: t.expose('lastLoginAt', {
      type: 'DateTime',
      nullable: true,
      authScopes: personal,
      description: 'When the user last signed in.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      authScopes: personal,
      description: 'When the user was made.',
    }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      authScopes: personal,
      description: 'When the user last changed.',
    }),
    hasSecondFactor: t.boolean({
      authScopes: personal,
      description: 'Whether a sign-in needs a code of an authenticator app too.',
      resolve: ({ id }, _args, { loaders }) => loaders.secondFactors.load(id),
    }),
    sessions: t.field({
      type: [SessionType],
      authScopes: personalFor('session:manage'),
      description: 'Live sessions, newest first.',
      resolve: ({ id }, _args, { loaders }) => loaders.sessions.load(id),
    }),
    apiKeys: t.field({
      type: [ApiKeyType],
      authScopes: personalFor('api_key:manage'),
      description: 'API keys, newest first; never the secret.',
      resolve: ({ id }, _args, { loaders }) => loaders.apiKeys.load(id),
    }),
  }),
});

const UserConnection = connectionType('User', UserType, 'users');

const InvitationType = builder.objectRef<Invitation>('Invitation').implement({
  description: 'A one-time right to choose a password (setPassword); hand it to the user alone.',
  fields: (t) => ({
    token: t.exposeString('token', { description: 'Shown once; 256 random bits.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it ends: after a day.' }),
  }),
});

export const UserPayload = builder
  .objectRef<{ user: User; invitation?: Invitation | null }>('UserPayload')
  .implement({
    description: 'A user after a change.',
    fields: (t) => ({
      user: t.field({ type: UserType, description: 'The user.', resolve: ({ user }) => user }),
      invitation: t.field({
        type: InvitationType,
        nullable: true,
        description: 'After createUser without a password and after resetPassword; shown once.',
        resolve: ({ invitation }) => invitation ?? null,
      }),
    }),
  });

export const DeletePayload = builder.objectRef<{ deletedId: string }>('DeletePayload').implement({
  description: 'What was deleted.',
  fields: (t) => ({ deletedId: t.exposeID('deletedId', { description: 'Id of what is gone.' }) }),
});

builder.queryFields((t) => ({
  me: t.field({
    type: UserType,
    authScopes: { can: 'profile:read' },
    description: 'Oneself.',
    resolve: (_root, _args, context) =>
      context.services.users.get(viewerOf(context), viewerOf(context).userId),
  }),
  user: t.field({
    type: UserType,
    nullable: true,
    authScopes: { can: 'user:read' },
    description: 'One user. Error NOT_FOUND when there is none.',
    args: { id: simpleArg(t.arg, idOf('User'), 'Id of the user.') },
    resolve: (_root, { id }, context) => context.services.users.get(viewerOf(context), id),
  }),
  users: t.field({
    type: UserConnection,
    authScopes: { can: 'user:read' },
    description: 'All users, newest first.',
    args: { ...pageArgs(t.arg), filter: filterArg(t.arg, 'UserFilter', userFilter) },
    resolve: (_root, { filter, ...page }, context) =>
      context.services.users.list(viewerOf(context), filter ?? {}, page),
  }),
}));

builder.mutationFields((t) => ({
  createUser: t.field({
    type: UserPayload,
    authScopes: { can: 'user:create' },
    description:
      'Makes a user: with a password, to sign in at once; without, with an invitation to choose one.',
    args: { input: inputArg(t.arg, 'CreateUserInput', createUserInput) },
    resolve: (_root, { input }, context) => context.services.users.create(viewerOf(context), input),
  }),
  resetPassword: t.field({
    type: UserPayload,
    authScopes: { can: 'user:update' },
    description:
      'Gives a user a one-time right to choose a new password; the present one stays good until then.',
    args: { id: simpleArg(t.arg, idOf('User'), 'Id of the user.') },
    resolve: (_root, { id }, context) => context.services.users.resetPassword(viewerOf(context), id),
  }),
  setPassword: t.field({
    type: UserPayload,
    authScopes: { public: true },
    description: 'Chooses a password with an invitation or a reset, once; ends all sessions of the user.',
    args: { input: inputArg(t.arg, 'SetPasswordInput', setPasswordInput) },
    resolve: async (_root, { input }, context) => {
      const user = await context.services.auth.setPassword(input);
      context.signedInUserId = user.id;
      return { user };
    },
  }),
  updateUser: t.field({
    type: UserPayload,
    authScopes: { can: 'user:update' },
    description: 'Changes e-mail, name or role. A new role acts at once.',
    args: { input: inputArg(t.arg, 'UpdateUserInput', updateUserInput) },
    resolve: async (_root, { input }, context) => ({
      user: await context.services.users.update(viewerOf(context), input),
    }),
  }),
  deactivateUser: t.field({
    type: UserPayload,
    authScopes: { can: 'user:update' },
    description: 'Forbids a user to sign in and ends all sessions.',
    args: { id: simpleArg(t.arg, idOf('User'), 'Id of the user.') },
    resolve: async (_root, { id }, context) => ({
      user: await context.services.users.deactivate(viewerOf(context), id),
    }),
  }),
  activateUser: t.field({
    type: UserPayload,
    authScopes: { can: 'user:update' },
    description: 'Lets a deactivated user sign in again.',
    args: { id: simpleArg(t.arg, idOf('User'), 'Id of the user.') },
    resolve: async (_root, { id }, context) => ({
      user: await context.services.users.activate(viewerOf(context), id),
    }),
  }),
  deleteUser: t.field({
    type: DeletePayload,
    authScopes: { can: 'user:delete' },
    description: 'Deletes a user with sessions and keys; executions and the audit trail stay.',
    args: { id: simpleArg(t.arg, idOf('User'), 'Id of the user.') },
    resolve: async (_root, { id }, context) => {
      await context.services.users.remove(viewerOf(context), id);
      return { deletedId: toPublicId('User', id) };
    },
  }),
}));
