// findings: lists findings as a table or as JSON. Results of single executions are in results.ts.
import type { Command } from 'commander';
import { type Action, type CommonOptions, type Context, oneOf, wholeNumber, wordsOf } from '../context.js';
import { type ExitCode, exitCodes } from '../failure.js';
import { placeOf, plain } from '../output.js';
import { type Finding, queries } from '../queries.js';
import { addFilterOptions, type FilterOptions, filterOf } from './finding-filter.js';
import { readPages } from './pages.js';

const orders = ['SEVERITY', 'FIRST_SEEN', 'LAST_SEEN', 'DUE'] as const;

interface FindingsOptions extends CommonOptions, FilterOptions {
  order: (typeof orders)[number];
  ascending?: boolean;
  limit: number;
}

/** Adds the command to the program. */
export function addFindingCommands(program: Command, action: Action): void {
  const command = program
    .command('findings')
    .description('List findings, the worst first; without --presence, the ones that the last runs saw');
  addFilterOptions(command)
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

async function list({ api, printer }: Context, options: FindingsOptions): Promise<ExitCode> {
  const { nodes, hasMore } = await readPages<Finding>(
    api,
    queries.findings,
    {
      filter: filterOf(options),
      orderBy: { field: options.order, direction: options.ascending ? 'ASC' : 'DESC' },
    },
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
