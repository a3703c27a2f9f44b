// gate: judges an execution, by the severities of its results or by a policy over its findings, for CI jobs. The server judges
// policies; how the outcome looks in each format is in gate-report.ts.
import { appendFile } from 'node:fs/promises';
import type { Command } from 'commander';
import {
  type Action,
  type CommonOptions,
  type Context,
  countAtOrAbove,
  oneOf,
  wholeNumber,
  wordsOf,
} from '../context.js';
import { type ExitCode, exitCodes, usageFault } from '../failure.js';
import { countsInWords, inWords, plain } from '../output.js';
import {
  type Execution,
  type Finding,
  type JudgedGate,
  type Page,
  queries,
  type Severity,
  severities,
} from '../queries.js';
import { addWaitOptions, failOnText, follow } from './execution.js';
import { hasPolicy, type PolicyOptions, policyOf } from './gate-policy.js';
import { type GateReport, toJUnit, toMarkdown } from './gate-report.js';
import { toSarif } from './gate-sarif.js';
import { readPages } from './pages.js';

const formats = ['TEXT', 'JSON', 'JUNIT', 'SARIF', 'MARKDOWN'] as const;
const modes = ['ENFORCE', 'LOG'] as const;
/** Findings that a SARIF file lists: GitHub takes no more of one run. */
const maxListed = 25_000;

interface GateOptions extends CommonOptions, PolicyOptions {
  format?: (typeof formats)[number];
  /** A file, or true for that of GITHUB_STEP_SUMMARY. */
  summary?: string | true;
  wait?: boolean;
  patience: number;
  timeout?: number;
}

/** Adds the command to the program. */
export function addGateCommand(program: Command, action: Action): void {
  const command = program
    .command('gate')
    .description('Pass only an execution that completed, and whose results or findings are allowed')
    .argument('<execution>', 'its id')
    .option('--fail-on <severity>', failOnText, oneOf(severities))
    .option('--policy <policy>', 'name of a policy that the project stores, or a JSON or YAML file')
    .option('--only-new', 'count only findings that are new or reopened in this run')
    .option('--base <branch>', 'with --only-new: count findings that the last run of this branch did not see')
    .option('--fail-on-overdue', 'exit with 1 when a finding of the run is overdue');
  for (const name of ['critical', 'high', 'medium', 'low'])
    command.option(
      `--max-${name} <number>`,
      `${name} findings that are allowed; people's decisions count`,
      wholeNumber(0, 999_999_999),
    );
  command
    .option('--mode <mode>', 'log reports and passes, unless the execution is incomplete', oneOf(modes))
    .option('--summary [file]', 'append Markdown to a file, or to that of GITHUB_STEP_SUMMARY')
    .option('--format <format>', `what to print: ${wordsOf(formats)}`, oneOf(formats))
    .option('--wait', 'wait for its end first')
    .action(action(gate));
  addWaitOptions(command);
}

async function gate(context: Context, options: GateOptions, id: string): Promise<ExitCode> {
  const { api } = context;
  const isPolicy = hasPolicy(options);
  if (!isPolicy && options.failOn === undefined)
    throw usageFault(
      'Say what fails it: --policy, --fail-on, --max-critical, --max-high, --max-medium, --max-low or --fail-on-overdue.',
    );
  if (!isPolicy && (options.format === 'SARIF' || options.mode === 'LOG'))
    throw usageFault('SARIF and the mode log need a policy: add --policy, --only-new or --max-….');
  const summaryFile = summaryFileOf(context, options);
  let { execution } = await api.graphql<{ execution: Execution }>(queries.execution, { id });
  if (options.wait && !['COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED'].includes(execution.status))
    execution = await follow(context, id, options);
  const report = isPolicy
    ? await judgeByPolicy(context, options, execution)
    : judgeBySeverity(execution, options.failOn as Severity);
  if (summaryFile !== undefined) await appendFile(summaryFile, `${toMarkdown(report)}\n`);
  if (options.format === 'SARIF') context.printer.json(toSarif(report, await findingsOf(context, report)));
  show(context, options, report);
  return report.passed ? exitCodes.ok : exitCodes.notPassed;
}

/** All results count, as the scanners reported them. */
function judgeBySeverity(execution: Execution, failOn: Severity): GateReport {
  const { status, severityCounts } = execution;
  const found = countAtOrAbove(execution, failOn);
  const reasons = [
    ...(status === 'COMPLETED' ? [] : [`the execution is ${status}, not COMPLETED.`]),
    ...(found === 0 ? [] : [`${inWords(found)} of ${failOn} or above.`]),
  ];
  const passed = reasons.length === 0;
  const isComplete = status === 'COMPLETED';
  const kind = { mode: 'ENFORCE', wouldPass: passed, isComplete } as const;
  return { passed, ...kind, reasons, counts: severityCounts, failOn, found, execution };
}

/** The findings that the policy counts, the worst first. */
async function findingsOf({ api, printer }: Context, { execution, policy }: GateReport): Promise<Finding[]> {
  const pages = {
    graphql: async (query: string, variables: object) =>
      (await api.graphql<{ gate: { page: Page<Finding> } }>(query, variables)).gate,
  } as Pick<typeof api, 'graphql'>;
  const variables = { id: execution.id, policy };
  const { nodes, hasMore } = await readPages<Finding>(pages, queries.gateFindings, variables, maxListed);
  if (hasMore) printer.note(`The file lists the worst ${maxListed} findings; there are more.`);
  return nodes;
}

/** @throws a usage fault where no file is named */
function summaryFileOf({ surroundings }: Context, { summary }: GateOptions): string | undefined {
  if (summary !== true) return summary;
  const file = surroundings.env.GITHUB_STEP_SUMMARY;
  if (file) return file;
  throw usageFault('GITHUB_STEP_SUMMARY is not set: give --summary a file.');
}

async function judgeByPolicy(
  { api }: Context,
  options: GateOptions,
  execution: Execution,
): Promise<GateReport> {
  const policy = await policyOf(options);
  const { gate: judged } = await api.graphql<{ gate: JudgedGate }>(queries.gate, {
    id: execution.id,
    policy,
  });
  const { counts, mode, isComplete, base } = judged;
  const hasInfo = options.failOn === 'INFO' && counts.info > 0;
  const info = `${counts.info} INFO ${counts.info === 1 ? 'finding' : 'findings'}; none is allowed.`;
  const wouldPass = judged.enforcedVerdict === 'PASS' && !hasInfo;
  return {
    passed: judged.verdict === 'PASS' && (wouldPass || mode === 'LOG'),
    mode,
    wouldPass,
    isComplete,
    reasons: [...judged.reasons, ...(hasInfo ? [info] : [])],
    counts,
    ...(options.base !== undefined || base !== null ? { base } : {}),
    policy,
    execution,
  };
}

function show({ printer }: Context, { format }: GateOptions, report: GateReport): void {
  const chosen = format ?? (printer.isJson ? 'JSON' : 'TEXT');
  if (chosen === 'JSON') printer.json(report);
  else if (chosen === 'JUNIT') printer.print(toJUnit(report));
  else if (chosen === 'MARKDOWN') printer.print(toMarkdown(report));
  const { execution, counts, passed, reasons, failOn, policy } = report;
  const kind = policy === undefined ? inWords(counts.total) : `${counts.total} counted findings`;
  const summary = `${plain(execution.name)}: ${execution.status}, ${kind} (${countsInWords(counts)})`;
  if (chosen === 'TEXT') printer.print(summary);
  else printer.note(summary);
  if (execution.errorMessage !== null) printer.note(plain(execution.errorMessage, 2000));
  if (report.base === null) printer.note('No run of the base branch to compare with: every finding is new.');
  const prefix = passed ? 'Would not pass' : 'Not passed';
  for (const reason of reasons) printer.note(`${prefix}: ${plain(reason, 500)}`);
  if (passed && reasons.length > 0) printer.note('Passed, as the policy only reports (mode LOG).');
  else if (passed)
    printer.note(policy === undefined ? `Passed: no results of ${failOn} or above.` : 'Passed.');
  if (report.found !== undefined && report.found > 0 && failOn !== undefined) {
    const wanted = severities.slice(severities.indexOf(failOn)).join(',').toLowerCase();
    printer.note(`See them: sec-tester results ${execution.id} --severity ${wanted}`);
  }
}
