// The counts of results by severity that every execution carries.
import type { ExecutionRow } from '../execution/execution.service.js';
import { severities } from './result.input.js';

/** Columns of the execution behind the counts. */
export const counters = ['infoCount', 'lowCount', 'mediumCount', 'highCount', 'criticalCount'] as const;

/** Number of results by severity, read from the execution's counters. */
export function countBySeverity(
  execution: Pick<ExecutionRow, (typeof counters)[number]>,
  names: readonly (typeof severities)[number][] = severities,
): number {
  if (names === severities) {
    const { infoCount, lowCount, mediumCount, highCount, criticalCount } = execution;
    return infoCount + lowCount + mediumCount + highCount + criticalCount;
  }
  const counters = {
    INFO: execution.infoCount,
    LOW: execution.lowCount,
    MEDIUM: execution.mediumCount,
    HIGH: execution.highCount,
    CRITICAL: execution.criticalCount,
  };
  return [...new Set(names)].reduce((sum, name) => sum + counters[name], 0);
}
