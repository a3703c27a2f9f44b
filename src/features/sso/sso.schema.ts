// Mappings of groups in GraphQL. Signing in at identity providers is REST (sso.routes.ts), as browsers do it.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { time } from '../../graphql/schema-kit/field-options.js';
import { deletion, mutation, query } from '../../graphql/schema-kit/root-fields.js';
import { enumType, inputArg } from '../../graphql/schema-kit/zod-inputs.js';
import { projectRole } from '../project/project.input.js';
import { projectOrNull } from '../project/project.ref.js';
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
    project: t.field(projectOrNull('Project whose members they become; null for a mapping to a role.')),
    projectRole: t.expose('projectRole', {
      type: enumType(projectRole),
      nullable: true,
      description: 'Role in the project.',
    }),
    createdAt: t.expose('createdAt', time('Time of creation.')),
  }),
});

const GroupMappingPayload = builder.objectRef<GroupMappingRow>('GroupMappingPayload').implement({
  description: 'A mapping after a change.',
  fields: (t) => ({
    groupMapping: t.field({ type: GroupMapping, description: 'The mapping.', resolve: (mapping) => mapping }),
  }),
});

query('groupMappings', [GroupMapping], 'sign_in:manage', {
  entries: maxMappings,
  description: `Mappings that admins have set, by provider and group; at most ${maxMappings}. They come on top of the mappings in OIDC_PROVIDERS.`,
  run: ({ groupMappings }) => groupMappings.list(),
});

mutation('setGroupMapping', GroupMappingPayload, 'sign_in:manage', {
  description:
    'Maps a group of an identity provider to a role, or to a role in one project. It takes effect when its ' +
    'members next sign in. Requires a sign-in within the last five minutes.',
  args: (arg) => ({ input: inputArg(arg, 'SetGroupMappingInput', setGroupMappingInput) }),
  run: ({ groupMappings }, viewer, { input }) => groupMappings.set(viewer, input),
});

deletion('deleteGroupMapping', 'GroupMapping', 'sign_in:manage', {
  description: 'Removes a mapping. It takes effect when the members of the group next sign in.',
  id: 'Id of the mapping.',
  run: ({ groupMappings }, viewer, id) => groupMappings.remove(viewer, id),
});
