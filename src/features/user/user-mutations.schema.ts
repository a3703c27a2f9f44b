// Mutations of users in GraphQL.
import { builder } from '../../graphql/schema-kit/builder.js';
import { type Arg, deletion, mutation } from '../../graphql/schema-kit/root-fields.js';
import { inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { createUserInput, setPasswordInput, updateUserInput } from './user.input.js';
import { UserPayload } from './user.schema.js';

const byId = (arg: Arg) => ({ id: simpleArg(arg, idOf('User'), 'Id of the user.') });

mutation('createUser', UserPayload, 'user:create', {
  description:
    'Creates a user: with a password, who can sign in at once; without one, with an invitation to choose it.',
  args: (arg) => ({ input: inputArg(arg, 'CreateUserInput', createUserInput) }),
  run: ({ users }, viewer, { input }) => users.create(viewer, input),
});

mutation('resetPassword', UserPayload, 'user:update', {
  description:
    'Creates a one-time link to choose a new password; the current password stays valid until then.',
  args: byId,
  run: ({ users }, viewer, { id }) => users.resetPassword(viewer, id),
});

mutation('resendInvitation', UserPayload, 'user:update', {
  description:
    'Replaces the invitation of a user who has not chosen a password. Error CONFLICT for any other.',
  args: byId,
  run: ({ users }, viewer, { id }) => users.resendInvitation(viewer, id),
});

mutation('revokeInvitation', UserPayload, 'user:update', {
  description:
    'Revokes the invitation of a user who has not chosen a password. Error CONFLICT for any other.',
  args: byId,
  run: async ({ users }, viewer, { id }) => ({ user: await users.revokeInvitation(viewer, id) }),
});

mutation('unlockUser', UserPayload, 'user:update', {
  description: 'Lifts the lock that failed sign-ins have put on the account of a user.',
  args: byId,
  run: async ({ auth }, viewer, { id }) => ({ user: await auth.unlock(viewer, id) }),
});

builder.mutationFields((t) => ({
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

mutation('updateUser', UserPayload, 'user:update', {
  description:
    'Changes e-mail address, name or role. A new role acts at once; a new address or role voids open invitations and resets.',
  args: (arg) => ({ input: inputArg(arg, 'UpdateUserInput', updateUserInput) }),
  run: async ({ users }, viewer, { input }) => ({ user: await users.update(viewer, input) }),
});

mutation('deactivateUser', UserPayload, 'user:update', {
  description:
    'Deactivates a user: ends all sessions and revokes all API keys, invitations and resets, also for the time after a reactivation.',
  args: byId,
  run: async ({ users }, viewer, { id }) => ({ user: await users.deactivate(viewer, id) }),
});

mutation('activateUser', UserPayload, 'user:update', {
  description: 'Activates a deactivated user, who has to sign in again and create new API keys.',
  args: byId,
  run: async ({ users }, viewer, { id }) => ({ user: await users.activate(viewer, id) }),
});

deletion('deleteUser', 'User', 'user:delete', {
  description: 'Deletes a user with sessions and keys; executions and the audit trail stay.',
  id: 'Id of the user.',
  run: ({ users }, viewer, id) => users.remove(viewer, id),
});
