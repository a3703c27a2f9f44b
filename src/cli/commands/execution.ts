// run, watch, executions: creates, follows and lists executions. Gates are in gate.ts, results in results.ts.
import { randomUUID } from 'node:crypto';
import { type Command, InvalidArgumentError } from 'commander';
import {
  type Action,
  type CommonOptions,
  type Context,
  countAtOrAbove,
  moment,
  oneOf,
  someOf,
  wholeNumber,
  wordsOf,
} from '../context.js';
import { type ExitCode, exitCodes } from '../failure.js';
import { assertMayFollow, followToEnd } from '../follow.js';
import { type Cell, countsInWords, inWords, type Printer, plain } from '../output.js';
import { type Execution, kinds, queries, type Severity, severities, statuses } from '../queries.js';
import { readPages } from './pages.js';

interface WaitOptions extends CommonOptions {
  failOn?: Severity;
  patience: number;
  timeout?: number;
}

interface RunOptions extends WaitOptions {
  name?: string;
  target: string;
  kind: string;
  project?: string;
  category?: string;
  tool?: string;
  toolVersion?: string;
  branch?: string;
  commit?: string;
  parameters?: object;
  key?: string;
  wait: boolean;
}

export const failOnText = `exit with 1 when there are results of this severity or above (${wordsOf(severities)})`;
/** Adds the options of a command that waits for the end of an execution. */
export function addWaitOptions(command: Command): Command {
  const timeout = 'exit with 3 when it has not ended after so many seconds; it goes on';
  const patience = 'seconds that the server may be out of reach meanwhile';
  return command
    .option('--timeout <seconds>', timeout, wholeNumber(1, 604_800))
    .option('--patience <seconds>', patience, wholeNumber(0, 86_400), 60);
}

/** Adds the commands to the program. */
export function addExecutionCommands(program: Command, action: Action): void {
  const running = program
    .command('run')
    .description('Make an execution and wait for its end; a runner has to take it')
    .requiredOption('--target <target>', 'what is tested: a URL, a repository, an image, a host')
    .requiredOption('--kind <kind>', `what kind of test: ${wordsOf(kinds)}`, oneOf(kinds))
    .option('--name <name>', 'what to call it; the target by default')
    .option('--project <key>', 'the project that it belongs to; "default" by default')
    .option('--category <text>', 'tells runs of the same tool on the same target apart')
    .option('--tool <name>', 'the tool that runs')
    .option('--tool-version <version>', 'and its version')
    .option('--branch <branch>', 'the branch that is tested')
    .option('--commit <sha>', 'the commit that is tested')
    .option('--parameters <json>', 'settings for the runner, a JSON object', readObject)
    .option('--key <text>', 'a repeated run with the same key is the same execution')
    .option('--no-wait', 'do not wait for its end')
    .option('--fail-on <severity>', failOnText, oneOf(severities))
    .action(action(run));
  const watching = program
    .command('watch')
    .description('Follow an execution live to its end')
    .argument('<execution>', 'its id')
    .option('--fail-on <severity>', failOnText, oneOf(severities))
    .action(action(watch));
  addWaitOptions(running);
  addWaitOptions(watching);
  program
    .command('executions')
    .description('List executions, newest first')
    .option(
      '--status <statuses>',
      `any of these, separated by commas: ${wordsOf(statuses)}`,
      someOf(statuses),
    )
    .option('--kind <kinds>', `any of these: ${wordsOf(kinds)}`, someOf(kinds))
    .option('--project <key>', 'of this project')
    .option('--target <target>', 'exactly this target')
    .option('--tool <name>', 'exactly this tool')
    .option('--branch <name>', 'exactly this branch')
    .option('--commit <sha>', 'exactly this commit')
    .option('--since <time>', 'created on or after this day (UTC) or time', moment)
    .option('--before <time>', 'created before this day (UTC) or time', moment)
    .option('--search <text>', 'part of the name or target')
    .option('--limit <number>', 'how many at most', wholeNumber(1, 100_000), 50)
    .action(action(list));
}

async function run(context: Context, options: RunOptions): Promise<ExitCode> {
  const { api, printer } = context;
  const { target, kind, project, category, tool, toolVersion, branch, commit, parameters } = options;
  const input = {
    name: options.name ?? target.slice(0, 200),
    target,
    kind,
    project,
    category,
    tool,
    toolVersion,
    branch,
    parameters,
    // A key in any case: a call whose answer is lost is repeated.
    commitSha: commit,
    idempotencyKey: options.key ?? `sec-tester:${randomUUID()}`,
  };
  if (options.wait) await assertMayFollow(api);
  const answer = await api.graphql<{ createExecution: { execution: Execution } }>(queries.create, { input });
  const { execution } = answer.createExecution;
  if (!options.wait) {
    if (printer.isJson) printer.json(execution);
    else printer.print(execution.id);
    return exitCodes.ok;
  }
  printer.note(`${execution.id}: ${plain(execution.name)}`);
  const last = await follow(context, execution.id, options);
  if (printer.isJson) printer.json(last);
  return conclude(context, last, options.failOn);
}

async function watch(context: Context, options: WaitOptions, id: string): Promise<ExitCode> {
  return conclude(context, await follow(context, id, options, true), options.failOn);
}

async function list(context: Context, options: CommonOptions & ListOptions): Promise<ExitCode> {
  const { printer } = context;
  const { status, kind, project, target, tool, branch, search } = options;
  const { commit: commitSha, since: createdAfter, before: createdBefore } = options;
  const filter = {
    status,
    kind,
    project,
    target,
    tool,
    branch,
    commitSha,
    createdAfter,
    createdBefore,
    search,
  };
  const { nodes, hasMore } = await readPages<Execution>(
    context.api,
    queries.executions,
    { filter },
    options.limit,
  );
  if (printer.isJson) {
    printer.json({ executions: nodes, hasMore });
    return exitCodes.ok;
  }
  printer.table(
    ['Execution', 'Created', 'Status', 'Kind', 'Results', 'Worst', 'Name'],
    nodes.map((row) => [
      ...[row.id, row.createdAt.slice(0, 16).replace('T', ' '), row.status, row.kind],
      ...[String(row.severityCounts.total), worst(row, printer.severity), plain(row.name, 50)],
    ]),
  );
  if (nodes.length === 0) printer.note('There are none.');
  if (hasMore) printer.note(`There are more than these ${nodes.length}: see --limit.`);
  return exitCodes.ok;
}

interface ListOptions {
  status?: string[];
  kind?: string[];
  project?: string;
  target?: string;
  tool?: string;
  branch?: string;
  commit?: string;
  since?: string;
  before?: string;
  search?: string;
  limit: number;
}

function worst(execution: Execution, show: Printer['severity']): Cell {
  const name = severities.findLast((severity) => countAtOrAbove(execution, severity) > 0);
  return name === undefined ? '' : show(name);
}

/** Follows with a bar; with --json and `isTold` each event is printed as a line. */
export async function follow(
  { api, printer }: Context,
  id: string,
  { patience, timeout }: Pick<WaitOptions, 'patience' | 'timeout'>,
  isTold = false,
): Promise<Execution> {
  const progress = printer.progress();
  const tell = isTold && printer.isJson ? (event: object) => printer.jsonLine(event) : undefined;
  try {
    const { execution } = await followToEnd(api, id, {
      patienceMs: patience * 1000,
      ...(timeout !== undefined && { timeoutMs: timeout * 1000 }),
      onEvent: tell ?? progress.show,
      onLoss: (reason) => progress.note(`Connection lost (${reason}): trying again`),
    });
    return execution;
  } finally {
    progress.end();
  }
}

/** Prints the outcome. Only a completed execution without results that are too severe passes. */
function conclude({ printer }: Context, execution: Execution, failOn: Severity | undefined): ExitCode {
  const { status, severityCounts, errorMessage } = execution;
  const found = failOn === undefined ? 0 : countAtOrAbove(execution, failOn);
  const summary = `${plain(execution.name)}: ${status}, ${inWords(severityCounts.total)} (${countsInWords(severityCounts)})`;
  const tell = printer.isJson ? printer.note : printer.print;
  tell(summary);
  if (errorMessage !== null) printer.note(plain(errorMessage, 2000));
  if (status !== 'COMPLETED') {
    printer.note(`Not passed: the execution is ${status}, not COMPLETED.`);
    return exitCodes.notPassed;
  }
  if (failOn === undefined) return exitCodes.ok;
  if (found === 0) {
    printer.note(`Passed: no results of ${failOn} or above.`);
    return exitCodes.ok;
  }
  const wanted = severities.slice(severities.indexOf(failOn)).join(',').toLowerCase();
  printer.note(`Not passed: ${inWords(found)} of ${failOn} or above.`);
  printer.note(`See them: sec-tester results ${execution.id} --severity ${wanted}`);
  return exitCodes.notPassed;
}

function readObject(text: string): object {
  const fault = new InvalidArgumentError('Expected a JSON object.');
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    throw fault;
  }
  throw fault;
}
