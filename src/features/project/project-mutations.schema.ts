// Mutations of projects in GraphQL.
import { builder } from '../../graphql/schema-kit/builder.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { enumType, inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { projectKey } from '../../validation/project-key.js';
import { createProjectInput, deleteProjectInput, projectRole, updateProjectInput } from './project.input.js';
import { ProjectDeletionPayload, ProjectPayload } from './project.schema.js';

const keyText = 'Key of the project.';

builder.mutationFields((t) => ({
  createProject: t.field({
    type: ProjectPayload,
    authScopes: { can: 'project:manage' },
    description: 'Creates a project.',
    args: { input: inputArg(t.arg, 'CreateProjectInput', createProjectInput) },
    resolve: async (_root, { input }, context) => ({
      project: await context.services.projects.create(viewerOf(context), input),
    }),
  }),
  updateProject: t.field({
    type: ProjectPayload,
    authScopes: { can: 'project:manage' },
    description: 'Updates a project. A new visibility acts at once, on open streams too.',
    args: { input: inputArg(t.arg, 'UpdateProjectInput', updateProjectInput) },
    resolve: async (_root, { input }, context) => ({
      project: await context.services.projects.update(viewerOf(context), input),
    }),
  }),
  archiveProject: t.field({
    type: ProjectPayload,
    authScopes: { can: 'project:manage' },
    description: 'Archives a project: it takes no new executions, and its content stays readable.',
    args: { key: simpleArg(t.arg, projectKey, keyText) },
    resolve: async (_root, { key }, context) => ({
      project: await context.services.projects.archive(viewerOf(context), key),
    }),
  }),
  deleteProject: t.field({
    type: ProjectDeletionPayload,
    authScopes: { can: 'project:manage' },
    description:
      'Deletes a project with its executions, results and findings, or counts them (dryRun). Nobody sees the project ' +
      'from then on: its streams end, API keys that are bound to it are revoked, and its webhooks are deleted. The ' +
      'rows are removed in the background; until then no other project can have the key.',
    args: { input: inputArg(t.arg, 'DeleteProjectInput', deleteProjectInput) },
    resolve: (_root, { input }, context) => context.services.projects.remove(viewerOf(context), input),
  }),
  setProjectMember: t.field({
    type: ProjectPayload,
    authScopes: { can: 'project:manage' },
    description:
      'Makes a user a member with a role; without a role it ends the membership. It acts at once, on open streams too.',
    args: {
      key: simpleArg(t.arg, projectKey, keyText),
      userId: simpleArg(t.arg, idOf('User'), 'Id of the user.'),
      role: t.arg({ type: enumType(projectRole), description: 'Role; none ends the membership.' }),
    },
    resolve: async (_root, { key, userId, role }, context) => ({
      project: await context.services.projects.setMember(viewerOf(context), key, userId, role ?? null),
    }),
  }),
}));
