// Mappings of groups in GraphQL. Signing in at identity providers is REST (sso.routes.ts), as browsers do it.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { DeletePayload } from '../../graphql/schema-kit/payloads.js';
import { enumType, inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { projectRole } from '../project/project.input.js';
import { ProjectType } from '../project/project.ref.js';
import { role } from '../user/user.input.js';
import { type GroupMappingRow, maxMappings } from './group-mappings.js';
import { setGroupMappingInput } from './sso.input.js';

const GroupMapping = builder.objectRef<GroupMappingRow>('GroupMapping').implement({
  description: 'A group of an identity provider and what its members get at each sign-in.',
  fields: (t) => ({
    id: t.id({ description: 'Id of the mapping.', resolve: ({ id }) => toPublicId('GroupMapping', id) }),
    provider: t.exposeString('provider', { description: 'Id of the identity provider in the settings.' }),
    group: t.exposeString('group', { description: 'Group, as the provider sends it.' }),
    role: t.expose('role', {
      type: enumType(role),
      nullable: true,
      description: 'Role of its members; null for a mapping to a project.',
    }),
    project: t.field({
      type: ProjectType,
      authScopes: { can: 'project:read' },
      nullable: true,
      description: 'Project whose members they become; null for a mapping to a role.',
      resolve: ({ projectId }, _args, { loaders }) =>
        projectId === null ? null : loaders.projects.load(projectId),
    }),
    projectRole: t.expose('projectRole', {
      type: enumType(projectRole),
      nullable: true,
      description: 'Role in the project.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'Time of creation.' }),
  }),
});

const GroupMappingPayload = builder.objectRef<GroupMappingRow>('GroupMappingPayload').implement({
  description: 'A mapping after a change.',
  fields: (t) => ({
    groupMapping: t.field({ type: GroupMapping, description: 'The mapping.', resolve: (mapping) => mapping }),
  }),
});

builder.queryField('groupMappings', (t) =>
  t.field({
    type: [GroupMapping],
    authScopes: { can: 'sign_in:manage' },
    extensions: { weight: { entries: maxMappings } },
    description: `Mappings that admins have set, by provider and group; at most ${maxMappings}. They come on top of the mappings in OIDC_PROVIDERS.`,
    resolve: (_root, _args, { services }) => services.groupMappings.list(),
  }),
);

builder.mutationFields((t) => ({
  setGroupMapping: t.field({
    type: GroupMappingPayload,
    authScopes: { can: 'sign_in:manage' },
    description:
      'Maps a group of an identity provider to a role, or to a role in one project. It takes effect when its ' +
      'members next sign in. Requires a sign-in within the last five minutes.',
    args: { input: inputArg(t.arg, 'SetGroupMappingInput', setGroupMappingInput) },
    resolve: (_root, { input }, context) => context.services.groupMappings.set(viewerOf(context), input),
  }),
  deleteGroupMapping: t.field({
    type: DeletePayload,
    authScopes: { can: 'sign_in:manage' },
    description: 'Removes a mapping. It takes effect when the members of the group next sign in.',
    args: { id: simpleArg(t.arg, idOf('GroupMapping'), 'Id of the mapping.') },
    resolve: async (_root, { id }, context) => {
      await context.services.groupMappings.remove(viewerOf(context), id);
      return { deletedId: toPublicId('GroupMapping', id) };
    },
  }),
}));
