// Service accounts in GraphQL: what users have for them, and the mutation that creates one.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { mutation } from '../../graphql/schema-kit/root-fields.js';
import { enumType, inputArg } from '../../graphql/schema-kit/zod-inputs.js';
import { createServiceAccountInput, userKind } from './user.input.js';
import { personal, UserPayload } from './user.schema.js';

builder.prismaObjectFields('User', (t) => ({
  kind: t.expose('kind', { type: enumType(userKind), description: 'A person, or a program.' }),
  projectId: t.id({
    nullable: true,
    authScopes: personal,
    description:
      'Id of the only project of a service account; null for a person, and for an account of all projects.',
    resolve: ({ projectId }) => (projectId === null ? null : toPublicId('Project', projectId)),
  }),
}));

mutation('createServiceAccount', UserPayload, 'user:create', {
  description:
    'Creates a service account: a program with API keys and without a password. createApiKey creates its keys.',
  args: (arg) => ({ input: inputArg(arg, 'CreateServiceAccountInput', createServiceAccountInput) }),
  run: async ({ users }, viewer, { input }) => ({ user: await users.createServiceAccount(viewer, input) }),
});
