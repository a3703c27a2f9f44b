// Mutations of projects in GraphQL.
import { mutation } from '../../graphql/schema-kit/root-fields.js';
import { enumType, inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { projectKey } from '../../validation/project-key.js';
import { createProjectInput, deleteProjectInput, projectRole, updateProjectInput } from './project.input.js';
import { ProjectDeletionPayload, ProjectPayload } from './project.schema.js';

const keyText = 'Key of the project.';

mutation('createProject', ProjectPayload, 'project:manage', {
  description: 'Creates a project.',
  args: (arg) => ({ input: inputArg(arg, 'CreateProjectInput', createProjectInput) }),
  run: ({ projects }, viewer, { input }) => projects.create(viewer, input),
});

mutation('updateProject', ProjectPayload, 'project:manage', {
  description: 'Updates a project. A new visibility acts at once, on open streams too.',
  args: (arg) => ({ input: inputArg(arg, 'UpdateProjectInput', updateProjectInput) }),
  run: ({ projects }, viewer, { input }) => projects.update(viewer, input),
});

mutation('archiveProject', ProjectPayload, 'project:manage', {
  description: 'Archives a project: it takes no new executions, and its content stays readable.',
  args: (arg) => ({ key: simpleArg(arg, projectKey, keyText) }),
  run: ({ projects }, viewer, { key }) => projects.archive(viewer, key),
});

mutation('deleteProject', ProjectDeletionPayload, 'project:manage', {
  description:
    'Deletes a project with its executions, results and findings, or counts them (dryRun). Nobody sees the project ' +
    'from then on: its streams end, API keys that are bound to it are revoked, and its webhooks are deleted. The ' +
    'rows are removed in the background; until then no other project can have the key.',
  args: (arg) => ({ input: inputArg(arg, 'DeleteProjectInput', deleteProjectInput) }),
  run: ({ projects }, viewer, { input }) => projects.remove(viewer, input),
});

mutation('setProjectMember', ProjectPayload, 'project:manage', {
  description:
    'Makes a user a member with a role; without a role it ends the membership. It acts at once, on open streams too.',
  args: (arg) => ({
    key: simpleArg(arg, projectKey, keyText),
    userId: simpleArg(arg, idOf('User'), 'Id of the user.'),
    role: arg({ type: enumType(projectRole), description: 'Role; none ends the membership.' }),
  }),
  run: ({ projects }, viewer, { key, userId, role }) => projects.setMember(viewer, key, userId, role ?? null),
});
