// Retention in GraphQL: its dry run.
import { builder } from '../../graphql/schema-kit/builder.js';
import { orNull } from '../../graphql/schema-kit/field-options.js';
import { query } from '../../graphql/schema-kit/root-fields.js';
import { optionalArg } from '../../graphql/schema-kit/zod-inputs.js';
import { projectKey } from '../../validation/project-key.js';
import { retainDays, retainExecutions } from '../project/project.input.js';
import { projectField } from '../project/project.ref.js';
import { maxProjects, type RetentionPreviewRow } from './retention.service.js';

const RetentionPreview = builder.objectRef<RetentionPreviewRow>('RetentionPreview').implement({
  description: 'What retention would delete from a project now.',
  fields: (t) => ({
    project: t.field(projectField('The project.')),
    retainDays: t.exposeInt('retainDays', orNull('The limit in days.')),
    retainExecutions: t.exposeInt(
      'retainExecutions',
      orNull('The limit in executions for each target, tool, category and branch.'),
    ),
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

query('retentionPreview', [RetentionPreview], 'project:manage', {
  entries: maxProjects,
  description: `Dry run of retention: counts by project, for projects with a limit, at most ${maxProjects}.`,
  args: (arg) => ({
    project: optionalArg(
      arg,
      projectKey.nullish(),
      'Key of a project; all projects with a limit unless given.',
    ),
    retainDays: optionalArg(arg, retainDays, 'Limit to try out for that project; null for none.'),
    retainExecutions: optionalArg(arg, retainExecutions, 'Limit to try out for that project; null for none.'),
  }),
  run: ({ retention }, viewer, args) => retention.preview(viewer, args),
});
