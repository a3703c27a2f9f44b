// Mutations of users in GraphQL.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { DeletePayload } from '../../graphql/schema-kit/payloads.js';
import { inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { createUserInput, setPasswordInput, updateUserInput } from './user.input.js';
import { UserPayload } from './user.schema.js';

builder.mutationFields((t) => ({
  createUser: t.field({
    type: UserPayload,
    authScopes: { can: 'user:create' },
    description:
      'Creates a user: with a password, who can sign in at once; without one, with an invitation to choose it.',
    args: { input: inputArg(t.arg, 'CreateUserInput', createUserInput) },
    resolve: (_root, { input }, context) => context.services.users.create(viewerOf(context), input),
  }),
  resetPassword: t.field({
    type: UserPayload,
    authScopes: { can: 'user:update' },
    description:
      'Creates a one-time link to choose a new password; the current password stays valid until then.',
    args: { id: simpleArg(t.arg, idOf('User'), 'Id of the user.') },
    resolve: (_root, { id }, context) => context.services.users.resetPassword(viewerOf(context), id),
  }),
  resendInvitation: t.field({
    type: UserPayload,
    authScopes: { can: 'user:update' },
    description:
      'Replaces the invitation of a user who has not chosen a password. Error CONFLICT for any other.',
    args: { id: simpleArg(t.arg, idOf('User'), 'Id of the user.') },
    resolve: (_root, { id }, context) => context.services.users.resendInvitation(viewerOf(context), id),
  }),
  revokeInvitation: t.field({
    type: UserPayload,
    authScopes: { can: 'user:update' },
    description:
      'Revokes the invitation of a user who has not chosen a password. Error CONFLICT for any other.',
    args: { id: simpleArg(t.arg, idOf('User'), 'Id of the user.') },
    resolve: async (_root, { id }, context) => ({
      user: await context.services.users.revokeInvitation(viewerOf(context), id),
    }),
  }),
  unlockUser: t.field({
    type: UserPayload,
    authScopes: { can: 'user:update' },
    description: 'Lifts the lock that failed sign-ins have put on the account of a user.',
    args: { id: simpleArg(t.arg, idOf('User'), 'Id of the user.') },
    resolve: async (_root, { id }, context) => ({
      user: await context.services.auth.unlock(viewerOf(context), id),
    }),
  }),
  setPassword: t.field({
    type: UserPayload,
    authScopes: { public: true },
    description:
      'Chooses a password with an invitation or a reset, once. Ends all sessions of the user and lifts a lock of the account.',
    args: { input: inputArg(t.arg, 'SetPasswordInput', setPasswordInput) },
    resolve: async (_root, { input }, context) => {
      const user = await context.services.auth.setPassword(input);
      context.signedInUserId = user.id;
      return { user };
    },
  }),
}));

builder.mutationFields((t) => ({
  updateUser: t.field({
    type: UserPayload,
    authScopes: { can: 'user:update' },
    description:
      'Changes e-mail address, name or role. A new role acts at once; a new address or role voids open invitations and resets.',
    args: { input: inputArg(t.arg, 'UpdateUserInput', updateUserInput) },
    resolve: async (_root, { input }, context) => ({
      user: await context.services.users.update(viewerOf(context), input),
    }),
  }),
  deactivateUser: t.field({
    type: UserPayload,
    authScopes: { can: 'user:update' },
    description:
      'Deactivates a user: ends all sessions and revokes all API keys, invitations and resets, also for the time after a reactivation.',
    args: { id: simpleArg(t.arg, idOf('User'), 'Id of the user.') },
    resolve: async (_root, { id }, context) => ({
      user: await context.services.users.deactivate(viewerOf(context), id),
    }),
  }),
  activateUser: t.field({
    type: UserPayload,
    authScopes: { can: 'user:update' },
    description: 'Activates a deactivated user, who has to sign in again and create new API keys.',
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
