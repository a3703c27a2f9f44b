// Shapes and limits of the input of projects.
import { z } from 'zod';
import { enumOf, int, line, objectOf, text } from '../../validation/fields.js';
import { projectKey } from '../../validation/project-key.js';

export const projectVisibility = enumOf('ProjectVisibility', 'Who sees a project.', {
  INTERNAL: 'All users. Members act with the role of their membership, all others with their own.',
  PRIVATE: 'Members and admins. For all others the project does not exist.',
});

export const projectRole = enumOf('ProjectRole', 'Rights of a member in a project.', {
  ANALYST: 'Creates and runs executions, imports reports and triages findings.',
  VIEWER: 'Reads everything in the project.',
});

const key = projectKey.describe('Key: 1 to 63 of a-z, 0-9 and hyphens.');
const name = line(1, 200);
const description = text(10_000).nullish();
const defaultBranch = line(1, 255).nullish();
const days = int(1, 3650).nullish();

/** Limits of retention. */
export const retainDays = int(1, 36_500).nullish();
export const retainExecutions = int(1, 100_000).nullish();

export const createProjectInput = objectOf('A new project.', {
  key: key.describe('Key: 1 to 63 of a-z, 0-9 and hyphens, unique; it never changes.'),
  name: name.describe('Name.'),
  description: description.describe('Description.'),
  visibility: projectVisibility.nullish().describe('Who sees it; INTERNAL by default.'),
  defaultBranch: defaultBranch.describe('Branch whose findings count unless a request names another.'),
});
export type CreateProjectInput = z.output<typeof createProjectInput>;

const daysToFix = z
  .strictObject({
    critical: days.describe('Days for CRITICAL.'),
    high: days.describe('Days for HIGH.'),
    medium: days.describe('Days for MEDIUM.'),
    low: days.describe('Days for LOW.'),
  })
  .meta({ graphql: 'DaysToFixInput' })
  .describe('Days that a finding may stay open, 1 to 3,650; null for no limit, absent for no change.');

export const updateProjectInput = objectOf('Changes of a project; absent fields stay as they are.', {
  key: key.describe('Key of the project.'),
  name: name.nullish().describe('New name.'),
  description: description.describe('New description; null for none.'),
  visibility: projectVisibility.nullish().describe('New visibility; it acts at once.'),
  defaultBranch: defaultBranch.describe('New default branch; null for none.'),
  daysToFix: daysToFix.nullish().describe('New limits; they set the due dates of open findings.'),
  retainDays: retainDays.describe('Days after which executions are deleted; null for never.'),
  retainExecutions: retainExecutions.describe(
    'Number of newest executions to keep for each target, tool, category and branch; null for all.',
  ),
});
export type UpdateProjectInput = z.output<typeof updateProjectInput>;

export const deleteProjectInput = objectOf('The deletion of a project with everything in it.', {
  key: key.describe('Key of the project.'),
  confirmKey: text(63)
    .nullish()
    .describe('The key again, as a confirmation; required unless dryRun is true.'),
  dryRun: z.boolean().nullish().describe('True to only count what would be deleted.'),
});
export type DeleteProjectInput = z.output<typeof deleteProjectInput>;
