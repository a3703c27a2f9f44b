// Service accounts in GraphQL: what users have for them, and the mutation that creates one.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
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

builder.mutationFields((t) => ({
  createServiceAccount: t.field({
    type: UserPayload,
    authScopes: { can: 'user:create' },
    description:
      'Creates a service account: a program with API keys and without a password. createApiKey creates its keys.',
    args: { input: inputArg(t.arg, 'CreateServiceAccountInput', createServiceAccountInput) },
    resolve: async (_root, { input }, context) => ({
      user: await context.services.users.createServiceAccount(viewerOf(context), input),
    }),
  }),
}));
