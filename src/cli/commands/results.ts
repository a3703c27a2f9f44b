// results: lists results as a table or as JSON. Executions are in execution.ts.
import { type Command, Option } from 'commander';
import {
  type Action,
  type CommonOptions,
  type Context,
  cwesOf,
  each,
  moment,
  someOf,
  wholeNumber,
  wordsOf,
} from '../context.js';
import { type ExitCode, exitCodes, usageFault } from '../failure.js';
import { placeOf, plain } from '../output.js';
import { kinds, queries, type Result, type Severity, severities } from '../queries.js';
import { readPages } from './pages.js';

interface ResultsOptions extends CommonOptions {
  severity?: Severity[];
  rule?: string[];
  cwe?: number[];
  cve?: string;
  path?: string;
  host?: string;
  target?: string;
  tool?: string;
  kind?: string[];
  branch?: string;
  since?: string;
  before?: string;
  search?: string;
  fingerprint?: string;
  newest?: boolean;
  cvss?: boolean;
  limit: number;
}

/** With their long texts, fewer results fit into one response. */
const wholePageSize = 20;
const originHead = ['Target', 'Execution', 'Date'];

/** Adds the command to the program. */
export function addResultCommands(program: Command, action: Action): void {
  program
    .command('results')
    .description('List results, the worst first')
    .argument('[execution]', 'id of their execution; those of all executions by default')
    .option(
      '--severity <severities>',
      `any of these, separated by commas: ${wordsOf(severities)}`,
      someOf(severities),
    )
    .option('--rule <id>', 'exactly this rule of the tool; repeat the option for any of several', each)
    .option('--cwe <numbers>', 'with any of these CWEs, separated by commas', cwesOf)
    .option('--cve <id>', 'with this vulnerability: a CVE id or one of another scheme')
    .option('--path <path>', 'in exactly this file')
    .option('--host <host>', 'on exactly this host')
    .option('--target <target>', 'of executions against exactly this target')
    .option('--tool <name>', 'of executions of exactly this tool')
    .option('--kind <kinds>', `of executions of any of these kinds: ${wordsOf(kinds)}`, someOf(kinds))
    .option('--branch <name>', 'of executions of exactly this branch')
    .option('--since <time>', 'added on or after this day (UTC) or time', moment)
    .option('--before <time>', 'added before this day (UTC) or time', moment)
    .option('--search <text>', 'part of the title, rule, location or ids')
    .option('--fingerprint <text>', 'exactly this fingerprint')
    .option('--newest', 'the newest first')
    .addOption(new Option('--cvss', 'the highest CVSS score first').conflicts('newest'))
    .option('--limit <number>', 'how many at most', wholeNumber(1, 100_000), 100)
    .action(action(list));
}

/** The filter of the API that the options stand for. */
function conditionsOf(options: ResultsOptions): object {
  const { severity, cve: cveId, path, host, target, tool, kind, branch, search, fingerprint } = options;
  const { rule: ruleIds, cwe: cweIds, since: createdAfter, before: createdBefore } = options;
  const place = { path, host, target, tool, kind, branch };
  return { severity, ruleIds, cweIds, cveId, ...place, createdAfter, createdBefore, search, fingerprint };
}

async function list(
  { api, printer }: Context,
  options: ResultsOptions,
  executionId?: string,
): Promise<ExitCode> {
  const { newest = false, cvss = false, limit } = options;
  if (executionId === '') throw usageFault('The id of the execution is empty');
  const filter = { executionId, ...conditionsOf(options) };
  const field = newest ? 'CREATED_AT' : cvss ? 'CVSS_SCORE' : 'SEVERITY';
  const variables = { filter, orderBy: { field, direction: 'DESC' } };
  if (printer.isJson) {
    const whole = await readPages<Result>(api, queries.wholeResults, variables, limit, wholePageSize);
    printer.json({ results: whole.nodes, hasMore: whole.hasMore });
    return exitCodes.ok;
  }
  const { nodes, hasMore } = await readPages<Result>(api, queries.results, variables, limit);
  // Within one execution its columns would say the same in each row.
  const isAcross = executionId === undefined;
  const isScored = nodes.some(({ cvssScore }) => cvssScore !== null);
  const score = ({ cvssScore }: Result) => (isScored ? [cvssScore?.toFixed(1) ?? ''] : []);
  const origin = ({ execution, createdAt }: Result) =>
    isAcross ? [plain(execution.target, 40), execution.id, createdAt.slice(0, 10)] : [];
  printer.table(
    ['Severity', isScored ? 'CVSS' : [], 'Title', 'Rule', 'CWE', 'Where', isAcross ? originHead : []].flat(),
    nodes.map((row) => [
      printer.severity(row.severity),
      ...score(row),
      plain(row.title, 60),
      plain(row.ruleId ?? '', 32),
      row.cweIds.join(' '),
      plain(placeOf(row), 60),
      ...origin(row),
    ]),
  );
  if (nodes.length === 0) printer.note('There are none.');
  if (hasMore) printer.note(`There are more than these ${nodes.length}: see --limit.`);
  return exitCodes.ok;
}
