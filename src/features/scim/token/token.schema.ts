// SCIM tokens in GraphQL: type and root fields. Directories speak SCIM (scim.routes.ts).
import { toPublicId } from '../../../core/ids.js';
import { builder } from '../../../graphql/schema-kit/builder.js';
import { orNull, time, timeOrNull } from '../../../graphql/schema-kit/field-options.js';
import { mutation, query } from '../../../graphql/schema-kit/root-fields.js';
import { inputArg, simpleArg } from '../../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../../validation/fields.js';
import { createScimTokenInput } from '../scim.input.js';
import { maxTokens, type NewScimToken } from './token.service.js';

const ScimTokenType = builder.prismaObject('ScimToken', {
  description: 'A token with which a directory provisions users (SCIM), without its secret.',
  fields: (t) => ({
    id: t.id({ description: 'Id of the token.', resolve: ({ id }) => toPublicId('ScimToken', id) }),
    name: t.exposeString('name', { description: 'Name: the directory that uses it.' }),
    prefix: t.exposeString('prefix', {
      description: 'First characters of the secret, to distinguish tokens.',
    }),
    provider: t.exposeString('provider', {
      description: 'Id of the identity provider whose users and groups the directory has, or "scim".',
    }),
    mayAdopt: t.exposeBoolean('mayAdopt', {
      description: 'Whether new users of the directory may take over accounts that exist.',
    }),
    createdAt: t.expose('createdAt', time('Time of creation.')),
    expiresAt: t.expose('expiresAt', timeOrNull('Time of expiry, if any.')),
    lastUsedAt: t.expose('lastUsedAt', timeOrNull('Time of the last use, to the minute.')),
    revokedAt: t.expose('revokedAt', timeOrNull('Time of revocation.')),
  }),
});

const ScimTokenPayload = builder.objectRef<NewScimToken>('ScimTokenPayload').implement({
  description: 'A SCIM token after a change.',
  fields: (t) => ({
    scimToken: t.field({
      type: ScimTokenType,
      description: 'The token.',
      resolve: ({ scimToken }) => scimToken,
    }),
    secret: t.exposeString(
      'secret',
      orNull('The bearer token to enter in the directory. Shown only once, at creation.'),
    ),
  }),
});

query('scimTokens', [ScimTokenType], 'sign_in:manage', {
  entries: maxTokens,
  description: `SCIM tokens, newest first and revoked ones last, at most ${maxTokens}; never the secret.`,
  run: ({ scim }) => scim.tokens.list(),
});

mutation('createScimToken', ScimTokenPayload, 'sign_in:manage', {
  description:
    'Creates a token with which a directory provisions users and groups at /scim/v2. It opens nothing else. Requires a sign-in within the last five minutes.',
  args: (arg) => ({ input: inputArg(arg, 'CreateScimTokenInput', createScimTokenInput) }),
  run: ({ scim }, viewer, { input }) => scim.tokens.create(viewer, input),
});

mutation('revokeScimToken', ScimTokenPayload, 'sign_in:manage', {
  description: 'Revokes a SCIM token at once. Users and groups of its directory stay as they are.',
  args: (arg) => ({ id: simpleArg(arg, idOf('ScimToken'), 'Id of the token.') }),
  run: async ({ scim }, viewer, { id }) => ({
    scimToken: await scim.tokens.revoke(viewer, id),
    secret: null,
  }),
});
