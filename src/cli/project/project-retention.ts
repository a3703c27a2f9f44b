// projects retention, hold and delete: shows what retention would delete, keeps executions from deletion, deletes projects.
import type { Command } from 'commander';
import { type Action, type CommonOptions, type Context, wholeNumber } from '../context.js';
import { type ExitCode, exitCodes, usageFault } from '../failure.js';
import { type ProjectContent, projectQueries, type RetentionPreview } from './project-queries.js';

/** A limit as an option gives it; Commander takes no null. */
export type Limit = number | 'none';

interface RetentionOptions extends CommonOptions {
  retainDays?: Limit;
  retainExecutions?: Limit;
}

interface HoldOptions extends CommonOptions {
  reason?: string;
  release?: boolean;
}

interface DeleteOptions extends CommonOptions {
  confirm?: string;
  dryRun?: boolean;
}

/** Parses a whole number from 1, or "none". */
export const numberOrNone =
  (most: number) =>
  (text: string): Limit =>
    text.trim().toLowerCase() === 'none' ? 'none' : wholeNumber(1, most)(text);

/** Labels of a deletion's counts in the table. */
const labelOf = {
  executions: 'Executions',
  results: 'Results',
  findings: 'Findings',
  imports: 'Imports',
  members: 'Members',
  apiKeys: 'API keys',
  webhooks: 'Webhooks',
  heldExecutions: 'Executions under a legal hold',
} satisfies Record<keyof Omit<ProjectContent, 'deletedId'>, string>;

/** A limit as the API takes it. */
export const limitOf = (given: Limit | undefined) => (given === 'none' ? null : given);

/** Adds the commands to `projects`. */
export function addRetentionCommands(projects: Command, action: Action): void {
  projects
    .command('retention')
    .description('Show what retention would delete now, for each project with a limit or for one project')
    .argument('[key]', 'key of a project; all projects with a limit unless given')
    .option('--retain-days <days>', 'a limit to try out for that project, or none', numberOrNone(36_500))
    .option(
      '--retain-executions <number>',
      'a limit to try out for that project, or none',
      numberOrNone(100_000),
    )
    .action(action(retention));
  projects
    .command('hold')
    .description('Put an execution under a legal hold, so that nobody can delete it, or release it')
    .argument('<execution>', 'its id')
    .option('--reason <text>', 'reason of the hold')
    .option('--release', 'release the execution')
    .action(action(hold));
  projects
    .command('delete')
    .description('Delete a project with everything in it')
    .argument('<key>', 'its key')
    .option('--confirm <key>', 'its key again, as a confirmation')
    .option('--dry-run', 'only count what would be deleted')
    .action(action(deleteProject));
}

async function retention(
  { api, printer }: Context,
  options: RetentionOptions,
  project?: string,
): Promise<ExitCode> {
  const retainDays = limitOf(options.retainDays);
  const retainExecutions = limitOf(options.retainExecutions);
  if (project === undefined && (retainDays !== undefined || retainExecutions !== undefined))
    throw usageFault('Give the key of the project for which to try out limits');
  const { previews } = await api.graphql<{ previews: RetentionPreview[] }>(projectQueries.retention, {
    project,
    retainDays,
    retainExecutions,
  });
  if (printer.isJson) {
    printer.json({ retention: previews });
    return exitCodes.ok;
  }
  printer.table(
    ['Key', 'Days', 'Executions', 'To delete', 'Results', 'Held', 'Needed'],
    previews.map((preview) => [
      preview.project.key,
      ...[preview.retainDays, preview.retainExecutions].map((limit) => String(limit ?? 'none')),
      ...[preview.executions, preview.results, preview.held, preview.needed].map(String),
    ]),
  );
  if (previews.length === 0) printer.note('No project has a limit.');
  return exitCodes.ok;
}

async function hold({ api, printer }: Context, options: HoldOptions, id: string): Promise<ExitCode> {
  const { reason, release = false } = options;
  if ((reason === undefined) !== release) throw usageFault('Give either --reason or --release');
  const { changed } = await api.graphql<{ changed: { execution: { id: string } } }>(projectQueries.hold, {
    id,
    reason,
  });
  if (printer.isJson) printer.json(changed.execution);
  else printer.print(changed.execution.id);
  return exitCodes.ok;
}

async function deleteProject(
  { api, printer }: Context,
  options: DeleteOptions,
  key: string,
): Promise<ExitCode> {
  const { confirm, dryRun = false } = options;
  if (!dryRun && confirm !== key) throw usageFault(`To delete the project, repeat its key: --confirm ${key}`);
  const input = { key, confirmKey: confirm, dryRun };
  const { deletion } = await api.graphql<{ deletion: ProjectContent }>(projectQueries.delete, { input });
  if (printer.isJson) {
    printer.json(deletion);
    return exitCodes.ok;
  }
  const { deletedId: _id, ...counts } = deletion;
  printer.table(
    [dryRun ? 'Would be deleted' : 'Deleted', 'Number'],
    Object.entries(counts).map(([name, count]) => [labelOf[name as keyof typeof labelOf], String(count)]),
  );
  return exitCodes.ok;
}
