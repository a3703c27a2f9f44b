// Reads the options of measurements that are started by hand.
import { parseArgs } from 'node:util';

/**
 * The value of each option; `--help` prints the usage and ends the process.
 * @param {string} usage
 * @param {Record<string, string>} defaults the options, with their values where none is given
 */
export function readOptions(usage, defaults) {
  const options = Object.entries(defaults).map(([name, value]) => [name, { type: 'string', default: value }]);
  const help = { type: 'boolean', short: 'h', default: false };
  const { values } = parseArgs({ options: { ...Object.fromEntries(options), help } });
  if (!values.help) return values;
  process.stdout.write(usage);
  process.exit(0);
}
