// The filter of findings as options, for the commands findings and export.
import type { Command } from 'commander';
import { moment, oneOf, someOf, wholeNumber, wordsOf } from '../context.js';
import { type Severity, severities } from '../queries.js';

const triages = ['OPEN', 'CONFIRMED', 'FALSE_POSITIVE', 'RISK_ACCEPTED', 'RESOLVED'] as const;
const presences = ['PRESENT', 'ABSENT'] as const;

/** Options of the filter. */
export interface FilterOptions {
  project?: string;
  target?: string;
  tool?: string;
  category?: string;
  branch?: string;
  severity?: Severity[];
  triage?: (typeof triages)[number][];
  presence?: (typeof presences)[number];
  rule?: string;
  cwe?: number;
  cve?: string;
  search?: string;
  assignee?: string;
  overdue?: boolean;
  since?: string;
  before?: string;
}

/** Adds the options of the filter to a command. */
export function addFilterOptions(command: Command): Command {
  return command
    .option('--project <key>', 'of this project')
    .option('--target <target>', 'of exactly this target')
    .option('--tool <name>', 'of this tool')
    .option('--category <name>', 'of exactly this category of scans')
    .option('--branch <name>', 'the branch whose presence counts; the default branch unless given')
    .option(
      '--severity <severities>',
      `any of these, separated by commas: ${wordsOf(severities)}`,
      someOf(severities),
    )
    .option(
      '--triage <states>',
      `any of these decisions, separated by commas: ${wordsOf(triages)}`,
      someOf(triages),
    )
    .option('--presence <presence>', 'present (the default) or absent', oneOf(presences))
    .option('--rule <id>', 'exactly this rule of the tool')
    .option('--cwe <number>', 'with this CWE', (text: string) =>
      wholeNumber(1, 99_999)(text.replace(/^CWE-/i, '')),
    )
    .option('--cve <id>', 'with this CVE')
    .option('--search <text>', 'part of the title, rule, location or ids')
    .option('--assignee <id>', 'assigned to the user with this id')
    .option('--overdue', 'open or confirmed, and past the due date')
    .option('--since <time>', 'first seen on or after this day (UTC) or time', moment)
    .option('--before <time>', 'first seen before this day (UTC) or time', moment);
}

/** The filter of the API that the options stand for. */
export function filterOf(options: FilterOptions) {
  const { project, target, tool, category, branch, severity, triage, presence, search, overdue } = options;
  return {
    project,
    target,
    tool,
    category,
    branch,
    severity,
    triage,
    presence,
    search,
    overdue,
    ruleId: options.rule,
    cweId: options.cwe,
    cveId: options.cve,
    assigneeId: options.assignee,
    firstSeenAfter: options.since,
    firstSeenBefore: options.before,
  };
}
