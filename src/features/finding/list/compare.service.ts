// Compares two executions of one target: which findings the one has and the other has not.
import { AppError, invalid } from '../../../core/errors.js';
import type { Page, PageArgs } from '../../../core/pagination.js';
import type { Viewer } from '../../../core/permissions.js';
import type { Database } from '../../../infra/postgres/database.js';
import type { Wanted } from '../../../infra/postgres/sql.js';
import type { ExecutionRow, ExecutionService } from '../../execution/execution.service.js';
import type { FindingRow } from '../finding.rows.js';
import { countParts, listPart, type Part } from './compare.reads.js';

/** What comparisons are read with. */
export interface ComparisonOptions {
  db: Database;
  executions: ExecutionService;
}

/** Two compared executions. */
export interface Comparison {
  /** One keyset page of a part, the worst first; all parts are counted together, once. */
  list: (part: Part, args: PageArgs, wanted: Wanted) => Promise<Page<FindingRow>>;
}

/** Compares executions. */
export type ComparisonService = ReturnType<typeof createComparisonService>;

/** Creates the service. */
export function createComparisonService({ db, executions }: ComparisonOptions) {
  return {
    /**
     * Compares a head with its base.
     * @throws NOT_FOUND, also for an execution of a project that the viewer may not see
     * @throws VALIDATION_FAILED for executions of different projects or targets
     * @throws CONFLICT for an execution whose results have not met the findings
     */
    async compare(viewer: Viewer, baseId: string, headId: string): Promise<Comparison> {
      const [base, head] = await Promise.all([
        executions.get(viewer, baseId, columns),
        executions.get(viewer, headId, columns),
      ]);
      if (base.projectId !== head.projectId || base.target !== head.target)
        throw invalid('head', 'is of another target than base');
      assertSettled(base, 'base');
      assertSettled(head, 'head');
      let counting: ReturnType<typeof countParts> | undefined;
      const total = async (part: Part) => {
        counting ??= countParts(db, { base, head });
        return (await counting)[part];
      };
      return {
        list: (part, args, wanted) => listPart(db, { base, head }, part, args, wanted, () => total(part)),
      };
    },
  };
}

const columns = ['id', 'isShared', 'scanBranchId', 'runNumber', 'projectId', 'target', 'finishedAt'] as const;

function assertSettled({ runNumber, finishedAt }: ExecutionRow, name: string): void {
  if (runNumber !== null) return;
  const message =
    finishedAt === null
      ? `The execution of ${name} has not ended.`
      : `The results of ${name} have not met the findings yet. Try again in a few seconds.`;
  throw new AppError('CONFLICT', { message });
}
