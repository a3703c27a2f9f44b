// API keys in GraphQL: type and root fields.
import { toPublicId } from '../../core/ids.js';
import type { ApiKey } from '../../generated/prisma/client.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { ProjectType } from '../project/project.ref.js';
import { createApiKeyInput, rotateApiKeyInput } from './api-key.input.js';

export const ApiKeyType = builder.prismaObject('ApiKey', {
  description: 'An API key, without its secret.',
  fields: (t) => ({
    id: t.id({ description: 'Id of the key.', resolve: ({ id }) => toPublicId('ApiKey', id) }),
    name: t.exposeString('name', { description: 'Name: its purpose.' }),
    prefix: t.exposeString('prefix', { description: 'First characters of the secret, to distinguish keys.' }),
    scopes: t.exposeStringList('scopes', { description: 'Permissions that the key is limited to.' }),
    project: t.field({
      type: ProjectType,
      authScopes: { can: 'project:read' },
      nullable: true,
      description: 'The only project that the key reads and changes; null for all projects of its owner.',
      resolve: ({ projectId }, _args, { loaders }) =>
        projectId === null ? null : loaders.projects.load(projectId),
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'Time of expiry.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Time of the last use, to the minute.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'Time of creation.' }),
    isReplaced: t.boolean({
      description: 'Whether a rotation has replaced the key, which then ends with the overlap.',
      resolve: ({ replacedById }) => replacedById !== null,
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Time of revocation.',
    }),
  }),
});

const ApiKeyPayload = builder
  .objectRef<{ apiKey: ApiKey; secret: string | null }>('ApiKeyPayload')
  .implement({
    description: 'An API key after a change.',
    fields: (t) => ({
      apiKey: t.field({ type: ApiKeyType, description: 'The key.', resolve: ({ apiKey }) => apiKey }),
      secret: t.exposeString('secret', {
        nullable: true,
        description: 'Send it as `Authorization: Bearer stk_…`. Shown only once, at creation or rotation.',
      }),
    }),
  });

builder.mutationFields((t) => ({
  createApiKey: t.field({
    type: ApiKeyPayload,
    authScopes: { can: 'api_key:manage' },
    description: 'Creates an API key that acts as the caller, or a service account, within its scopes.',
    args: { input: inputArg(t.arg, 'CreateApiKeyInput', createApiKeyInput) },
    resolve: (_root, { input }, context) => context.services.apiKeys.create(viewerOf(context), input),
  }),
  rotateApiKey: t.field({
    type: ApiKeyPayload,
    authScopes: { can: 'api_key:manage' },
    description:
      'Replaces a key with one that has a new secret, which is shown once. Callers rotate their own keys, admins also the keys of service accounts. The old key keeps working for the overlap.',
    args: { input: inputArg(t.arg, 'RotateApiKeyInput', rotateApiKeyInput) },
    resolve: (_root, { input }, context) => context.services.apiKeys.rotate(viewerOf(context), input),
  }),
  revokeApiKey: t.field({
    type: ApiKeyPayload,
    authScopes: { can: 'api_key:manage' },
    description: 'Revokes a key at once: the caller’s own, or any for an admin.',
    args: { id: simpleArg(t.arg, idOf('ApiKey'), 'Id of the key.') },
    resolve: async (_root, { id }, context) => ({
      apiKey: await context.services.apiKeys.revoke(viewerOf(context), id),
      secret: null,
    }),
  }),
}));
