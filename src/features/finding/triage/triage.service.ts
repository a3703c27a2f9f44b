// Decides about findings: one transaction with the history of each and one audit row; the database keeps the counters.
import pLimit from 'p-limit';
import { AppError, type FieldError, validationFailed } from '../../../core/errors.js';
import { canIn, type Viewer } from '../../../core/permissions.js';
import { isRetryable } from '../../../infra/postgres/bulk/transaction.js';
import type { Database, Transaction } from '../../../infra/postgres/database.js';
import { violates } from '../../../infra/postgres/errors.js';
import { type Sql, sql } from '../../../infra/postgres/sql.js';
import type { RunTransaction } from '../../../infra/postgres/transaction.js';
import type { AuditService } from '../../audit/audit.service.js';
import { isTriageReported, type ReportTriage } from '../../webhook/webhook.events.js';
import { visibleProjects } from '../finding.access.js';
import { severities } from '../finding.input.js';
import { matchingIn } from '../finding.reads.js';
import {
  type Attempt,
  applyDecision,
  type Decision,
  type TriageOutcome,
  tryDecision,
} from './triage.changes.js';
import { maxTriaged, type TriageFindingsInput, triageRules } from './triage.input.js';

/** Dependencies of making decisions. */
export interface TriageOptions {
  db: Database;
  /** Runs a transaction whose statements may take longer than those of the pool, on a connection beside it. */
  transactLong: RunTransaction;
  audit: AuditService;
  /** Queues webhook events for decisions. */
  reportTriage: ReportTriage;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Longest acceptance of a risk, in days. */
  maxAcceptanceDays: number;
}

/** Decides about findings; see {@link createTriage}. */
export type TriageFindings = ReturnType<typeof createTriage>;

/** Ids up to which a decision is short enough for the pool. */
const fewIds = 1000;
/** Long decisions that an instance makes at the same time, each on a connection beside the pool, and decisions that may wait. */
const longAtOnce = 2;
const longWaiting = 50;

/** Creates the function that decides about findings. */
export function createTriage(options: TriageOptions) {
  const turn = pLimit(longAtOnce);
  /** A filter may match many, and its best plan depends on its values, so it does not go through prepared statements. */
  const transactionFor = ({ ids }: TriageFindingsInput): RunTransaction => {
    if (ids != null && ids.length <= fewIds) return options.db.transaction;
    if (turn.pendingCount >= longWaiting) throw new AppError('UNAVAILABLE', { retryAfterSeconds: 5 });
    return (work) => turn(() => retried(() => options.transactLong(work)));
  };
  /**
   * Decides about findings by id or filter: all of them change, or none.
   * @throws VALIDATION_FAILED for an input that contradicts itself, or a filter that more than 100,000 findings match
   * @throws NOT_FOUND for ids that do not exist, or that the viewer may not see
   * @throws FORBIDDEN for findings of a project where the viewer may not triage
   * @throws CONFLICT when a finding is in none of the expected states, or in one that the new state may not follow
   * @throws UNAVAILABLE when too many long decisions wait
   */
  return async (viewer: Viewer, input: TriageFindingsInput): Promise<TriageOutcome> => {
    const { db, audit, reportTriage, maxAcceptanceDays } = options;
    const at = new Date(options.now());
    assertConsistent(input, at, maxAcceptanceDays);
    const decision: Decision = { input, viewer, at, conditions: await conditionsOf(db, viewer, input, at) };
    const fewest = input.ids == null ? 0 : new Set(input.ids).size;
    if (input.dryRun === true)
      return assertClear(await tryDecision({ query: db.queryUncached }, decision), input, fewest);
    const work = async (tx: Transaction) => {
      const attempt = await applyDecision(tx, decision, fewest, isTriageReported);
      const outcome = assertClear(attempt, input, fewest);
      if (outcome.changed > 0) record(audit, tx, decision, outcome);
      if (attempt.changedIds !== null) await reportTriage(tx, attempt.changedIds, at);
      return outcome;
    };
    return transactionFor(input)(work).catch((error: unknown) => {
      if (violates(error, 'findings_assignee_id_fkey'))
        throw validationFailed([{ path: 'input.assigneeId', message: 'is the id of no user' }]);
      throw error;
    });
  };
}

const attempts = 3;

/** Again after a deadlock with a run that meets the same findings. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= attempts || !isRetryable(error)) throw error;
    }
  }
}

/** Refuses a decision that has met obstacles, which undoes its transaction. */
function assertClear(
  { matched, changed, ranks, forbidden: outOfReach, unexpected, illegal }: Attempt,
  { state }: TriageFindingsInput,
  fewest: number,
): TriageOutcome {
  if (matched > maxTriaged)
    throw validationFailed([
      { path: 'input.filter', message: `matches more than ${maxTriaged} findings: narrow it down` },
    ]);
  if (matched < fewest) throw new AppError('NOT_FOUND');
  if (outOfReach > 0) throw forbidden();
  if (unexpected > 0)
    throw new AppError('CONFLICT', {
      message: `Somebody else has decided about a finding meanwhile: ${unexpected} of ${matched} are in none of the expected states.`,
    });
  if (illegal > 0)
    throw new AppError('CONFLICT', {
      message: `${illegal} of ${matched} findings are in a state that ${state} may not follow. Open them first.`,
    });
  return { matched, changed, ranks };
}

function assertConsistent(input: TriageFindingsInput, now: Date, maxDays: number): void {
  const { ids, filter, state, reason, acceptedUntil } = input;
  const faults: FieldError[] = [];
  const refuse = (name: string, message: string) => faults.push({ path: `input.${name}`, message });
  if ((ids == null) === (filter == null)) refuse('ids', 'give either ids or filter');
  const { needsReason, needsEnd } = triageRules[state ?? 'OPEN'];
  if (needsReason && !reason) refuse('reason', `is required for ${state}`);
  if (needsEnd && acceptedUntil == null) refuse('acceptedUntil', `is required for ${state}`);
  if (!needsEnd && acceptedUntil != null) refuse('acceptedUntil', 'belongs to RISK_ACCEPTED only');
  if (state == null && reason != null) refuse('reason', 'belongs to a state');
  if (acceptedUntil != null && acceptedUntil <= now) refuse('acceptedUntil', 'must be in the future');
  if (acceptedUntil != null && acceptedUntil.getTime() > now.getTime() + maxDays * 86_400_000)
    refuse('acceptedUntil', `must be at most ${maxDays} days ahead`);
  const { comment, severityOverride, assigneeId } = input;
  if ([state ?? undefined, comment, severityOverride, assigneeId].every((value) => value === undefined))
    refuse('state', 'give a state, comment, severityOverride or assigneeId');
  if (faults.length > 0) throw validationFailed(faults);
}

async function conditionsOf(
  db: Database,
  viewer: Viewer,
  { ids, filter }: TriageFindingsInput,
  now: Date,
): Promise<Sql[]> {
  if (filter == null) return [sql`id = ANY(${[...new Set(ids)]}::uuid[])`];
  const visible = await visibleProjects(db, viewer, filter.project);
  const workable = visible.filter(({ id }) => canIn(viewer, 'finding:triage', id));
  if (filter.project != null && visible.length > workable.length) throw forbidden();
  const projectIds = workable.map(({ id }) => id);
  return matchingIn(db, projectIds, filter, now);
}

const forbidden = () =>
  new AppError('FORBIDDEN', { message: 'Your role in this project does not allow it.' });

function record(
  audit: AuditService,
  tx: Transaction,
  { input, viewer }: Decision,
  outcome: TriageOutcome,
): void {
  const { ids, filter, dryRun: _dryRun, ...decided } = input;
  const [only] = ids ?? [];
  audit.record(tx, {
    action: 'finding.triage',
    actor: viewer,
    ...(ids?.length === 1 && only !== undefined && { targetType: 'Finding', targetId: only }),
    changes: {
      ...decided,
      ...(filter == null ? { ids: ids?.length } : { filter }),
      matched: outcome.matched,
      changed: outcome.changed,
      ...Object.fromEntries(severities.map((name, rank) => [name, outcome.ranks[rank] ?? 0])),
    },
  });
}
