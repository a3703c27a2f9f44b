// findings: lists findings as a table or as JSON. Results of single executions are in results.ts.
import type { Command } from 'commander';
import {
  type Action,
  type CommonOptions,
  type Context,
  moment,
  oneOf,
  someOf,
  wholeNumber,
  wordsOf,
} from '../context.js';
import { type ExitCode, exitCodes } from '../failure.js';
import { placeOf, plain } from '../output.js';
import { queries, type Severity, severities } from '../queries.js';
import { readPages } from './pages.js';

const triages = ['OPEN', 'CONFIRMED', 'FALSE_POSITIVE', 'RISK_ACCEPTED', 'RESOLVED'] as const;
const presences = ['PRESENT', 'ABSENT'] as const;
const orders = ['SEVERITY', 'FIRST_SEEN', 'LAST_SEEN', 'DUE'] as const;

interface FindingsOptions extends CommonOptions {
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
  order: (typeof orders)[number];
  ascending?: boolean;
  limit: number;
}

interface Finding {
  id: string;
  severity: Severity;
  title: string;
  triage: string;
  presence: string;
  target: string;
  tool: string | null;
  ruleId: string | null;
  cweIds: number[];
  cveIds: string[];
  location: Record<string, string | number | null> | null;
  dueAt: string | null;
  firstSeenAt: string;
  lastSeenAt: string;
}

/** Adds the command to the program. */
export function addFindingCommands(program: Command, action: Action): void {
  program
    .command('findings')
    .description('List findings, the worst first; without --presence, the ones that the last runs saw')
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
    .option('--before <time>', 'first seen before this day (UTC) or time', moment)
    .option(
      '--order <key>',
      `severity (the default), ${wordsOf(orders.slice(1))}`,
      oneOf(orders),
      'SEVERITY' as const,
    )
    .option('--ascending', 'the lowest or oldest first')
    .option('--limit <number>', 'how many at most', wholeNumber(1, 100_000), 100)
    .action(action(list));
}

/** The filter and order of the API that the options stand for. */
function variablesOf(options: FindingsOptions): object {
  const { project, target, tool, category, branch, severity, triage, presence, search, overdue } = options;
  const {
    rule: ruleId,
    cwe: cweId,
    cve: cveId,
    assignee: assigneeId,
    since,
    before,
    order,
    ascending,
  } = options;
  return {
    filter: {
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
      ruleId,
      cweId,
      cveId,
      assigneeId,
      firstSeenAfter: since,
      firstSeenBefore: before,
    },
    orderBy: { field: order, direction: ascending ? 'ASC' : 'DESC' },
  };
}

async function list({ api, printer }: Context, options: FindingsOptions): Promise<ExitCode> {
  const { nodes, hasMore } = await readPages<Finding>(
    api,
    queries.findings,
    variablesOf(options),
    options.limit,
  );
  if (printer.isJson) {
    printer.json({ findings: nodes, hasMore });
    return exitCodes.ok;
  }
  printer.table(
    ['Severity', 'Title', 'Triage', 'Rule', 'Where', 'Target', 'First seen', 'Due'],
    nodes.map((row) => [
      ...[printer.severity(row.severity), plain(row.title, 60), row.triage, plain(row.ruleId ?? '', 32)],
      ...[
        plain(placeOf(row), 60),
        plain(row.target, 40),
        row.firstSeenAt.slice(0, 10),
        row.dueAt?.slice(0, 10) ?? '',
      ],
    ]),
  );
  if (nodes.length === 0) printer.note('There are none.');
  if (hasMore) printer.note(`There are more than these ${nodes.length}: see --limit.`);
  return exitCodes.ok;
}
