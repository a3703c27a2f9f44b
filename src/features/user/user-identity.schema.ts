// Identities of users in GraphQL: the list that users and admins see, and the mutation that unlinks one.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { time, timeOrNull } from '../../graphql/schema-kit/field-options.js';
import { mutation } from '../../graphql/schema-kit/root-fields.js';
import { simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { personal, UserPayload } from './user.schema.js';

const maxListed = 50;

const UserIdentityType = builder.prismaObject('UserIdentity', {
  description: 'An identity at an identity provider, with which a user signs in.',
  fields: (t) => ({
    id: t.id({ description: 'Id of the identity.', resolve: ({ id }) => toPublicId('UserIdentity', id) }),
    provider: t.exposeString('provider', {
      description: 'Id of the identity provider in the settings at the last sign-in.',
    }),
    issuer: t.exposeString('issuer', { description: 'Issuer, as the tokens of the provider have it.' }),
    subject: t.exposeString('subject', {
      description: 'Subject (sub): with the issuer, what the provider knows the user by.',
    }),
    createdAt: t.expose('createdAt', time('Time of the first sign-in.')),
    lastLoginAt: t.expose('lastLoginAt', timeOrNull('Time of the last sign-in at the provider.')),
  }),
});

builder.prismaObjectFields('User', (t) => ({
  identities: t.relation('identities', {
    extensions: { weight: { entries: maxListed } },
    type: UserIdentityType,
    authScopes: personal,
    description: `Identities at identity providers, newest first, at most ${maxListed}.`,
    query: { orderBy: { id: 'desc' }, take: maxListed },
  }),
}));

mutation('unlinkIdentity', UserPayload, 'user:update', {
  description:
    'Unlinks an identity from its user and ends the sessions that it opened. The identity may sign in again as at the first ' +
    'time, where the settings allow it: deactivate the user to keep it out.',
  args: (arg) => ({ id: simpleArg(arg, idOf('UserIdentity'), 'Id of the identity.') }),
  run: async ({ users }, viewer, { id }) => ({ user: await users.identities.unlink(viewer, id) }),
});
