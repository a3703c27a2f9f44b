// Findings as the API sees them: reads, details and decisions, each in a module of its own.
import { branchesOfEach, historyOfEach } from './finding.details.js';
import { createFindingReads, type FindingReadOptions } from './finding.reads.js';

export type { FindingRow } from './finding.rows.js';

/** Reads findings. */
export type FindingService = ReturnType<typeof createFindingService>;

/** Creates the service. */
export function createFindingService(options: FindingReadOptions) {
  const { db } = options;
  const { get, byIds, list } = createFindingReads(options);
  return {
    get,
    byIds,
    list,
    /** See {@link branchesOfEach}. */
    branchesOfEach: (ids: readonly string[]) => branchesOfEach(db, ids),
    /** See {@link historyOfEach}. */
    historyOfEach: (ids: readonly string[]) => historyOfEach(db, ids),
  };
}
