// The command line that checks the counters of findings by a full count, corrects them, and adds up their changes.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Sql } from 'sql-template-tag';
import { type Env, loadConfig } from '../config/load.js';
import { type CountFault, compactCounts, recountFindings } from '../features/finding/finding.counts.js';
import { severities } from '../features/finding/finding.input.js';
import { compactRollups, type RollupFault, recountRollups } from '../features/finding/finding.rollups.js';
import { withDatabase } from './with-database.js';

const USAGE = `Usage: recount [--fix]
  --fix  make the counters right where they differ
Compares the counters of findings with the findings themselves, while the server runs, and adds up their changes.
The database is DATABASE_URL, or without it the embedded one in DATA_DIR. Exit code 0: the counters are right, or are so
now; 1: they differ; 2: it could not be found out.`;

const SETTINGS_READ = ['DATABASE_URL', 'DATABASE_URL_FILE', 'DATA_DIR'];

/**
 * Recounts and prints the outcome.
 * @param args the words after the program's name
 * @param env names to text, usually the process's own
 * @param print takes the text, one or more lines
 * @returns the exit code: 0 when the counters are right or corrected, 1 when they differ, 2 when it could not be found out
 */
export async function recount(args: string[], env: Env, print: (text: string) => void): Promise<0 | 1 | 2> {
  try {
    const { values } = parseArgs({ args, options: { fix: { type: 'boolean', default: false } } });
    const config = loadConfig(Object.fromEntries(SETTINGS_READ.map((name) => [name, env[name]])));
    const faults = await withDatabase(config, async (client) => {
      const query = async <Row>({ text, values: given }: Sql) =>
        (await client.query(text, given as unknown[])).rows as Row[];
      const found = await recountFindings({ query }, values.fix);
      const others = await recountRollups({ query }, values.fix);
      await compactCounts({ query }, 1);
      await compactRollups({ query }, 1);
      return [...found.map(nameOf), ...others];
    });
    report(faults, values.fix, print);
    return faults.length === 0 || values.fix ? 0 : 1;
  } catch (error) {
    print(`Not recounted: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
}

function nameOf({ projectId, triage, severity, isPresent, counted, actual }: CountFault): RollupFault {
  const name = `${severities[severity]} ${triage} ${isPresent ? 'PRESENT' : 'ABSENT'}`;
  return { name, projectId, counted, actual };
}

function report(faults: readonly RollupFault[], isCorrected: boolean, print: (text: string) => void): void {
  for (const { name, projectId, counted, actual } of faults)
    print(
      `${isCorrected ? 'corrected' : 'WRONG    '}  ${name} of project ${projectId}: ${counted} counted, ${actual} there`,
    );
  if (faults.length === 0) print('The counters of findings are right.');
  else if (!isCorrected) print('Correct them with --fix.');
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await recount(process.argv.slice(2), process.env, console.log);
}
