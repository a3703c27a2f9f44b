// Compares two executions of one target: which findings the one has and the other has not.
import { AppError, invalid } from '../../../core/errors.js';
import { encodeCursor, type Page, type PageArgs, parsePage, toPage } from '../../../core/pagination.js';
import type { Viewer } from '../../../core/permissions.js';
import type { Database, Reads } from '../../../infra/postgres/database.js';
import type { Wanted } from '../../../infra/postgres/sql.js';
import type { ExecutionRow, ExecutionService } from '../../execution/execution.service.js';
import type { FindingRow } from '../finding.rows.js';
import {
  type ComparedParts,
  type ComparedRuns,
  type Part,
  type PartPage,
  readInOrder,
  readParts,
  worstFirst,
} from './compare.reads.js';
import { cursorKeyOf, isCursorKey } from './order.js';

/** Dependencies of reading comparisons. */
export interface ComparisonOptions {
  db: Database;
  executions: ExecutionService;
}

/** Two compared executions. */
export interface Comparison {
  /** One keyset page of a part, the worst first; parts that are listed at the same time are read together. */
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
      const read = batched(db.lists, { base, head });
      return { list: (part, args, wanted) => listPart(db.lists, read, part, args, wanted) };
    },
  };
}

type ReadParts = (page?: PartPage) => Promise<{ counts: ComparedParts['counts']; ids: string[] }>;

/** Reads in one statement everything that is asked for at the same time, as the parts of one operation are. */
function batched(db: Reads, runs: ComparedRuns): ReadParts {
  let pages: PartPage[] = [];
  let reading: Promise<ComparedParts> | undefined;
  const readAll = () => {
    const asked = pages;
    pages = [];
    reading = undefined;
    return readParts(db, runs, asked);
  };
  return async (page) => {
    const place = page === undefined ? -1 : pages.push(page) - 1;
    reading ??= Promise.resolve().then(readAll);
    const { counts, pages: found } = await reading;
    return { counts, ids: found[place] ?? [] };
  };
}

/** @throws VALIDATION_FAILED for page arguments out of range or cursors of another order */
async function listPart(
  db: Reads,
  read: ReadParts,
  part: Part,
  args: PageArgs,
  { columns, hasRows }: Wanted,
): Promise<Page<FindingRow>> {
  const request = parsePage(args, worstFirst.name, isCursorKey(worstFirst));
  const { counts, ids } = await read(hasRows === false ? undefined : { part, request });
  const rows = await readInOrder(db, ids, columns);
  const cursorOf = (row: FindingRow) =>
    encodeCursor(worstFirst.name, { id: row.id, key: cursorKeyOf(worstFirst)(row) });
  return toPage(request, rows, cursorOf, async () => counts[part]);
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
