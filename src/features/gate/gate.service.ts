// Gates: judges one execution by a policy, over its results and what people decided about their findings. Stores nothing.
import { setTimeout as pause } from 'node:timers/promises';
import type { Viewer } from '../../core/permissions.js';
import type { Database } from '../../infra/postgres/database.js';
import type { ExecutionService } from '../execution/execution.service.js';
import type { RowsOfRun } from '../finding/list/run-rows.js';
import { countFindings, type GatedRow, gatedColumns, readImported } from './gate.counts.js';
import type { GatePolicy } from './gate.input.js';
import { type RankCounts, reasonsAgainst } from './gate.reasons.js';

/** What gates judge with. */
export interface GateOptions {
  db: Database;
  executions: ExecutionService;
  /** The results of a run in SQL; see rowsOfRun of findings. */
  rowsOfRun: RowsOfRun;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** The outcome of a gate. */
export interface Gate {
  verdict: 'PASS' | 'FAIL';
  /** Why it fails; empty when it passes. */
  reasons: string[];
  counts: RankCounts;
}

/** Judges executions. */
export type GateService = ReturnType<typeof createGateService>;

/** Creates the service. */
export function createGateService(options: GateOptions) {
  return {
    /**
     * Judges an execution by a policy.
     * @throws NOT_FOUND, also for an execution of a project that the viewer may not see
     */
    judge: (viewer: Viewer, executionId: string, policy: GatePolicy) =>
      judge(options, viewer, executionId, policy),
  };
}

/** Time that a gate waits for the results of a completed execution to meet the findings. */
const settleWaitMs = 5000;
const pollMs = 200;

async function judge(options: GateOptions, viewer: Viewer, id: string, policy: GatePolicy): Promise<Gate> {
  const { db, rowsOfRun, now } = options;
  const row = await readSettled(options, viewer, id);
  const [imported, { overdue, ...counts }] = await Promise.all([
    readImported(db, id),
    countFindings(db, rowsOfRun, row, policy, new Date(now())),
  ]);
  const isSettled = row.runNumber !== null;
  const reasons = reasonsAgainst({ status: row.status, imported, isSettled, counts, overdue }, policy);
  return { verdict: reasons.length === 0 ? 'PASS' : 'FAIL', reasons, counts };
}

/** The execution; a completed one once its results have met the findings, or after some seconds as it is. */
async function readSettled({ executions }: GateOptions, viewer: Viewer, id: string): Promise<GatedRow> {
  const deadline = performance.now() + settleWaitMs;
  for (;;) {
    const row = await executions.get(viewer, id, gatedColumns);
    const isWaiting = row.status === 'COMPLETED' && row.runNumber === null;
    if (!isWaiting || performance.now() > deadline) return row;
    await pause(pollMs);
  }
}
