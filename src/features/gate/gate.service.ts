// Gates: judges one execution by a policy, over its results and what people decided about their findings. Stores no verdict;
// gate.policies.ts stores policies.
import { setTimeout as pause } from 'node:timers/promises';
import { invalid } from '../../core/errors.js';
import type { Page, PageArgs } from '../../core/pagination.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database } from '../../infra/postgres/database.js';
import type { Wanted } from '../../infra/postgres/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import type { ExecutionService } from '../execution/execution.service.js';
import type { FindingRow, FindingService } from '../finding/finding.service.js';
import type { RowsOfRun } from '../finding/list/run-rows.js';
import type { ProjectService } from '../project/project.service.js';
import { baseOf } from './gate.base.js';
import {
  type Counted,
  countedConditions,
  countFindings,
  type GatedRow,
  gatedColumns,
  readImported,
} from './gate.counts.js';
import type { GatePolicy } from './gate.input.js';
import { createPolicyService, type PolicyService } from './gate.policies.js';
import { incompleteness, type RankCounts, reasonsAgainst } from './gate.reasons.js';

/** Dependencies of gates. */
export interface GateOptions {
  db: Database;
  audit: AuditService;
  executions: ExecutionService;
  findings: Pick<FindingService, 'listWhere'>;
  projects: Pick<ProjectService, 'lock'>;
  /** The results of a run in SQL; see rowsOfRun of findings. */
  rowsOfRun: RowsOfRun;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** The outcome of a gate. */
export interface Gate {
  verdict: 'PASS' | 'FAIL';
  mode: 'ENFORCE' | 'LOG';
  /** The verdict without the leniency of mode LOG. */
  enforcedVerdict: 'PASS' | 'FAIL';
  isComplete: boolean;
  /** Why it fails, or in mode LOG would fail; empty when it passes. */
  reasons: string[];
  counts: RankCounts;
  /** The execution that new findings are new beside. */
  baseId: string | null;
  /** One keyset page of the findings that count, the worst first. */
  list: (args: PageArgs, wanted: Wanted) => Promise<Page<FindingRow>>;
}

/** Judges executions. */
export type GateService = ReturnType<typeof createGateService>;

/** Creates the service. */
export function createGateService(options: GateOptions) {
  const { db, audit, projects, now } = options;
  const policies = createPolicyService({ db, audit, lockProject: projects.lock, now });
  return {
    policies,
    /**
     * Judges an execution by a policy.
     * @throws NOT_FOUND, also for an execution of a project that the viewer may not see
     * @throws VALIDATION_FAILED for a stored policy that the project does not have, or a base branch without onlyNew
     */
    judge: (viewer: Viewer, executionId: string, policy: GatePolicy) =>
      judge({ ...options, policies }, viewer, executionId, policy),
  };
}

/** Time that a gate waits for the results of a completed execution to meet the findings. */
const settleWaitMs = 5000;
const pollMs = 200;

/** Input of one judgement. */
type Judging = GateOptions & { policies: PolicyService };

async function judge(options: Judging, viewer: Viewer, id: string, given: GatePolicy): Promise<Gate> {
  const { db, rowsOfRun } = options;
  const row = await readSettled(options, viewer, id);
  const policy = await resolved(options, row, given);
  const { baseBranch, onlyNew } = policy;
  if (baseBranch != null && onlyNew !== true) throw invalid('policy.baseBranch', 'belongs to onlyNew');
  const base = baseBranch == null ? undefined : await baseOf(db, row, baseBranch);
  const at = new Date(options.now());
  const isBesideBase = baseBranch != null;
  const counted: Counted = { rowsOfRun, row, onlyNew: onlyNew === true, base, isBesideBase, at };
  const [imported, { overdue, ...counts }] = await Promise.all([
    readImported(db, id),
    countFindings(db, counted),
  ]);
  const facts = { status: row.status, imported, isSettled: row.runNumber !== null, counts, overdue };
  const missing = incompleteness(facts);
  const against = reasonsAgainst(facts, policy);
  const mode = policy.mode ?? 'ENFORCE';
  const isRefused = missing.length > 0 || (mode === 'ENFORCE' && against.length > 0);
  return {
    verdict: isRefused ? 'FAIL' : 'PASS',
    mode,
    enforcedVerdict: missing.length + against.length > 0 ? 'FAIL' : 'PASS',
    isComplete: missing.length === 0,
    reasons: [...missing, ...against],
    counts,
    baseId: base?.id ?? null,
    list: (args, wanted) => options.findings.listWhere(countedConditions(counted), args, wanted),
  };
}

/** The policy with the fields of the stored one that it names, where it gives none of its own. */
async function resolved({ policies }: Judging, row: GatedRow, given: GatePolicy): Promise<GatePolicy> {
  const { stored: name, ...own } = given;
  if (name == null) return own;
  const stored = await policies.find(row.projectId, name);
  if (stored === undefined) throw invalid('policy.stored', 'is the name of no policy of the project');
  const { maxCritical, maxHigh, maxMedium, maxLow, onlyNew, baseBranch, failOnOverdue, mode } = stored;
  const replaced = Object.entries(own).filter(([, value]) => value != null);
  return {
    maxCritical,
    maxHigh,
    maxMedium,
    maxLow,
    onlyNew,
    baseBranch,
    failOnOverdue,
    mode,
    ...Object.fromEntries(replaced),
  };
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
