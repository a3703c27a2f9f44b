// gate: judges an execution, by the severities of its results or by a policy over its findings, for CI jobs. The server judges
// policies; how the outcome looks in each format is in gate-report.ts.
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
import { type Execution, queries, type Severity, type SeverityCounts, severities } from '../queries.js';
import { failOnText, follow, mostSeconds, patienceText, timeoutText } from './execution.js';
import { type GateReport, toJUnit, toMarkdown } from './gate-report.js';

const formats = ['TEXT', 'JSON', 'JUNIT', 'MARKDOWN'] as const;

interface GateOptions extends CommonOptions {
  failOn?: Severity;
  onlyNew?: boolean;
  failOnOverdue?: boolean;
  maxCritical?: number;
  maxHigh?: number;
  maxMedium?: number;
  maxLow?: number;
  format?: (typeof formats)[number];
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
    .option('--only-new', 'count only findings that are new or reopened in this run')
    .option('--fail-on-overdue', 'exit with 1 when a finding of the run is overdue');
  for (const name of ['critical', 'high', 'medium', 'low'])
    command.option(
      `--max-${name} <number>`,
      `${name} findings that are allowed; people's decisions count`,
      wholeNumber(0, 999_999_999),
    );
  command
    .option('--format <format>', `what to print: ${wordsOf(formats)}`, oneOf(formats))
    .option('--wait', 'wait for its end first')
    .option('--timeout <seconds>', timeoutText, wholeNumber(1, mostSeconds))
    .option('--patience <seconds>', patienceText, wholeNumber(0, 86_400), 60)
    .action(action(gate));
}

async function gate(context: Context, options: GateOptions, id: string): Promise<ExitCode> {
  const { api } = context;
  const { maxCritical, maxHigh, maxMedium, maxLow } = options;
  const hasPolicy =
    options.onlyNew === true ||
    options.failOnOverdue === true ||
    [maxCritical, maxHigh, maxMedium, maxLow].some((limit) => limit !== undefined);
  if (!hasPolicy && options.failOn === undefined)
    throw usageFault(
      'Say what fails it: --fail-on, --max-critical, --max-high, --max-medium, --max-low or --fail-on-overdue.',
    );
  let { execution } = await api.graphql<{ execution: Execution }>(queries.execution, { id });
  if (options.wait && !['COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED'].includes(execution.status))
    execution = await follow(context, id, options);
  const report = hasPolicy
    ? await judgeByPolicy(context, options, execution)
    : judgeBySeverity(execution, options.failOn as Severity);
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
  return { passed: reasons.length === 0, reasons, counts: severityCounts, failOn, found, execution };
}

/** With a policy, --fail-on allows no counted finding of the severity or above, where no --max-… says otherwise. */
async function judgeByPolicy(
  { api }: Context,
  options: GateOptions,
  execution: Execution,
): Promise<GateReport> {
  const { failOn, onlyNew, failOnOverdue } = options;
  const floor = failOn === undefined ? severities.length : severities.indexOf(failOn);
  const limit = (given: number | undefined, rank: number) => given ?? (rank >= floor ? 0 : undefined);
  const policy = {
    maxCritical: limit(options.maxCritical, 4),
    maxHigh: limit(options.maxHigh, 3),
    maxMedium: limit(options.maxMedium, 2),
    maxLow: limit(options.maxLow, 1),
    onlyNew,
    failOnOverdue,
  };
  const { gate: judged } = await api.graphql<{
    gate: { verdict: 'PASS' | 'FAIL'; reasons: string[]; counts: SeverityCounts };
  }>(queries.gate, { id: execution.id, policy });
  const { counts } = judged;
  const hasInfo = failOn === 'INFO' && counts.info > 0;
  const reasons = [
    ...judged.reasons,
    ...(hasInfo
      ? [`${counts.info} INFO ${counts.info === 1 ? 'finding' : 'findings'}; none is allowed.`]
      : []),
  ];
  return { passed: judged.verdict === 'PASS' && !hasInfo, reasons, counts, policy, execution };
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
  for (const reason of reasons) printer.note(`Not passed: ${plain(reason, 500)}`);
  if (passed) printer.note(policy === undefined ? `Passed: no results of ${failOn} or above.` : 'Passed.');
  if (report.found !== undefined && report.found > 0 && failOn !== undefined) {
    const wanted = severities.slice(severities.indexOf(failOn)).join(',').toLowerCase();
    printer.note(`See them: sec-tester results ${execution.id} --severity ${wanted}`);
  }
}
