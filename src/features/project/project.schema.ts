// Projects in GraphQL: types and queries. Mutations are in project-mutations.schema.ts.
import { toPublicId } from '../../core/ids.js';
import type { User } from '../../generated/prisma/client.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType, pageArgs } from '../../graphql/schema-kit/connection.js';
import { orNull, textOrNull, time, timeOrNull } from '../../graphql/schema-kit/field-options.js';
import { query } from '../../graphql/schema-kit/root-fields.js';
import { enumType, optionalArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { line } from '../../validation/fields.js';
import { projectKey } from '../../validation/project-key.js';
import { SeverityCounts } from '../execution/execution.ref.js';
import { UserType } from '../user/user.schema.js';
import type { ProjectDeletion } from './project.deletion.js';
import { projectRole, projectVisibility } from './project.input.js';
import { ProjectType } from './project.ref.js';
import { type MemberRow, maxMembers, type ProjectRow } from './project.rows.js';

const ProjectMember = builder.objectRef<MemberRow>('ProjectMember').implement({
  description: 'A user with a role in a project.',
  fields: (t) => ({
    user: t.field({
      type: UserType,
      description: 'The user.',
      resolve: async ({ userId }, _args, { loaders }) => (await loaders.users.load(userId)) as User,
    }),
    role: t.expose('role', {
      type: enumType(projectRole),
      description: 'Role in the project; admins are admins in every project.',
    }),
    since: t.expose('since', time('Time at which the membership began.')),
    provider: t.exposeString(
      'provider',
      orNull('Identity provider whose groups gave the membership; null for one that an admin set.'),
    ),
  }),
});

const DaysToFix = builder.objectRef<ProjectRow>('DaysToFix').implement({
  description: 'Days that a finding may stay open, by severity; null for no limit.',
  fields: (t) => ({
    critical: t.exposeInt('daysCritical', orNull('Days for CRITICAL.')),
    high: t.exposeInt('daysHigh', orNull('Days for HIGH.')),
    medium: t.exposeInt('daysMedium', orNull('Days for MEDIUM.')),
    low: t.exposeInt('daysLow', orNull('Days for LOW.')),
  }),
});

ProjectType.implement({
  description:
    'Targets, executions and findings that belong together, and who sees them. The project with the key "default" always exists.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Id of the project.', resolve: ({ id }) => toPublicId('Project', id) }),
    key: t.exposeString('key', { description: 'Key: a-z, 0-9 and hyphens; unique.' }),
    name: t.exposeString('name', { description: 'Name.' }),
    description: t.exposeString('description', textOrNull(10_000, 'Description.')),
    visibility: t.expose('visibility', { type: enumType(projectVisibility), description: 'Who sees it.' }),
    defaultBranch: t.exposeString(
      'defaultBranch',
      orNull('Branch whose findings count unless a request names another.'),
    ),
    members: t.field({
      extensions: { weight: { entries: maxMembers } },
      type: [ProjectMember],
      description: `Members, in the order of their joining; at most ${maxMembers}.`,
      resolve: ({ id }, _args, { loaders }) => loaders.projectMembers.load(id),
    }),
    openCounts: t.field({
      type: SeverityCounts,
      authScopes: { can: 'finding:read' },
      description:
        'Findings that are PRESENT on the default branch and OPEN or CONFIRMED, by severity: exact, from counters.',
      resolve: ({ id }, _args, { loaders }) => loaders.projectCounts.load(id),
    }),
    daysToFix: t.field({
      type: DaysToFix,
      description: 'Time limits by severity, from which findings become due.',
      resolve: (project) => project,
    }),
    retainDays: t.exposeInt('retainDays', orNull('Days after which executions are deleted; null for never.')),
    retainExecutions: t.exposeInt(
      'retainExecutions',
      orNull('Number of newest executions to keep for each target, tool, category and branch; null for all.'),
    ),
    archivedAt: t.expose(
      'archivedAt',
      timeOrNull('Time of archiving; since then it takes no new executions.'),
    ),
    createdAt: t.expose('createdAt', time('Time of creation.')),
  }),
});

const ProjectConnection = connectionType('Project', ProjectType, 'projects');

/** Payload of mutations that change a project. */
export const ProjectPayload = builder.objectRef<ProjectRow>('ProjectPayload').implement({
  description: 'A project after a change.',
  fields: (t) => ({
    project: t.field({ type: ProjectType, description: 'The project.', resolve: (project) => project }),
  }),
});

/** Payload of deleteProject. */
export const ProjectDeletionPayload = builder.objectRef<ProjectDeletion>('ProjectDeletionPayload').implement({
  description: 'The deletion of a project, with the number of deleted objects of each kind.',
  fields: (t) => ({
    deletedId: t.id({
      nullable: true,
      description: 'Id of the deleted project; null after a dry run.',
      resolve: ({ id, isDryRun }) => (isDryRun ? null : toPublicId('Project', id)),
    }),
    executions: t.exposeInt('executions', { description: 'Executions.' }),
    results: t.exposeInt('results', {
      description: 'Stored results; runs share unchanged ones.',
    }),
    findings: t.exposeInt('findings', { description: 'Findings.' }),
    imports: t.exposeInt('imports', { description: 'Imports.' }),
    members: t.exposeInt('members', { description: 'Members.' }),
    apiKeys: t.exposeInt('apiKeys', { description: 'API keys in force that are bound to the project.' }),
    webhooks: t.exposeInt('webhooks', { description: 'Webhooks of the project.' }),
    heldExecutions: t.exposeInt('heldExecutions', {
      description: 'Executions under a legal hold, which keep the project from being deleted.',
    }),
  }),
});

query('project', ProjectType, 'project:read', {
  nullable: true,
  description: 'One project. Error NOT_FOUND when it does not exist, or not for the caller.',
  args: (arg) => ({ key: simpleArg(arg, projectKey, 'Key of the project.') }),
  run: ({ projects }, viewer, { key }) => projects.getByKey(viewer, key),
});

query('projects', ProjectConnection, 'project:read', {
  description: 'Projects that the caller sees, by key.',
  args: (arg) => ({
    ...pageArgs(arg),
    search: optionalArg(arg, line(1, 200).nullish(), 'Part of the key or name, without regard to case.'),
    archived: arg.boolean({ description: 'True for the archived ones; the others by default.' }),
  }),
  run: ({ projects }, viewer, { search, archived, ...page }) => {
    const filter = { search, isArchived: archived ?? false };
    return projects.list(viewer, filter, page);
  },
});
