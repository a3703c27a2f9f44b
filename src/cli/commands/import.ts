// import: sends reports, follows their imports, and judges the outcome.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { type Action, type CommonOptions, type Context, oneOf, wholeNumber, wordsOf } from '../context.js';
import { type ExitCode, type Failure, failure, isFailure, usageFault } from '../failure.js';
import { assertMayFollow } from '../follow.js';
import { plain } from '../output.js';
import { type Import, kinds, queries, type Severity, severities } from '../queries.js';
import { conclude, type Outcome, showOutcomes } from '../report/outcomes.js';
import { createTransfer } from '../report/transfer.js';
import { type ReportFile, reportFile, upload } from '../report/upload.js';

interface ImportOptions extends CommonOptions {
  execution?: string;
  project?: string;
  target?: string;
  name?: string;
  kind?: string;
  branch?: string;
  commit?: string;
  category?: string;
  format?: string;
  pathPrefix?: string;
  key?: string;
  failOn?: Severity;
  timeout: number;
}

/** Adds the command to the program. */
export function addImportCommand(program: Command, action: Action): void {
  program
    .command('import')
    .description('Import reports of scanners; each makes an execution, unless --execution names one')
    .argument('<files...>', 'files or patterns; - reads standard input')
    .option('--target <target>', 'what was scanned: a URL, a repository, an image, a host')
    .option('--execution <id>', 'add to this running execution instead of making one')
    .option('--project <key>', 'the project; "default" by default')
    .option('--name <name>', 'what to call the execution')
    .option('--kind <kind>', `what kind of test: ${wordsOf(kinds)}; by the format by default`, oneOf(kinds))
    .option('--branch <branch>', 'the branch that was scanned; each shows findings of its own')
    .option('--commit <sha>', 'the commit that was scanned')
    .option('--category <text>', 'tells scans of one target by one tool apart')
    .option('--format <format>', 'the format; recognised by the content by default')
    .option('--path-prefix <folder>', 'the folder that the paths of the report are relative to')
    .option('--key <text>', 'a repeated import with the same key is the same import')
    .option(
      '--fail-on <severity>',
      `exit with 1 when the run has results of this severity or above (${wordsOf(severities)})`,
      oneOf(severities),
    )
    .option('--timeout <seconds>', 'longest wait for the end of one import', wholeNumber(1, 86_400), 3600)
    .action(action(run));
}

/** Error codes that say something about one report. */
const refusals = new Set(['VALIDATION_FAILED', 'PAYLOAD_TOO_LARGE', 'IDEMPOTENCY_KEY_REUSED']);
/** Query parameters of the routes. */
const claims = new Set([
  ...['project', 'target', 'name', 'kind', 'branch', 'commit', 'category', 'format', 'pathPrefix'],
]);

async function run(context: Context, options: ImportOptions, argument: unknown): Promise<ExitCode> {
  const { printer, surroundings } = context;
  if (options.execution === undefined && options.target === undefined)
    throw usageFault('Name what was scanned with --target, or a running execution with --execution');
  const paths = await expand(argument as string[]);
  if (options.key !== undefined && paths.length > 1) throw usageFault('--key is for one file');
  // A file that is missing stops the command before anything is sent.
  const files = await Promise.all(paths.map((path) => reportFile(path, surroundings.stdin)));
  await assertMayFollow(context.api);
  const outcomes: Outcome[] = [];
  let fault: unknown;
  for (const file of files) {
    try {
      outcomes.push({ file: file.name, receipt: await importOne(context, options, file) });
    } catch (error) {
      if (isFailure(error) && isRefusal(error)) {
        outcomes.push({ file: file.name, refusal: error });
        continue;
      }
      fault = error;
      break;
    }
  }
  // A single file that met a fault has nothing to show beside it.
  if (outcomes.length > 0) showOutcomes(printer, outcomes);
  if (fault !== undefined) {
    const unsent = files.length - outcomes.length - 1;
    if (files.length > 1)
      printer.note(
        `Stopped at ${plain(files[outcomes.length]?.name ?? '')}${unsent > 0 ? `; ${unsent} more not sent` : ''}.`,
      );
    throw fault;
  }
  return conclude(printer, outcomes, options.failOn);
}

/** Whether the server refused this report and would take another; a wrong option would refuse all of them. */
function isRefusal({ code, fields }: Failure): boolean {
  if (fields?.some(({ path }) => claims.has(path))) return false;
  return code !== undefined && refusals.has(code);
}

/** Shells expand most patterns; those in quotes, and those of Windows, are expanded here. */
async function expand(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const { glob, isDynamicPattern } = await import('tinyglobby');
  for (const path of paths) {
    if (path === '-' || !isDynamicPattern(path)) {
      found.push(path);
      continue;
    }
    const matches = (await glob(path, { onlyFiles: true })).sort();
    if (matches.length === 0) throw usageFault(`No file matches ${path}`);
    found.push(...matches);
  }
  return found;
}

async function importOne(context: Context, options: ImportOptions, file: ReportFile): Promise<Import> {
  const { api } = context;
  const progress = createTransfer(context.surroundings.stderr, file.name);
  try {
    const begun = (await upload(
      api,
      pathOf(options),
      file,
      options.key ?? `sec-tester:${randomUUID()}`,
      (bytes) => progress.sent(bytes, file.size),
    )) as { id: string };
    const until = Date.now() + options.timeout * 1000;
    for (;;) {
      const { import: receipt } = await api.graphql<{ import: Import }>(queries.import, { id: begun.id });
      if (receipt.state !== 'RUNNING') return receipt;
      progress.read(receipt.read, receipt.execution.phase);
      if (Date.now() > until)
        throw failure(`${begun.id} has not ended within ${options.timeout} s; it goes on at the server`);
      await sleep(300);
    }
  } finally {
    progress.end();
  }
}

function pathOf({
  execution,
  project,
  target,
  name,
  kind,
  branch,
  commit,
  category,
  format,
  pathPrefix,
}: ImportOptions) {
  const own = { project, target, name, kind, branch, commit, category };
  const given = {
    ...(execution === undefined ? own : {}),
    format: format?.toUpperCase().replaceAll('-', '_'),
    pathPrefix,
  };
  const query = new URLSearchParams(
    Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const route = execution === undefined ? 'imports' : `executions/${encodeURIComponent(execution)}/reports`;
  return `api/v1/${route}?${query}`;
}
