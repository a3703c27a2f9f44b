// import: sends reports, follows their imports, and judges the outcome.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { glob, isDynamicPattern } from 'tinyglobby';
import { type Action, type CommonOptions, type Context, oneOf, wholeNumber, wordsOf } from '../context.js';
import { type ExitCode, exitCodes, failure, usageFault } from '../failure.js';
import { countsInWords, inWords, plain } from '../output.js';
import { type Import, kinds, queries, type Severity, severities } from '../queries.js';
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

async function run(context: Context, options: ImportOptions, argument: unknown): Promise<ExitCode> {
  const { printer, surroundings } = context;
  if (options.execution === undefined && options.target === undefined)
    throw usageFault('Name what was scanned with --target, or a running execution with --execution');
  const paths = await expand(argument as string[]);
  if (options.key !== undefined && paths.length > 1) throw usageFault('--key is for one file');
  const outcomes: { file: string; receipt: Import }[] = [];
  for (const path of paths) {
    const file = await reportFile(path, surroundings.stdin);
    outcomes.push({ file: file.name, receipt: await importOne(context, options, file) });
  }
  const receipts = outcomes.map(({ receipt }) => receipt);
  if (printer.isJson) printer.json({ imports: outcomes.map(({ file, receipt }) => ({ file, ...receipt })) });
  else show(context, outcomes);
  return conclude(context, receipts, options.failOn);
}

/** Shells expand most patterns; those in quotes, and those of Windows, are expanded here. */
async function expand(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
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
      progress.read(receipt.read);
      if (receipt.state !== 'RUNNING') return receipt;
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

/** The end of a path says more than its beginning. */
function tail(file: string): string {
  const text = plain(file);
  return text.length > 40 ? `…${text.slice(-39)}` : text;
}

const columns = ['Read', 'Added', 'New', 'Unchanged', 'Reopened', 'Absent', 'Twice', 'Skipped'];

function show({ printer }: Context, outcomes: readonly { file: string; receipt: Import }[]): void {
  printer.table(
    ['Report', 'Format', ...columns],
    outcomes.map(({ file, receipt }) => [
      ...[tail(file), receipt.format],
      ...[receipt.read, receipt.added, receipt.newFindings, receipt.unchangedFindings].map(String),
      ...[receipt.reopenedFindings, receipt.absentFindings, receipt.duplicates, receipt.skipped].map(String),
    ]),
  );
  for (const { file, receipt } of outcomes) {
    const { execution, counts, warnings, warningCount, errorMessage, incomplete } = receipt;
    printer.print(`${tail(file)}: ${execution.id}, ${inWords(counts.total)} (${countsInWords(counts)})`);
    if (errorMessage !== null) printer.note(`  Failed: ${plain(errorMessage, 2000)}`);
    for (const reason of incomplete) printer.note(`  Not a whole run: ${plain(reason, 300)}`);
    for (const { message, pointer } of warnings.slice(0, 5))
      printer.note(`  Warning: ${plain(message, 300)}${!pointer ? '' : ` (${plain(pointer, 200)})`}`);
    if (warningCount > 5) printer.note(`  … and ${warningCount - 5} more warnings.`);
  }
}

function conclude({ printer }: Context, receipts: readonly Import[], failOn: Severity | undefined): ExitCode {
  const failed = receipts.filter(({ state }) => state === 'FAILED').length;
  const partial = receipts.filter(
    ({ state, incomplete }) => state !== 'FAILED' && incomplete.length > 0,
  ).length;
  if (failed > 0) printer.note(`Not passed: ${failed} of ${receipts.length} imports failed.`);
  if (partial > 0) printer.note(`Not passed: ${partial} of ${receipts.length} runs were not whole.`);
  if (failed + partial > 0) return exitCodes.notPassed;
  if (failOn === undefined) return exitCodes.ok;
  const found = severities
    .slice(severities.indexOf(failOn))
    .flatMap((name) => receipts.map(({ counts }) => counts[name.toLowerCase() as Lowercase<Severity>]))
    .reduce((sum, count) => sum + count, 0);
  printer.note(`${found === 0 ? 'Passed' : 'Not passed'}: ${inWords(found)} of ${failOn} or above.`);
  return found === 0 ? exitCodes.ok : exitCodes.notPassed;
}
