// Decides about findings: one transaction with the history of each and one audit row; the database keeps the counters.
import { AppError, type FieldError, validationFailed } from '../../../core/errors.js';
import { canIn, type Viewer } from '../../../core/permissions.js';
import type { Database, Statements, Transaction } from '../../../infra/postgres/database.js';
import { violates } from '../../../infra/postgres/errors.js';
import { conditionOn } from '../../../infra/postgres/project-access.js';
import { join, type Sql, sql, where } from '../../../infra/postgres/sql.js';
import type { AuditService } from '../../audit/audit.service.js';
import type { ReportTriage } from '../../webhook/webhook.events.js';
import { visibleProjects } from '../finding.access.js';
import { severities } from '../finding.input.js';
import { matchingIn } from '../finding.reads.js';
import { applyDecision, type Decision, type TriageOutcome, wouldChange } from './triage.changes.js';
import { maxTriaged, type TriageFindingsInput, triageRules } from './triage.input.js';

/** What decisions are made with. */
export interface TriageOptions {
  db: Database;
  audit: AuditService;
  /** Tells webhooks of decisions. */
  reportTriage: ReportTriage;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Longest acceptance of a risk, in days. */
  maxAcceptanceDays: number;
}

/**
 * Decides about findings by id or filter: all of them change, or none.
 * @throws VALIDATION_FAILED for an input that contradicts itself, or a filter that more than 10,000 findings match
 * @throws NOT_FOUND for ids that do not exist, or that the viewer may not see
 * @throws FORBIDDEN for findings of a project where the viewer may not triage
 * @throws CONFLICT when a finding is in none of the expected states
 */
export async function triageFindings(
  options: TriageOptions,
  viewer: Viewer,
  input: TriageFindingsInput,
): Promise<TriageOutcome> {
  const { db, audit } = options;
  const now = new Date(options.now());
  assertConsistent(input, now, options.maxAcceptanceDays);
  const decision: Decision = { input, viewer, at: now };
  const conditions = await conditionsOf(db, viewer, input, now);
  if (input.dryRun === true) {
    const chosen = await choose(db, viewer, input, conditions, false);
    return wouldChange(db, chosen, decision);
  }
  const work = async (tx: Transaction) => {
    const chosen = await choose(tx, viewer, input, conditions, true);
    const outcome = await applyDecision(tx, chosen, decision);
    if (outcome.changed > 0) {
      record(audit, tx, decision, outcome);
      await options.reportTriage(tx, chosen, now);
    }
    return outcome;
  };
  return db.transaction(work).catch((error: unknown) => {
    if (violates(error, 'findings_assignee_id_fkey'))
      throw validationFailed([{ path: 'input.assigneeId', message: 'is the id of no user' }]);
    throw error;
  });
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

/** The findings that the input names, locked in the order of their ids for a change. @returns their ids */
async function choose(
  tx: Pick<Statements, 'query'>,
  viewer: Viewer,
  { ids, expectedState }: TriageFindingsInput,
  conditions: Sql[],
  isLocked: boolean,
): Promise<string[]> {
  // Rights as of this statement: a membership that has ended meanwhile decides about nothing.
  const seen = conditionOn(viewer, sql`project_id`, 'finding:read');
  const isWorkable = join([sql`TRUE`, ...conditionOn(viewer, sql`project_id`, 'finding:triage')], ' AND ');
  const rows = await tx.query<{ id: string; isWorkable: boolean; isExpected: boolean }>(sql`
    SELECT id, ${isWorkable} AS "isWorkable",
      ${expectedState ?? null}::triage_state[] IS NULL OR triage = ANY(${expectedState ?? null}::triage_state[]) AS "isExpected"
    FROM findings ${where([...conditions, ...seen])} ORDER BY id LIMIT ${maxTriaged + 1} ${isLocked ? sql`FOR UPDATE` : sql``}`);
  if (rows.length > maxTriaged)
    throw validationFailed([
      { path: 'input.filter', message: `matches more than ${maxTriaged} findings: narrow it down` },
    ]);
  if (ids != null && rows.length < new Set(ids).size) throw new AppError('NOT_FOUND');
  if (!rows.every((row) => row.isWorkable)) throw forbidden();
  if (!rows.every(({ isExpected }) => isExpected))
    throw new AppError('CONFLICT', { message: 'Somebody else has decided about a finding meanwhile.' });
  return rows.map(({ id }) => id);
}

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
