// Why a gate fails, in sentences for people. gate.counts.ts has the counts.
import type { ExecutionRow } from '../execution/execution.service.js';
import type { GatePolicy } from './gate.input.js';

/** Counted findings by severity, as executions carry them. */
export type RankCounts = Pick<
  ExecutionRow,
  'infoCount' | 'lowCount' | 'mediumCount' | 'highCount' | 'criticalCount'
>;

/** The last import of an execution, and what is missing according to all of them. */
export interface ImportedState {
  lastState: 'RUNNING' | 'COMPLETED' | 'FAILED' | null;
  incomplete: string[];
}

/** Facts that a gate judges. */
export interface GateFacts {
  status: ExecutionRow['status'];
  imported: ImportedState;
  /** Whether its results have met the findings. */
  isSettled: boolean;
  counts: RankCounts;
  overdue: number;
}

/** Reasons of incompleteness that are named one by one. */
const maxNamed = 10;
const maxLength = 300;

/** Why the policy does not allow the run, in a fixed order; empty when it does. {@link incompleteness} gives further ones. */
export function reasonsAgainst(facts: GateFacts, policy: GatePolicy): string[] {
  return [...excesses(facts.counts, policy), ...overdueIn(facts, policy)];
}

/** Why a run passes under no policy: it has not ended well, or an import of it is incomplete. */
export function incompleteness({ status, imported: { lastState, incomplete } }: GateFacts): string[] {
  const named = incomplete.slice(0, maxNamed).map((text) => `The run is incomplete: ${shorten(text)}`);
  const more = incomplete.length - named.length;
  return [
    ...(status === 'COMPLETED' ? [] : [`The execution is ${status}, not COMPLETED.`]),
    ...(lastState === 'RUNNING' ? ['Its last import has not ended.'] : []),
    ...(lastState === 'FAILED' ? ['Its last import failed.'] : []),
    ...named,
    ...(more > 0 ? [`The run is incomplete for ${more} more ${more === 1 ? 'reason' : 'reasons'}.`] : []),
  ];
}

function excesses(counts: RankCounts, policy: GatePolicy): string[] {
  const kind = policy.onlyNew === true ? 'new ' : '';
  const checks = [
    { name: 'CRITICAL', found: counts.criticalCount, most: policy.maxCritical },
    { name: 'HIGH', found: counts.highCount, most: policy.maxHigh },
    { name: 'MEDIUM', found: counts.mediumCount, most: policy.maxMedium },
    { name: 'LOW', found: counts.lowCount, most: policy.maxLow },
  ];
  return checks.flatMap(({ name, found, most }) =>
    most == null || found <= most
      ? []
      : [`${found} ${kind}${name} ${found === 1 ? 'finding' : 'findings'}; the policy allows ${most}.`],
  );
}

function overdueIn({ overdue, isSettled }: GateFacts, { failOnOverdue }: GatePolicy): string[] {
  if (failOnOverdue !== true) return [];
  if (!isSettled) return ['Its results have not met the findings yet, so overdue ones are unknown.'];
  if (overdue === 0) return [];
  return [overdue === 1 ? '1 finding is overdue.' : `${overdue} findings are overdue.`];
}

function shorten(text: string): string {
  return text.length > maxLength ? `${text.slice(0, maxLength - 1).toWellFormed()}…` : text;
}
