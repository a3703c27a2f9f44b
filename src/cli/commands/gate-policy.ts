// Makes the policy that `gate` sends, from a stored policy's name, a file and options.
import { readFile, stat } from 'node:fs/promises';
import { usageFault } from '../failure.js';
import { type Severity, severities } from '../queries.js';

/** Options of a policy. */
export interface PolicyOptions {
  policy?: string;
  failOn?: Severity;
  onlyNew?: boolean;
  base?: string;
  failOnOverdue?: boolean;
  maxCritical?: number;
  maxHigh?: number;
  maxMedium?: number;
  maxLow?: number;
  mode?: 'ENFORCE' | 'LOG';
}

const maxFileBytes = 65_536;

/** Whether the options make a policy; `--fail-on` alone judges results by their severity. */
export function hasPolicy(options: PolicyOptions): boolean {
  const { failOn: _failOn, mode: _mode, ...rules } = options;
  const { policy, onlyNew, base, failOnOverdue, maxCritical, maxHigh, maxMedium, maxLow } = rules;
  return [policy, onlyNew, base, failOnOverdue, maxCritical, maxHigh, maxMedium, maxLow].some(
    (value) => value !== undefined,
  );
}

/**
 * The policy of GraphQL's input GatePolicy. Options replace what a file or a stored policy says. `--fail-on` allows no counted
 * finding of the severity or above, where no --max-… says otherwise.
 * @throws a usage fault for a file that is no policy
 */
export async function policyOf(options: PolicyOptions): Promise<Record<string, unknown>> {
  const { failOn, onlyNew, base, failOnOverdue, maxCritical, maxHigh, maxMedium, maxLow, mode } = options;
  const floor = failOn === undefined ? severities.length : severities.indexOf(failOn);
  const limit = (given: number | undefined, rank: number) => given ?? (rank >= floor ? 0 : undefined);
  const own = {
    maxCritical: limit(maxCritical, 4),
    maxHigh: limit(maxHigh, 3),
    maxMedium: limit(maxMedium, 2),
    maxLow: limit(maxLow, 1),
    onlyNew,
    baseBranch: base,
    failOnOverdue,
    mode,
  };
  const given = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...(await namedPolicy(options.policy)), ...Object.fromEntries(given) };
}

/** A file where there is one of this name, or where the name can be no stored policy's; a stored policy otherwise. */
async function namedPolicy(name: string | undefined): Promise<Record<string, unknown>> {
  if (name === undefined) return {};
  const size = await stat(name).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
  if (size === undefined) {
    if (/^[a-z0-9-]{1,63}$/.test(name)) return { stored: name };
    throw usageFault(`There is no file ${name}, and it is not the name of a stored policy.`);
  }
  if (size > maxFileBytes) throw usageFault(`The policy ${name} is larger than ${maxFileBytes} bytes.`);
  const policy = await parsed(name, await readFile(name, 'utf8'));
  if (typeof policy !== 'object' || policy === null || Array.isArray(policy))
    throw usageFault(`The policy ${name} must be an object such as {"maxCritical": 0, "onlyNew": true}.`);
  return policy as Record<string, unknown>;
}

/** YAML, of which JSON is a part; no aliases, which could make a small file large. */
async function parsed(name: string, text: string): Promise<unknown> {
  const { parse } = await import('yaml');
  try {
    return parse(text, { maxAliasCount: 0 });
  } catch {
    throw usageFault(`The policy ${name} is neither JSON nor YAML.`);
  }
}
