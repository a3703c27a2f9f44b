// Retention in GraphQL: its dry run.
import { AppError } from '../../core/errors.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { optionalArg } from '../../graphql/schema-kit/zod-inputs.js';
import { projectKey } from '../../validation/project-key.js';
import { retainDays, retainExecutions } from '../project/project.input.js';
import { ProjectType } from '../project/project.ref.js';
import { maxProjects, type RetentionPreviewRow } from './retention.service.js';

const RetentionPreview = builder.objectRef<RetentionPreviewRow>('RetentionPreview').implement({
  description: 'What retention would delete from a project now.',
  fields: (t) => ({
    project: t.field({
      type: ProjectType,
      authScopes: { can: 'project:read' },
      description: 'The project.',
      resolve: async ({ projectId }, _args, { loaders }) => {
        const project = await loaders.projects.load(projectId);
        if (project === null) throw new AppError('NOT_FOUND'); // deleted in between
        return project;
      },
    }),
    retainDays: t.exposeInt('retainDays', { nullable: true, description: 'The limit in days.' }),
    retainExecutions: t.exposeInt('retainExecutions', {
      nullable: true,
      description: 'The limit in executions for each target, tool, category and branch.',
    }),
    executions: t.exposeInt('executions', { description: 'Executions that would be deleted.' }),
    results: t.exposeInt('results', { description: 'Results that these executions show.' }),
    held: t.exposeInt('held', {
      description: 'Executions beyond the limits that stay because they are under a legal hold.',
    }),
    needed: t.exposeInt('needed', {
      description:
        'Executions beyond the limits that stay because they are the last run of a branch or hold the newest result of a finding.',
    }),
  }),
});

builder.queryFields((t) => ({
  retentionPreview: t.field({
    type: [RetentionPreview],
    authScopes: { can: 'project:manage' },
    extensions: { weight: { entries: maxProjects } },
    description: `Dry run of retention: counts by project, for projects with a limit, at most ${maxProjects}.`,
    args: {
      project: optionalArg(
        t.arg,
        projectKey.nullish(),
        'Key of a project; all projects with a limit unless given.',
      ),
      retainDays: optionalArg(t.arg, retainDays, 'Limit to try out for that project; null for none.'),
      retainExecutions: optionalArg(
        t.arg,
        retainExecutions,
        'Limit to try out for that project; null for none.',
      ),
    },
    resolve: (_root, args, context) => context.services.retention.preview(viewerOf(context), args),
  }),
}));
