// projects: lists, creates, changes and archives projects, and manages their members. Retention and deletion are in
// project-retention.ts, executions of a project in execution.ts.
import type { Command } from 'commander';
import { readPages } from '../commands/pages.js';
import { type Action, type CommonOptions, type Context, oneOf, wholeNumber, wordsOf } from '../context.js';
import { type ExitCode, exitCodes, failure, usageFault } from '../failure.js';
import { plain } from '../output.js';
import { type Project, projectQueries, projectRoles, type User, visibilities } from './project-queries.js';
import { addRetentionCommands, type Limit, limitOf, numberOrNone } from './project-retention.js';

interface ListOptions extends CommonOptions {
  search?: string;
  archived?: boolean;
  limit: number;
}

interface ChangeOptions extends CommonOptions {
  name?: string;
  description?: string;
  visibility?: string;
  defaultBranch?: string;
}

interface LimitOptions extends ChangeOptions {
  daysCritical?: Limit;
  daysHigh?: Limit;
  daysMedium?: Limit;
  daysLow?: Limit;
  retainDays?: Limit;
  retainExecutions?: Limit;
}

interface MemberOptions extends CommonOptions {
  set?: string;
  role: string;
  remove?: string;
}

/** Adds the commands to the program. */
export function addProjectCommands(program: Command, action: Action): void {
  const projects = program.command('projects').description('List and manage projects');
  projects
    .command('list', { isDefault: true })
    .description('List the projects that you see, by key')
    .option('--search <text>', 'part of the key or name')
    .option('--archived', 'the archived ones')
    .option('--limit <number>', 'how many at most', wholeNumber(1, 100_000), 100)
    .action(action(list));
  const create = projects
    .command('create')
    .description('Create a project')
    .argument('<key>', 'its key: a-z, 0-9 and hyphens');
  withSettings(create).action(action(createProject));
  const update = projects.command('update').description('Change a project').argument('<key>', 'its key');
  withLimits(withSettings(update)).action(action(updateProject));
  projects
    .command('archive')
    .description('Archive a project: it takes no new executions, and stays readable')
    .argument('<key>', 'its key')
    .action(action(archive));
  projects
    .command('members')
    .description('List the members of a project, or change one')
    .argument('<key>', 'its key')
    .option('--set <user>', 'make this user a member, by id or e-mail address')
    .option('--role <role>', `role of that member: ${wordsOf(projectRoles)}`, oneOf(projectRoles), 'ANALYST')
    .option('--remove <user>', 'end the membership of this user, by id or e-mail address')
    .action(action(members));
  addRetentionCommands(projects, action);
}

function withSettings(command: Command): Command {
  return command
    .option('--name <name>', 'its name')
    .option('--description <text>', 'its description')
    .option('--visibility <visibility>', `who sees it: ${wordsOf(visibilities)}`, oneOf(visibilities))
    .option('--default-branch <branch>', 'the branch whose findings count where none is named');
}

function withLimits(command: Command): Command {
  const days = numberOrNone(3650);
  return command
    .option('--days-critical <days>', 'days that a critical finding may stay open, or none', days)
    .option('--days-high <days>', 'the same for high ones', days)
    .option('--days-medium <days>', 'the same for medium ones', days)
    .option('--days-low <days>', 'the same for low ones', days)
    .option('--retain-days <days>', 'days after which executions are deleted, or none', numberOrNone(36_500))
    .option(
      '--retain-executions <number>',
      'newest executions to keep for each target, tool, category and branch, or none',
      numberOrNone(100_000),
    );
}

async function list({ api, printer }: Context, options: ListOptions): Promise<ExitCode> {
  const { search, archived = false, limit } = options;
  const variables = { search, archived };
  const { nodes, hasMore } = await readPages<Project>(api, projectQueries.list, variables, limit);
  if (printer.isJson) {
    printer.json({ projects: nodes, hasMore });
    return exitCodes.ok;
  }
  printer.table(
    ['Key', 'Visibility', 'Critical', 'High', 'Open', 'Name'],
    nodes.map(({ key, visibility, openCounts, name }) => [
      ...[key, visibility, String(openCounts.critical), String(openCounts.high), String(openCounts.total)],
      plain(name, 60),
    ]),
  );
  if (nodes.length === 0) printer.note('There are none.');
  if (hasMore) printer.note(`There are more than these ${nodes.length}: see --limit.`);
  return exitCodes.ok;
}

async function createProject(context: Context, options: ChangeOptions, key: string): Promise<ExitCode> {
  const { name = key, description, visibility, defaultBranch } = options;
  const input = { key, name, description, visibility, defaultBranch };
  return change(context, projectQueries.create, { input });
}

async function updateProject(context: Context, options: LimitOptions, key: string): Promise<ExitCode> {
  const { name, description, visibility, defaultBranch } = options;
  const limits = {
    critical: limitOf(options.daysCritical),
    high: limitOf(options.daysHigh),
    medium: limitOf(options.daysMedium),
    low: limitOf(options.daysLow),
  };
  const retainDays = limitOf(options.retainDays);
  const retainExecutions = limitOf(options.retainExecutions);
  const isLimited = Object.values(limits).some((days) => days !== undefined);
  const daysToFix = isLimited ? limits : undefined;
  const changes = { name, description, visibility, defaultBranch, retainDays, retainExecutions, daysToFix };
  if (Object.values(changes).every((value) => value === undefined))
    throw usageFault('Nothing to change is given: see --help');
  return change(context, projectQueries.update, { input: { key, ...changes } });
}

function archive(context: Context, _options: CommonOptions, key: string): Promise<ExitCode> {
  return change(context, projectQueries.archive, { key });
}

async function members(context: Context, options: MemberOptions, key: string): Promise<ExitCode> {
  const { api, printer } = context;
  const { set, role, remove } = options;
  if (set !== undefined && remove !== undefined) throw usageFault('Give either --set or --remove');
  const user = set ?? remove;
  if (user !== undefined) {
    const userId = user.startsWith('usr_') ? user : await userIdOf(context, user);
    await api.graphql(projectQueries.setMember, { key, userId, role: set === undefined ? null : role });
  }
  const answer = await api.graphql<{ project: Project }>(projectQueries.members, { key });
  const found = answer.project.members ?? [];
  if (printer.isJson) {
    printer.json({ members: found });
    return exitCodes.ok;
  }
  const rows = found.map((member) => [member.user.id, member.role, plain(member.user.name, 60)]);
  printer.table(['User', 'Role', 'Name'], rows);
  if (rows.length === 0) printer.note('There are none.');
  return exitCodes.ok;
}

async function userIdOf({ api }: Context, email: string): Promise<string> {
  const answer = await api.graphql<{ users: { nodes: User[] } }>(projectQueries.users, { search: email });
  const found = answer.users.nodes.find((user) => user.email.toLowerCase() === email.toLowerCase());
  if (found === undefined) throw failure(`There is no user with the e-mail address ${plain(email, 254)}`);
  return found.id;
}

async function change({ api, printer }: Context, mutation: string, variables: object): Promise<ExitCode> {
  const { changed } = await api.graphql<{ changed: { project: Project } }>(mutation, variables);
  if (printer.isJson) printer.json(changed.project);
  else printer.print(changed.project.key);
  return exitCodes.ok;
}
