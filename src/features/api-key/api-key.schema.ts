// API keys in GraphQL: type and root fields.
import { toPublicId } from '../../core/ids.js';
import type { ApiKey } from '../../generated/prisma/client.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { ProjectType } from '../project/project.ref.js';
import { createApiKeyInput } from './api-key.input.js';
import type { ApiKeyRow } from './api-key.service.js';

export const ApiKeyType = builder.objectRef<ApiKey | ApiKeyRow>('ApiKey').implement({
  description: 'A bearer secret for scripts, without the secret.',
  fields: (t) => ({
    id: t.id({ description: 'Id of the key.', resolve: ({ id }) => toPublicId('ApiKey', id) }),
    name: t.exposeString('name', { description: 'What it is for.' }),
    prefix: t.exposeString('prefix', { description: 'Its first characters, to tell keys apart.' }),
    scopes: t.exposeStringList('scopes', { description: 'Permissions it is limited to.' }),
    project: t.field({
      type: ProjectType,
      authScopes: { can: 'project:read' },
      nullable: true,
      description: 'The only project that it sees and changes; null for all of its owner’s.',
      resolve: ({ projectId }, _args, { loaders }) =>
        projectId === null ? null : loaders.projects.load(projectId),
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it ends.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, to the minute.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was revoked.',
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
        description: 'Send it as `Authorization: Bearer stk_…`. Shown once, at creation.',
      }),
    }),
  });

builder.mutationFields((t) => ({
  createApiKey: t.field({
    type: ApiKeyPayload,
    authScopes: { can: 'api_key:manage' },
    description: 'Creates an API key that acts as the caller within its scopes.',
    args: { input: inputArg(t.arg, 'CreateApiKeyInput', createApiKeyInput) },
    resolve: (_root, { input }, context) => context.services.apiKeys.create(viewerOf(context), input),
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
