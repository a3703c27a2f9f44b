// SCIM tokens in GraphQL: type and root fields. Directories speak SCIM (scim.routes.ts).
import { toPublicId } from '../../../core/ids.js';
import { builder } from '../../../graphql/schema-kit/builder.js';
import { viewerOf } from '../../../graphql/schema-kit/context.js';
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
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'Time of creation.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Time of expiry, if any.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Time of the last use, to the minute.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Time of revocation.',
    }),
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
    secret: t.exposeString('secret', {
      nullable: true,
      description: 'The bearer token to enter in the directory. Shown only once, at creation.',
    }),
  }),
});

builder.queryField('scimTokens', (t) =>
  t.field({
    type: [ScimTokenType],
    authScopes: { can: 'sign_in:manage' },
    extensions: { weight: { entries: maxTokens } },
    description: `SCIM tokens, newest first and revoked ones last, at most ${maxTokens}; never the secret.`,
    resolve: (_root, _args, { services }) => services.scim.tokens.list(),
  }),
);

builder.mutationFields((t) => ({
  createScimToken: t.field({
    type: ScimTokenPayload,
    authScopes: { can: 'sign_in:manage' },
    description:
      'Creates a token with which a directory provisions users and groups at /scim/v2. It opens nothing else. Requires a sign-in within the last five minutes.',
    args: { input: inputArg(t.arg, 'CreateScimTokenInput', createScimTokenInput) },
    resolve: (_root, { input }, context) => context.services.scim.tokens.create(viewerOf(context), input),
  }),
  revokeScimToken: t.field({
    type: ScimTokenPayload,
    authScopes: { can: 'sign_in:manage' },
    description: 'Revokes a SCIM token at once. Users and groups of its directory stay as they are.',
    args: { id: simpleArg(t.arg, idOf('ScimToken'), 'Id of the token.') },
    resolve: async (_root, { id }, context) => ({
      scimToken: await context.services.scim.tokens.revoke(viewerOf(context), id),
      secret: null,
    }),
  }),
}));
