// API keys in GraphQL: type and root fields.
import { toPublicId } from '../../core/ids.js';
import type { ApiKey } from '../../generated/prisma/client.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { orNull, time, timeOrNull } from '../../graphql/schema-kit/field-options.js';
import { mutation } from '../../graphql/schema-kit/root-fields.js';
import { inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { projectOrNull } from '../project/project.ref.js';
import { createApiKeyInput, rotateApiKeyInput } from './api-key.input.js';

export const ApiKeyType = builder.prismaObject('ApiKey', {
  description: 'An API key, without its secret.',
  fields: (t) => ({
    id: t.id({ description: 'Id of the key.', resolve: ({ id }) => toPublicId('ApiKey', id) }),
    name: t.exposeString('name', { description: 'Name: its purpose.' }),
    prefix: t.exposeString('prefix', { description: 'First characters of the secret, to distinguish keys.' }),
    scopes: t.exposeStringList('scopes', { description: 'Permissions that the key is limited to.' }),
    project: t.field(
      projectOrNull('The only project that the key reads and changes; null for all projects of its owner.'),
    ),
    expiresAt: t.expose('expiresAt', time('Time of expiry.')),
    lastUsedAt: t.expose('lastUsedAt', timeOrNull('Time of the last use, to the minute.')),
    createdAt: t.expose('createdAt', time('Time of creation.')),
    isReplaced: t.boolean({
      description: 'Whether a rotation has replaced the key, which then ends with the overlap.',
      resolve: ({ replacedById }) => replacedById !== null,
    }),
    revokedAt: t.expose('revokedAt', timeOrNull('Time of revocation.')),
  }),
});

const ApiKeyPayload = builder
  .objectRef<{ apiKey: ApiKey; secret: string | null }>('ApiKeyPayload')
  .implement({
    description: 'An API key after a change.',
    fields: (t) => ({
      apiKey: t.field({ type: ApiKeyType, description: 'The key.', resolve: ({ apiKey }) => apiKey }),
      secret: t.exposeString(
        'secret',
        orNull('Send it as `Authorization: Bearer stk_…`. Shown only once, at creation or rotation.'),
      ),
    }),
  });

mutation('createApiKey', ApiKeyPayload, 'api_key:manage', {
  description: 'Creates an API key that acts as the caller, or a service account, within its scopes.',
  args: (arg) => ({ input: inputArg(arg, 'CreateApiKeyInput', createApiKeyInput) }),
  run: ({ apiKeys }, viewer, { input }) => apiKeys.create(viewer, input),
});

mutation('rotateApiKey', ApiKeyPayload, 'api_key:manage', {
  description:
    'Replaces a key with one that has a new secret, which is shown once. Callers rotate their own keys, admins also the keys of service accounts. The old key keeps working for the overlap.',
  args: (arg) => ({ input: inputArg(arg, 'RotateApiKeyInput', rotateApiKeyInput) }),
  run: ({ apiKeys }, viewer, { input }) => apiKeys.rotate(viewer, input),
});

mutation('revokeApiKey', ApiKeyPayload, 'api_key:manage', {
  description: 'Revokes a key at once: the caller’s own, or any for an admin.',
  args: (arg) => ({ id: simpleArg(arg, idOf('ApiKey'), 'Id of the key.') }),
  run: async ({ apiKeys }, viewer, { id }) => ({
    apiKey: await apiKeys.revoke(viewer, id),
    secret: null,
  }),
});
