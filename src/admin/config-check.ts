// Prints the settings in force, their sources and warnings, or every fault; starts nothing.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Env, type ExplainedSetting, explainConfig, loadConfig } from '../config/load.js';
import { noticesOf } from '../config/warnings.js';

/**
 * Prints the settings in force as a table, without secrets, and what to think of; or all their faults.
 *
 * @param env names to text, usually the process's own
 * @param print takes the text, one or more lines
 * @returns the exit code: 0 when the settings are right, 1 when not
 */
export function checkConfig(env: Env, print: (text: string) => void): 0 | 1 {
  try {
    const config = loadConfig(env);
    print(asTable(explainConfig(config, env)));
    const notices = noticesOf(config, env);
    if (notices.length > 0) print(`\nTo think of:\n${notices.map((notice) => `- ${notice}`).join('\n')}`);
    return 0;
  } catch (error) {
    print(`The settings are wrong:\n${(error as Error).message}`);
    return 1;
  }
}

function asTable(rows: ExplainedSetting[]): string {
  const lines = [{ name: 'SETTING', value: 'VALUE', source: 'SOURCE' }, ...rows];
  const nameWidth = Math.max(...lines.map(({ name }) => name.length));
  const valueWidth = Math.max(...lines.map(({ value }) => value.length));
  return lines
    .map(({ name, value, source }) => `${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${source}`)
    .join('\n');
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = checkConfig(process.env, console.log);
}
